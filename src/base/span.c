/*
 * span.c - looking at borrowed bytes.
 *
 * Promises: reads only inside the span; no locale; ASCII case only.
 * Does not: allocate or compare secrets.
 */
#include "base/span.h"

#include <string.h>

#include "base/banned.h"

static uint8_t lower(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

struct tg_span tg_span_string(const char *string)
{
    return tg_span(string, string == NULL ? 0 : strlen(string));
}

bool tg_span_equal(struct tg_span a, struct tg_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool tg_span_equal_nocase(struct tg_span a, struct tg_span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool tg_span_starts(struct tg_span span, struct tg_span prefix)
{
    return span.len >= prefix.len && (prefix.len == 0 || memcmp(span.ptr, prefix.ptr, prefix.len) == 0);
}

struct tg_span tg_span_sub(struct tg_span span, size_t offset, size_t len)
{
    if (offset >= span.len) {
        /* NULL + 0 is undefined in C: an empty span keeps its pointer. */
        return tg_span(span.len == 0 ? span.ptr : span.ptr + span.len, 0);
    }
    size_t left = span.len - offset;
    return tg_span(span.ptr + offset, len < left ? len : left);
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
