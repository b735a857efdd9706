/*
 * utf8.c - reading and writing UTF-8 (RFC 3629 4, the table of well-formed sequences).
 *
 * Promises: as utf8.h.
 * Does not: normalise or fold case.
 */
#include "base/utf8.h"

#include "base/word.h"

#include "base/banned.h"

#define SURROGATE_FIRST 0xd800u
#define SURROGATE_LAST 0xdfffu
#define CHARACTER_MAX 0x10ffffu

static bool is_character(uint32_t value)
{
    return value <= CHARACTER_MAX && (value < SURROGATE_FIRST || value > SURROGATE_LAST);
}

size_t tg_utf8_next(struct tg_span text, uint32_t *character)
{
    *character = 0;
    if (text.len == 0) {
        return 0;
    }
    uint8_t first = text.ptr[0];
    if (first < 0x80) {
        *character = first;
        return 1;
    }
    /* Length and smallest value by the first byte; 80..c1 and f5..ff never begin a character. */
    size_t len = first < 0xc2 ? 0 : (first < 0xe0 ? 2 : (first < 0xf0 ? 3 : (first < 0xf5 ? 4 : 0)));
    if (len == 0 || len > text.len) {
        return 0;
    }
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = (value << 6) | (text.ptr[i] & 0x3fu);
    }
    if (value < smallest[len] || !is_character(value)) {
        return 0;
    }
    *character = value;
    return len;
}

size_t tg_utf8_check(struct tg_span text)
{
    size_t at = 0;
    while (at < text.len) {
        if (text.len - at >= TG_WORD_BYTES && (tg_word(text.ptr + at) & TG_WORD_MARKS) == 0) {
            at += TG_WORD_BYTES;
            continue;
        }
        if (text.ptr[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t character = 0;
        size_t len = tg_utf8_next(tg_span_sub(text, at, 4), &character);
        if (len == 0) {
            return at;
        }
        at += len;
    }
    return at;
}

void tg_utf8_put(struct tg_buf *out, uint32_t character)
{
    uint8_t bytes[4];
    size_t len = 0;
    if (!is_character(character)) {
        out->over = true;
        return;
    }
    if (character < 0x80) {
        bytes[len++] = (uint8_t)character;
    } else if (character < 0x800) {
        bytes[len++] = (uint8_t)(0xc0 | (character >> 6));
        bytes[len++] = (uint8_t)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        bytes[len++] = (uint8_t)(0xe0 | (character >> 12));
        bytes[len++] = (uint8_t)(0x80 | ((character >> 6) & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | (character & 0x3f));
    } else {
        bytes[len++] = (uint8_t)(0xf0 | (character >> 18));
        bytes[len++] = (uint8_t)(0x80 | ((character >> 12) & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | ((character >> 6) & 0x3f));
        bytes[len++] = (uint8_t)(0x80 | (character & 0x3f));
    }
    tg_buf_put(out, tg_span(bytes, len));
}
