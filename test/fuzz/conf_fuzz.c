/*
 * conf_fuzz.c - any bytes as an nginx configuration.
 *
 * Promises to find: reads outside the text, words without an end, a scan that does not end, directives that change
 * when they are written again with every word in quotes.
 */
#include <string.h>

#include "base/buf.h"
#include "cli/conf_scan.h"

#include "fuzz.h"

#define TEXT_BYTES_MAX 4096

static uint8_t room[4 * TEXT_BYTES_MAX + 64];

static void put_quoted(struct tg_buf *out, const char *word)
{
    tg_buf_put_u8(out, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\') {
            tg_buf_put_u8(out, '\\');
        }
        tg_buf_put_u8(out, (uint8_t)*word);
    }
    tg_buf_put_u8(out, '"');
}

static void check_again(const struct tg_conf_scan *scan)
{
    static struct tg_conf_scan again;
    struct tg_buf out = tg_buf(room, sizeof(room));
    for (size_t i = 0; i < scan->count; i++) {
        put_quoted(&out, scan->words[i]);
        tg_buf_put_u8(&out, ' ');
    }
    tg_buf_put_string(&out, ";");
    again.rest = tg_buf_span(&out);
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK && tg_conf_scan_next(&again) && again.count == scan->count &&
                   again.rest.len == 0 && tg_conf_scan_is(&again, scan->words[0]));
    for (size_t i = 0; i < scan->count; i++) {
        tg_fuzz_expect(strcmp(scan->words[i], again.words[i]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_conf_scan scan;
    scan.rest = tg_span(data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
    size_t before = scan.rest.len;
    while (tg_conf_scan_next(&scan)) {
        tg_fuzz_expect(scan.rest.len < before && scan.count > 0 && scan.count <= TG_CONF_WORDS_MAX);
        for (size_t i = 0; i < scan.count; i++) {
            tg_fuzz_expect(memchr(scan.words[i], '\0', TG_CONF_WORD_BYTES_MAX) != NULL);
        }
        check_again(&scan);
        before = scan.rest.len;
    }
    tg_fuzz_expect(scan.rest.len == 0 && scan.count == 0);
    return 0;
}
