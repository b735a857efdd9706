/*
 * span.h - borrowed bytes: where they start and how many there are.
 *
 * Promises: no ownership, no terminator, no locale. ptr may be NULL only when
 * len is 0; every function here accepts that.
 * Does not: allocate, copy, or compare secrets (crypto/compare.h does that).
 */
#ifndef TG_BASE_SPAN_H
#define TG_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tg_span {
    const uint8_t *ptr;
    size_t len;
};

/* A span over a string literal, its terminator left out. */
#define TG_SPAN(literal) ((struct tg_span){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct tg_span tg_span(const void *ptr, size_t len)
{
    return (struct tg_span){(const uint8_t *)ptr, len};
}

/* A span over a NUL-terminated string of our own (never over input). */
struct tg_span tg_span_string(const char *string);

/* Byte equality; not constant-time. */
static inline bool tg_span_equal(struct tg_span a, struct tg_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* For tg_span_equal_nocase: len bytes each. */
bool tg_span_same_nocase(const uint8_t *a, const uint8_t *b, size_t len);

/* Equality where ASCII letters match without case; other bytes exactly. */
static inline bool tg_span_equal_nocase(struct tg_span a, struct tg_span b)
{
    /* Most names that are compared differ in length: told apart without a call. */
    return a.len == b.len && tg_span_same_nocase(a.ptr, b.ptr, a.len);
}

/* True when span begins with prefix. */
bool tg_span_starts(struct tg_span span, struct tg_span prefix);

/* The part from offset of at most len bytes; clamped to the span. */
static inline struct tg_span tg_span_sub(struct tg_span span, size_t offset, size_t len)
{
    if (offset >= span.len) {
        /* NULL + 0 is undefined in C: an empty span keeps its pointer. */
        return tg_span(span.len == 0 ? span.ptr : span.ptr + span.len, 0);
    }
    size_t left = span.len - offset;
    return tg_span(span.ptr + offset, len < left ? len : left);
}

/* The position of byte, or span.len when it is not there. */
size_t tg_span_find(struct tg_span span, uint8_t byte);

/* Without leading and trailing SP and HTAB (RFC 9110 5.6.3 OWS). */
struct tg_span tg_span_trim(struct tg_span span);

/* Order as memcmp, the shorter first where one is the other's prefix. */
int tg_span_compare(struct tg_span a, struct tg_span b);

#endif
