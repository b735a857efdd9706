/*
 * number_fuzz.c - any bytes as a Content-Length, a number on a command line, a number in a form.
 *
 * Promises to find: a number that 128-bit arithmetic reads otherwise, a limit that is passed, an overflow. The first
 * byte makes the form's limit.
 */
#include <string.h>

#include "cli/option.h"
#include "core/http/field.h"

#include "../../sandbox/refpay/form.h"
#include "naive.h"

static void check_length(struct tg_span text)
{
    __int128 expected = 0;
    uint64_t length = 1;
    bool number = naive_number(text, &expected);
    enum tg_err err = tg_content_length_parse(text, &length);
    enum tg_err right = !number ? TG_ERR_INPUT : expected > UINT64_MAX ? TG_ERR_LIMIT : TG_OK;
    tg_fuzz_expect(err == right && length == (err == TG_OK ? (uint64_t)expected : 0));
}

static void check_option(struct tg_span text)
{
    char string[64];
    __int128 expected = 0;
    int64_t value = 0;
    size_t len = tg_span_find(text, 0);
    len = len < sizeof(string) - 1 ? len : sizeof(string) - 1;
    if (len > 0) {
        memcpy(string, text.ptr, len);
    }
    string[len] = '\0';
    size_t minus = string[0] == '-' ? 1 : 0;
    bool number = naive_number(tg_span(string + minus, len - minus), &expected);
    enum tg_err err = tg_number_parse(string, &value);
    tg_fuzz_expect((err == TG_OK) == (number && expected <= INT64_MAX));
    tg_fuzz_expect(err != TG_OK || value == (minus ? -(int64_t)expected : (int64_t)expected));
}

static void check_form(struct tg_span text, int64_t max)
{
    __int128 expected = 0;
    int64_t value = -1;
    bool number = naive_number(text, &expected) && (text.len == 1 || text.ptr[0] != '0');
    enum tg_err err = tg_form_number(text, max, &value);
    tg_fuzz_expect((err == TG_OK) == (number && expected <= max));
    tg_fuzz_expect(err != TG_OK || value == (int64_t)expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size);
    uint8_t what = tg_fuzz_u8(&input);
    check_length(input);
    check_option(input);
    check_form(input, INT64_MAX >> (what % 64));
    return 0;
}
