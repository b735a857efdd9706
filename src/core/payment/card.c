/*
 * card.c - digit runs, separators and Luhn.
 *
 * Promises: as card.h; work per byte is bounded by TG_CARD_DIGITS_MAX.
 * Does not: keep, copy out or log what it finds.
 */
#include "core/payment/card.h"

#include "base/word.h"

#include "base/banned.h"

#define UUID_CHARS 36           /* RFC 9562 4: 8-4-4-4-12 */
#define IDENTIFIER_CHARS_MIN 24 /* the shortest common hexadecimal identifier (96 bits); a card has 19 digits at most  \
                                 */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool tg_luhn_ok(struct tg_span digits)
{
    unsigned sum = 0;
    for (size_t i = 0; i < digits.len; i++) {
        uint8_t byte = digits.ptr[digits.len - 1 - i];
        if (!is_digit(byte)) {
            return false;
        }
        unsigned value = (unsigned)(byte - '0') << (i % 2);
        sum += value > 9 ? value - 9 : value;
    }
    return digits.len > 0 && sum % 10 == 0;
}

static size_t group_len(struct tg_span bytes, size_t at)
{
    size_t len = 0;
    while (at + len < bytes.len && is_digit(bytes.ptr[at + len])) {
        len++;
    }
    return len;
}

/* True when a candidate begins with the group at `at`, which is a group's first digit. */
static bool card_begins(struct tg_span bytes, size_t at)
{
    if (bytes.ptr[at] < '2' || bytes.ptr[at] > '6') {
        return false;
    }
    uint8_t digits[TG_CARD_DIGITS_MAX];
    size_t len = 0;
    for (;;) {
        size_t group = group_len(bytes, at);
        if (group == 0 || group > TG_CARD_DIGITS_MAX - len) {
            return false;
        }
        for (size_t i = 0; i < group; i++) {
            digits[len++] = bytes.ptr[at + i];
        }
        if (len >= TG_CARD_DIGITS_MIN && tg_luhn_ok(tg_span(digits, len))) {
            return true;
        }
        at += group;
        if (at >= bytes.len || (bytes.ptr[at] != ' ' && bytes.ptr[at] != '-')) {
            return false;
        }
        at++;
    }
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool is_word(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Length of a UUID (RFC 9562 4) that begins at `at` and stands alone; 0 when there is none. */
static size_t uuid_len(struct tg_span bytes, size_t at)
{
    if (bytes.len - at < UUID_CHARS || (bytes.len - at > UUID_CHARS && is_word(bytes.ptr[at + UUID_CHARS]))) {
        return 0;
    }
    for (size_t i = 0; i < UUID_CHARS; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? bytes.ptr[at + i] != '-' : !is_hex(bytes.ptr[at + i])) {
            return 0;
        }
    }
    return UUID_CHARS;
}

/*
 * Bytes to pass over at the first byte of a word: a UUID, or one long
 * hexadecimal word with a letter in it. Both are identifiers, and one in some
 * thousands of them holds digits that look like a card by chance.
 */
static size_t identifier_len(struct tg_span bytes, size_t at)
{
    size_t len = uuid_len(bytes, at);
    bool letter = false;
    if (len != 0) {
        return len;
    }
    for (; at + len < bytes.len && is_word(bytes.ptr[at + len]); len++) {
        if (!is_hex(bytes.ptr[at + len])) {
            return 0;
        }
        letter = letter || !is_digit(bytes.ptr[at + len]);
    }
    return letter && len >= IDENTIFIER_CHARS_MIN ? len : 0;
}

/* True when bytes hold as many digits as the shortest card, wherever they stand. */
static bool digits_enough(struct tg_span bytes)
{
    size_t count = 0;
    size_t at = 0;
    if (bytes.len < TG_CARD_DIGITS_MIN) {
        return false;
    }
    for (; bytes.len - at >= TG_WORD_BYTES; at += TG_WORD_BYTES) {
        count += tg_word_count(tg_word_range(tg_word(bytes.ptr + at), '0', '9'));
    }
    for (; at < bytes.len; at++) {
        count += is_digit(bytes.ptr[at]);
    }
    return count >= TG_CARD_DIGITS_MIN;
}

bool tg_card_found(struct tg_span bytes)
{
    /* Most texts end here: names, words, short references. */
    if (!digits_enough(bytes)) {
        return false;
    }
    size_t at = 0;
    while (at < bytes.len) {
        if (is_word(bytes.ptr[at]) && (at == 0 || !is_word(bytes.ptr[at - 1]))) {
            size_t skip = identifier_len(bytes, at);
            if (skip != 0) {
                at += skip;
                continue;
            }
        }
        size_t group = group_len(bytes, at);
        if (group == 0) {
            at++;
            continue;
        }
        if (card_begins(bytes, at)) {
            return true;
        }
        at += group;
    }
    return false;
}

bool tg_card_found_in(const struct tg_value *root)
{
    for (const struct tg_value *value = root; value != NULL; value = tg_value_walk(root, value)) {
        if (tg_card_found(value->text) || tg_card_found(value->key)) {
            return true;
        }
    }
    return false;
}
