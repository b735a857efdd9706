/*
 * card_fuzz.c - any bytes as a text that may hold a card number.
 *
 * Promises to find: a number that only we or only a naive scan finds, a check digit that Luhn's table does not give,
 * a card that is hidden by words around it.
 */
#include <string.h>

#include "core/payment/card.h"

#include "naive.h"

#define TEXT_BYTES_MAX 4096

/* From the left, with the doubled digits in a table. */
static bool naive_luhn(const uint8_t *digits, size_t len)
{
    static const unsigned doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = (unsigned)(digits[i] - '0');
        sum += (len - i) % 2 == 0 ? doubled[value] : value;
    }
    return len > 0 && sum % 10 == 0;
}

static bool digit(struct tg_span text, size_t at)
{
    return at < text.len && tg_fuzz_in(text.ptr[at], NAIVE_DIGITS);
}

static bool word(struct tg_span text, size_t at)
{
    return at < text.len && tg_fuzz_in(text.ptr[at], NAIVE_DIGITS NAIVE_LOWER NAIVE_UPPER);
}

/* Bytes of the identifier that begins here, 0 when there is none. */
static size_t naive_identifier(struct tg_span text, size_t at)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t same = 0;
    while (same < 36 && at + same < text.len &&
           (shape[same] == '-' ? text.ptr[at + same] == '-' : naive_hex(text.ptr[at + same]) < 16)) {
        same++;
    }
    if (same == 36 && !word(text, at + 36)) {
        return 36;
    }
    size_t len = 0;
    size_t hex = 0;
    size_t digits = 0;
    for (; word(text, at + len); len++) {
        hex += naive_hex(text.ptr[at + len]) < 16 ? 1 : 0;
        digits += digit(text, at + len) ? 1 : 0;
    }
    return len >= 24 && hex == len && digits < len ? len : 0;
}

/* A card whose first digit stands here: every length is tried that ends with a group. */
static bool naive_card_at(struct tg_span text, size_t at)
{
    uint8_t digits[19];
    size_t len = 0;
    if (!tg_fuzz_in(text.ptr[at], "23456")) {
        return false;
    }
    while (digit(text, at) && len < 19) {
        digits[len++] = text.ptr[at++];
        if (digit(text, at)) {
            continue;
        }
        if (len >= 13 && naive_luhn(digits, len)) {
            return true;
        }
        if (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '-')) {
            at++;
        }
    }
    return false;
}

static bool naive_card(struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        size_t identifier = word(text, i) && (i == 0 || !word(text, i - 1)) ? naive_identifier(text, i) : 0;
        if (identifier > 0) {
            i += identifier - 1;
        } else if (digit(text, i) && (i == 0 || !digit(text, i - 1)) && naive_card_at(text, i)) {
            return true;
        }
    }
    return false;
}

/* What was found alone is found between other words. */
static void check_among(struct tg_span text)
{
    static uint8_t among[TEXT_BYTES_MAX + 16];
    memcpy(among, "no: ", 4);
    memcpy(among + 4, text.ptr, text.len);
    memcpy(among + 4 + text.len, ", end", 5);
    tg_fuzz_expect(tg_card_found(tg_span(among, text.len + 9)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span text = tg_span(data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
    bool digits = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = digits && digit(text, i);
    }
    tg_fuzz_expect(tg_luhn_ok(text) == (digits && naive_luhn(text.ptr, text.len)));
    bool found = tg_card_found(text);
    tg_fuzz_expect(found == naive_card(text));
    if (found) {
        check_among(text);
    }
    return 0;
}
