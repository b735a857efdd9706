/*
 * buf.h - a bounded buffer over memory that the caller owns.
 *
 * Promises: never writes past cap. A put that does not fit writes nothing and
 * sets `over`, which stays set: callers put many things and check once with
 * tg_buf_done(). Integers are written big-endian.
 * Does not: grow, allocate or free.
 */
#ifndef TG_BASE_BUF_H
#define TG_BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

struct tg_buf {
    uint8_t *ptr;
    size_t len; /* bytes written */
    size_t cap; /* bytes that ptr holds */
    bool over;  /* a put did not fit; the content is not to be used */
};

static inline struct tg_buf tg_buf(void *ptr, size_t cap)
{
    return (struct tg_buf){(uint8_t *)ptr, 0, cap, false};
}

void tg_buf_put(struct tg_buf *buf, struct tg_span bytes);
void tg_buf_put_string(struct tg_buf *buf, const char *string); /* our own strings, not input */
void tg_buf_put_u8(struct tg_buf *buf, uint8_t value);
void tg_buf_put_u16(struct tg_buf *buf, uint16_t value);
void tg_buf_put_u32(struct tg_buf *buf, uint32_t value);
void tg_buf_put_u64(struct tg_buf *buf, uint64_t value);
void tg_buf_put_decimal(struct tg_buf *buf, int64_t value);    /* "-12", no padding */
void tg_buf_put_hex(struct tg_buf *buf, struct tg_span bytes); /* lower case */

/* The bytes written so far, borrowed. */
static inline struct tg_span tg_buf_span(const struct tg_buf *buf)
{
    return (struct tg_span){buf->ptr, buf->len};
}

/* TG_OK, or TG_ERR_ROOM when any put did not fit. */
TG_MUST_CHECK enum tg_err tg_buf_done(const struct tg_buf *buf);

/*
 * A cursor over borrowed bytes. A take past the end gives zeroes or an empty
 * span and sets `bad`, which stays set; check once with tg_cursor_done().
 */
struct tg_cursor {
    struct tg_span rest;
    bool bad;
};

static inline struct tg_cursor tg_cursor(struct tg_span bytes)
{
    return (struct tg_cursor){bytes, false};
}

uint8_t tg_cursor_u8(struct tg_cursor *cursor);
uint16_t tg_cursor_u16(struct tg_cursor *cursor);
uint32_t tg_cursor_u32(struct tg_cursor *cursor);
uint64_t tg_cursor_u64(struct tg_cursor *cursor);
struct tg_span tg_cursor_span(struct tg_cursor *cursor, size_t len);
void tg_cursor_copy(struct tg_cursor *cursor, void *to, size_t len); /* zeroes `to` when bad */

/* TG_OK when nothing was missing and nothing is left; else TG_ERR_INPUT. */
TG_MUST_CHECK enum tg_err tg_cursor_done(const struct tg_cursor *cursor);

#endif
