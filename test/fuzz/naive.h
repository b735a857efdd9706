/*
 * naive.h - second implementations that are slow and plain, for the targets to compare with.
 *
 * Promises: written from the RFCs' tables, not from our sources, and sharing no code with them.
 * Does not: care for speed.
 */
#ifndef TEST_FUZZ_NAIVE_H
#define TEST_FUZZ_NAIVE_H

#include "fuzz.h"

#define NAIVE_DIGITS "0123456789"
#define NAIVE_LOWER "abcdefghijklmnopqrstuvwxyz"
#define NAIVE_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static inline bool naive_between(const uint8_t *bytes, size_t left, size_t at, uint8_t first, uint8_t last)
{
    return at < left && bytes[at] >= first && bytes[at] <= last;
}

/* The length of the character at the front by the ABNF of RFC 3629 4, or 0. */
static inline size_t naive_utf8_len(const uint8_t *b, size_t left)
{
    static const struct {
        uint8_t len;
        uint8_t range[8];
    } forms[] = {
        {1, {0x00, 0x7f}},
        {2, {0xc2, 0xdf, 0x80, 0xbf}},
        {3, {0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf}},
        {3, {0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf}},
        {3, {0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf}},
        {3, {0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf}},
        {4, {0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf}},
        {4, {0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf}},
        {4, {0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf}},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        bool fits = true;
        for (size_t j = 0; j < forms[i].len; j++) {
            fits = fits && naive_between(b, left, j, forms[i].range[2 * j], forms[i].range[2 * j + 1]);
        }
        if (fits) {
            return forms[i].len;
        }
    }
    return 0;
}

/* The offset of the first byte that is not UTF-8, or len. */
static inline size_t naive_utf8_check(struct tg_span text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t len = naive_utf8_len(text.ptr + at, text.len - at);
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

/* A digit's value in base 16, or 16. */
static inline unsigned naive_hex(uint8_t byte)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (unsigned i = 0; i < 32; i++) {
        if ((uint8_t)digits[i] == byte) {
            return i % 16;
        }
    }
    return 16;
}

/* "%XX" at the front of text: its byte, or -1. */
static inline int naive_escape(struct tg_span text)
{
    if (text.len < 3 || text.ptr[0] != '%' || naive_hex(text.ptr[1]) > 15 || naive_hex(text.ptr[2]) > 15) {
        return -1;
    }
    return (int)(naive_hex(text.ptr[1]) * 16 + naive_hex(text.ptr[2]));
}

/* Decimal digits to a number; stays at the largest value once it is over. False for none or for another byte. */
static inline bool naive_number(struct tg_span text, __int128 *ret)
{
    const __int128 large = (__int128)1 << 100;
    *ret = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!tg_fuzz_in(text.ptr[i], NAIVE_DIGITS)) {
            return false;
        }
        *ret = *ret > large ? *ret : *ret * 10 + (text.ptr[i] - '0');
    }
    return text.len > 0;
}

/* tchar of RFC 9110 5.6.2, all of them in one table. */
static inline bool naive_token(struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!tg_fuzz_in(text.ptr[i], "!#$%&'*+-.^_`|~" NAIVE_DIGITS NAIVE_LOWER NAIVE_UPPER)) {
            return false;
        }
    }
    return text.len > 0;
}

#endif
