/*
 * money.c - the currencies of ISO 4217 and amounts in their minor units.
 *
 * Promises: as money.h; integers only.
 * Does not: convert between currencies, or know the dialects that count some
 * currencies in other units than ISO 4217 does: there an amount in minor units stays the dialect's integer.
 */
#include "core/payment/money.h"

#include "base/banned.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE_CHARS 3
#define EXPONENT_COMMON 2
#define EXPONENT_MAX 4 /* the largest in ISO 4217 */

/* ISO 4217 table A.1, without funds codes, metals, testing codes and supranational units of account;
 * withdrawn ones (HRK, SLL, ZWL, ANG, BGN, ...) are not there. */
static const char codes[] =
    "AEDAFNALLAMDAOAARSAUDAWGAZNBAMBBDBDTBHDBIFBMDBNDBOBBRLBSDBTNBWPBYNBZDCADCDFCHFCLPCNYCOPCRCCUPCVECZKDJFDKKDOPDZD"
    "EGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPWKRWKWDKYDKZT"
    "LAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQARRONRSD"
    "RUBRWFSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUYUUZSVEDVESVNDVUVWST"
    "XAFXCDXCGXOFXPFYERZARZMWZWG";

static const struct {
    char code[CODE_CHARS + 1];
    uint8_t exponent;
} uncommon[] = {
    {"BIF", 0}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"ISK", 0}, {"JPY", 0}, {"KMF", 0}, {"KRW", 0},
    {"PYG", 0}, {"RWF", 0}, {"UGX", 0}, {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0},
    {"BHD", 3}, {"IQD", 3}, {"JOD", 3}, {"KWD", 3}, {"LYD", 3}, {"OMR", 3}, {"TND", 3},
};

static bool same_code(const char *a, const char *b)
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

enum tg_err tg_currency_find(struct tg_span code, char ret_code[4], uint8_t *ret_exponent)
{
    ret_code[0] = '\0';
    *ret_exponent = 0;
    if (code.len != CODE_CHARS) {
        return TG_ERR_ABSENT;
    }
    char upper[CODE_CHARS + 1] = {0};
    for (size_t i = 0; i < CODE_CHARS; i++) {
        uint8_t byte = code.ptr[i];
        upper[i] = (char)(byte >= 'a' && byte <= 'z' ? byte - ('a' - 'A') : byte);
    }
    size_t at = 0;
    while (at < sizeof codes - 1 && !same_code(&codes[at], upper)) {
        at += CODE_CHARS;
    }
    if (at == sizeof codes - 1) {
        return TG_ERR_ABSENT;
    }
    *ret_exponent = EXPONENT_COMMON;
    for (size_t i = 0; i < COUNT(uncommon); i++) {
        if (same_code(uncommon[i].code, upper)) {
            *ret_exponent = uncommon[i].exponent;
        }
    }
    for (size_t i = 0; i <= CODE_CHARS; i++) {
        ret_code[i] = upper[i];
    }
    return TG_OK;
}

/* Digits into *value on top of what it holds; false for another byte or over the largest amount. */
static bool digits_add(struct tg_span digits, int64_t *value)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9' || *value > TG_AMOUNT_MINOR_MAX / 10) {
            return false;
        }
        *value = *value * 10 + (digits.ptr[i] - '0');
    }
    return *value <= TG_AMOUNT_MINOR_MAX;
}

static bool leading_zero(struct tg_span digits)
{
    return digits.len > 1 && digits.ptr[0] == '0';
}

enum tg_err tg_amount_minor_parse(struct tg_span text, int64_t *ret)
{
    int64_t value = 0;
    *ret = 0;
    if (text.len == 0 || leading_zero(text) || !digits_add(text, &value)) {
        return TG_ERR_INPUT;
    }
    *ret = value;
    return TG_OK;
}

enum tg_err tg_amount_decimal_parse(struct tg_span text, uint8_t exponent, int64_t *ret)
{
    *ret = 0;
    size_t point = tg_span_find(text, '.');
    struct tg_span whole = tg_span_sub(text, 0, point);
    struct tg_span fraction = tg_span_sub(text, point + 1, text.len);
    bool fraction_missing = point < text.len && fraction.len == 0;
    if (whole.len == 0 || leading_zero(whole) || fraction_missing || exponent > EXPONENT_MAX ||
        fraction.len > exponent) {
        return TG_ERR_INPUT;
    }
    int64_t value = 0;
    if (!digits_add(whole, &value) || !digits_add(fraction, &value)) {
        return TG_ERR_INPUT;
    }
    for (size_t i = fraction.len; i < exponent; i++) {
        if (!digits_add(TG_SPAN("0"), &value)) {
            return TG_ERR_INPUT;
        }
    }
    *ret = value;
    return TG_OK;
}
