/*
 * money_fuzz.c - any bytes as an amount in minor units, as a decimal of every exponent, and as a currency.
 *
 * Promises to find: an amount that 128-bit arithmetic reads otherwise, one that does not come back when it is written,
 * a currency that has two forms.
 */
#include <stdio.h>
#include <string.h>

#include "core/payment/money.h"

#include "naive.h"

static bool naive_minor(struct tg_span text, __int128 *ret)
{
    return naive_number(text, ret) && (text.len == 1 || text.ptr[0] != '0') && *ret <= TG_AMOUNT_MINOR_MAX;
}

static bool naive_decimal(struct tg_span text, uint8_t exponent, __int128 *ret)
{
    size_t point = 0;
    while (point < text.len && text.ptr[point] != '.') {
        point++;
    }
    struct tg_span whole = tg_span_sub(text, 0, point);
    __int128 fraction = 0;
    size_t digits = point < text.len ? text.len - point - 1 : 0;
    if (exponent > 4 || !naive_minor(whole, ret)) {
        return false;
    }
    if (point < text.len && (digits > exponent || !naive_number(tg_span_sub(text, point + 1, digits), &fraction))) {
        return false;
    }
    for (size_t i = 0; i < exponent; i++) {
        *ret *= 10;
        fraction *= i < exponent - digits ? 10 : 1;
    }
    *ret += fraction;
    return *ret <= TG_AMOUNT_MINOR_MAX;
}

/* Written with all its fraction digits, an amount is read as itself. */
static void check_written(int64_t amount, uint8_t exponent)
{
    static const int64_t scale[5] = {1, 10, 100, 1000, 10000};
    char text[64];
    int64_t again = -1;
    int len = exponent == 0 ? snprintf(text, sizeof(text), "%lld", (long long)amount)
                            : snprintf(text, sizeof(text), "%lld.%0*lld", (long long)(amount / scale[exponent]),
                                       exponent, (long long)(amount % scale[exponent]));
    tg_fuzz_expect(tg_amount_decimal_parse(tg_span(text, (size_t)len), exponent, &again) == TG_OK && again == amount);
}

static void check_currency(struct tg_span text)
{
    char code[4];
    char again[4];
    uint8_t exponent = 0;
    uint8_t exponent_again = 0;
    if (tg_currency_find(text, code, &exponent) != TG_OK) {
        tg_fuzz_expect(code[0] == '\0');
        return;
    }
    tg_fuzz_expect(text.len == 3 && exponent <= 4 && strlen(code) == 3 && tg_span_equal_nocase(text, tg_span(code, 3)));
    tg_fuzz_expect(tg_currency_find(tg_span(code, 3), again, &exponent_again) == TG_OK && strcmp(code, again) == 0 &&
                   exponent == exponent_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span text = tg_span(data, size);
    __int128 expected = 0;
    int64_t amount = -1;
    bool minor = tg_amount_minor_parse(text, &amount) == TG_OK;
    tg_fuzz_expect(minor == naive_minor(text, &expected) && amount == (minor ? (int64_t)expected : 0));
    for (uint8_t exponent = 0; exponent < 6; exponent++) {
        bool decimal = tg_amount_decimal_parse(text, exponent, &amount) == TG_OK;
        tg_fuzz_expect(decimal == naive_decimal(text, exponent, &expected) &&
                       amount == (decimal ? (int64_t)expected : 0));
        if (decimal) {
            check_written(amount, exponent);
        }
    }
    check_currency(text);
    return 0;
}
