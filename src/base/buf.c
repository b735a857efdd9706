/*
 * buf.c - bounded writing and reading.
 *
 * Promises: as buf.h; a put is all or nothing, and after one that did not fit nothing more is written,
 * so that a short later put cannot hide the gap.
 * Does not: grow or allocate.
 */
#include "base/buf.h"

#include <string.h>

#include "base/endian.h"

#include "base/banned.h"

/* Room for len bytes, or NULL and `over`. */
static uint8_t *grab(struct tg_buf *buf, size_t len)
{
    if (buf->over || len > buf->cap - buf->len) {
        buf->over = true;
        return NULL;
    }
    uint8_t *at = buf->ptr == NULL ? NULL : buf->ptr + buf->len;
    buf->len += len;
    return at;
}

void tg_buf_put(struct tg_buf *buf, struct tg_span bytes)
{
    uint8_t *at = grab(buf, bytes.len);
    if (at != NULL && bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
}

void tg_buf_put_string(struct tg_buf *buf, const char *string)
{
    tg_buf_put(buf, tg_span_string(string));
}

void tg_buf_put_u8(struct tg_buf *buf, uint8_t value)
{
    uint8_t *at = grab(buf, 1);
    if (at != NULL) {
        *at = value;
    }
}

void tg_buf_put_u16(struct tg_buf *buf, uint16_t value)
{
    uint8_t *at = grab(buf, 2);
    if (at != NULL) {
        tg_be16_write(at, value);
    }
}

void tg_buf_put_u32(struct tg_buf *buf, uint32_t value)
{
    uint8_t *at = grab(buf, 4);
    if (at != NULL) {
        tg_be32_write(at, value);
    }
}

void tg_buf_put_u64(struct tg_buf *buf, uint64_t value)
{
    uint8_t *at = grab(buf, 8);
    if (at != NULL) {
        tg_be64_write(at, value);
    }
}

void tg_buf_put_decimal(struct tg_buf *buf, int64_t value)
{
    uint8_t digits[20]; /* "-9223372036854775808" */
    size_t start = sizeof(digits);
    /* Negation in unsigned arithmetic: INT64_MIN has no positive twin. */
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--start] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--start] = '-';
    }
    tg_buf_put(buf, tg_span(digits + start, sizeof(digits) - start));
}

void tg_buf_put_hex(struct tg_buf *buf, struct tg_span bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (bytes.len > SIZE_MAX / 2) {
        buf->over = true;
        return;
    }
    uint8_t *at = grab(buf, bytes.len * 2);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        at[2 * i] = (uint8_t)digits[bytes.ptr[i] >> 4];
        at[2 * i + 1] = (uint8_t)digits[bytes.ptr[i] & 15];
    }
}

enum tg_err tg_buf_done(const struct tg_buf *buf)
{
    return buf->over ? TG_ERR_ROOM : TG_OK;
}

/* len bytes, or NULL and `bad`. A bad cursor stays where it is. */
static const uint8_t *pull(struct tg_cursor *cursor, size_t len)
{
    if (cursor->bad || len > cursor->rest.len) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *at = cursor->rest.ptr;
    if (len > 0) {
        cursor->rest.ptr += len;
        cursor->rest.len -= len;
    }
    return at;
}

uint8_t tg_cursor_u8(struct tg_cursor *cursor)
{
    const uint8_t *at = pull(cursor, 1);
    return at == NULL ? 0 : *at;
}

uint16_t tg_cursor_u16(struct tg_cursor *cursor)
{
    const uint8_t *at = pull(cursor, 2);
    return at == NULL ? 0 : tg_be16_read(at);
}

uint32_t tg_cursor_u32(struct tg_cursor *cursor)
{
    const uint8_t *at = pull(cursor, 4);
    return at == NULL ? 0 : tg_be32_read(at);
}

uint64_t tg_cursor_u64(struct tg_cursor *cursor)
{
    const uint8_t *at = pull(cursor, 8);
    return at == NULL ? 0 : tg_be64_read(at);
}

struct tg_span tg_cursor_span(struct tg_cursor *cursor, size_t len)
{
    const uint8_t *at = pull(cursor, len);
    return tg_span(at, at == NULL ? 0 : len);
}

void tg_cursor_copy(struct tg_cursor *cursor, void *to, size_t len)
{
    const uint8_t *at = pull(cursor, len);
    if (len == 0) {
        return;
    }
    if (at == NULL) {
        memset(to, 0, len);
    } else {
        memcpy(to, at, len);
    }
}

enum tg_err tg_cursor_done(const struct tg_cursor *cursor)
{
    return cursor->bad || cursor->rest.len != 0 ? TG_ERR_INPUT : TG_OK;
}
