/*
 * base32.h - base 32 in lower case without padding (RFC 4648 6): the letters of API keys.
 *
 * Promises: one text for one value; upper case, padding and stray bits are refused.
 */
#ifndef TG_BASE_BASE32_H
#define TG_BASE_BASE32_H

#include "base/buf.h"

/* Appends the text of bytes: 52 characters for 32 bytes, 7 for 4. */
void tg_base32_write(struct tg_buf *out, struct tg_span bytes);

/* Appends the bytes of text: TG_ERR_INPUT for anything the writer would not write, TG_ERR_ROOM when out is full. */
TG_MUST_CHECK enum tg_err tg_base32_read(struct tg_span text, struct tg_buf *out);

#endif
