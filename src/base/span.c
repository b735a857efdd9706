/*
 * span.c - looking at borrowed bytes.
 *
 * Promises: reads only inside the span; no locale; ASCII case only.
 * Does not: allocate or compare secrets.
 */
#include "base/span.h"

#include "base/word.h"

#include "base/banned.h"

static uint8_t lower(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

struct tg_span tg_span_string(const char *string)
{
    return tg_span(string, string == NULL ? 0 : strlen(string));
}

static bool same_word_nocase(const uint8_t *a, const uint8_t *b)
{
    uint64_t word = tg_word(a);
    uint64_t other = tg_word(b);
    return word == other || tg_word_lower(word) == tg_word_lower(other);
}

bool tg_span_same_nocase(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len < TG_WORD_BYTES) {
        for (size_t i = 0; i < len; i++) {
            if (lower(a[i]) != lower(b[i])) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i < len - TG_WORD_BYTES; i += TG_WORD_BYTES) {
        if (!same_word_nocase(a + i, b + i)) {
            return false;
        }
    }
    /* The last word may overlap the one before. */
    return same_word_nocase(a + len - TG_WORD_BYTES, b + len - TG_WORD_BYTES);
}

bool tg_span_starts(struct tg_span span, struct tg_span prefix)
{
    return span.len >= prefix.len && (prefix.len == 0 || memcmp(span.ptr, prefix.ptr, prefix.len) == 0);
}

size_t tg_span_find(struct tg_span span, uint8_t byte)
{
    if (span.len == 0) {
        return 0;
    }
    const uint8_t *at = memchr(span.ptr, byte, span.len);
    return at == NULL ? span.len : (size_t)(at - span.ptr);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct tg_span tg_span_trim(struct tg_span span)
{
    while (span.len > 0 && is_blank(span.ptr[0])) {
        span.ptr++;
        span.len--;
    }
    while (span.len > 0 && is_blank(span.ptr[span.len - 1])) {
        span.len--;
    }
    return span;
}

int tg_span_compare(struct tg_span a, struct tg_span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0) {
        return order;
    }
    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}
