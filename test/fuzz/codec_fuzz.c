/*
 * codec_fuzz.c - any bytes as base 64, base 32, base 16, UTF-8, and as what these encode.
 *
 * Promises to find: a text with two readings, bytes that do not come back, a character that the table of RFC 3629 4
 * does not have, a reader that differs from a naive one over single bits.
 */
#include <string.h>

#include "base/base32.h"
#include "base/base64url.h"
#include "base/hex.h"
#include "base/utf8.h"

#include "naive.h"

#define BYTES_MAX 512

static const char letters64[] = NAIVE_UPPER NAIVE_LOWER NAIVE_DIGITS "-_";
static const char letters32[] = NAIVE_LOWER "234567";

/* Each character's bits in a row; what is over after whole bytes must be less than a character, and zero. */
static bool naive_bits(struct tg_span text, const char *letters, unsigned width, uint8_t *out, size_t *len)
{
    static uint8_t bits[BYTES_MAX * 8];
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.ptr[i] == 0 ? NULL : strchr(letters, text.ptr[i]);
        if (found == NULL) {
            return false;
        }
        for (unsigned bit = width; bit > 0; bit--) {
            bits[count++] = (uint8_t)((found - letters) >> (bit - 1) & 1);
        }
    }
    *len = count / 8;
    for (size_t i = 0; i < *len; i++) {
        out[i] = 0;
        for (size_t bit = 0; bit < 8; bit++) {
            out[i] = (uint8_t)(out[i] * 2 + bits[8 * i + bit]);
        }
    }
    for (size_t i = 8 * *len; i < count; i++) {
        if (bits[i] != 0) {
            return false;
        }
    }
    return count % 8 < width;
}

static void check_base(struct tg_span bytes, const char *letters, unsigned width)
{
    bool wide = width == 6;
    uint8_t expected[BYTES_MAX];
    uint8_t text[2 * BYTES_MAX];
    uint8_t again[BYTES_MAX];
    size_t len = 0;
    struct tg_buf out = tg_buf(again, sizeof(again));
    enum tg_err err = wide ? tg_base64url_read(bytes, &out) : tg_base32_read(bytes, &out);
    bool fine = naive_bits(bytes, letters, width, expected, &len);
    tg_fuzz_expect((err == TG_OK) == fine && (!fine || tg_span_equal(tg_buf_span(&out), tg_span(expected, len))));
    if (fine) { /* one text for one value */
        struct tg_buf back = tg_buf(text, sizeof(text));
        if (wide) {
            tg_base64url_write(&back, tg_buf_span(&out));
        } else {
            tg_base32_write(&back, tg_buf_span(&out));
        }
        tg_fuzz_expect(tg_span_equal(tg_buf_span(&back), bytes));
    }
    struct tg_buf written = tg_buf(text, sizeof(text));
    out = tg_buf(again, sizeof(again));
    if (wide) {
        tg_base64url_write(&written, bytes);
        err = tg_base64url_read(tg_buf_span(&written), &out);
    } else {
        tg_base32_write(&written, bytes);
        err = tg_base32_read(tg_buf_span(&written), &out);
    }
    tg_fuzz_expect(err == TG_OK && tg_span_equal(tg_buf_span(&out), bytes));
}

static void check_hex(struct tg_span bytes)
{
    uint8_t text[2 * BYTES_MAX];
    uint8_t again[BYTES_MAX];
    struct tg_buf out = tg_buf(text, sizeof(text));
    bool fine = bytes.len % 2 == 0;
    for (size_t i = 0; i < bytes.len; i++) {
        fine = fine && naive_hex(bytes.ptr[i]) < 16;
        tg_fuzz_expect(tg_hex_digit(bytes.ptr[i]) ==
                       (naive_hex(bytes.ptr[i]) < 16 ? (int)naive_hex(bytes.ptr[i]) : -1));
    }
    tg_fuzz_expect((tg_hex_read(bytes, again, bytes.len / 2) == TG_OK) == fine);
    tg_buf_put_hex(&out, bytes);
    tg_fuzz_expect(tg_hex_read(tg_buf_span(&out), again, bytes.len) == TG_OK &&
                   tg_span_equal(tg_span(again, bytes.len), bytes));
}

static void check_utf8(struct tg_span bytes)
{
    uint8_t text[BYTES_MAX];
    struct tg_buf out = tg_buf(text, sizeof(text));
    size_t right = naive_utf8_check(bytes);
    tg_fuzz_expect(tg_utf8_check(bytes) == right);
    for (size_t at = 0; at < right;) {
        uint32_t character = 0;
        size_t len = tg_utf8_next(tg_span_sub(bytes, at, bytes.len), &character);
        tg_fuzz_expect(len > 0 && len == naive_utf8_len(bytes.ptr + at, bytes.len - at));
        tg_utf8_put(&out, character);
        at += len;
    }
    tg_fuzz_expect(!out.over && tg_span_equal(tg_buf_span(&out), tg_span_sub(bytes, 0, right)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span bytes = tg_span(data, size < BYTES_MAX ? size : BYTES_MAX);
    check_base(bytes, letters64, 6);
    check_base(bytes, letters32, 5);
    check_hex(bytes);
    check_utf8(bytes);
    return 0;
}
