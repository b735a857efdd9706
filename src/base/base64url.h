/*
 * base64url.h - base 64 with the URL alphabet and no padding (RFC 4648 5, RFC 7515 2).
 *
 * Promises: one text for one value: padding, other letters, and left-over bits that are not zero are refused.
 */
#ifndef TG_BASE_BASE64URL_H
#define TG_BASE_BASE64URL_H

#include "base/buf.h"

/* Appends the text of bytes. */
void tg_base64url_write(struct tg_buf *out, struct tg_span bytes);

/* Appends the bytes of text: TG_ERR_INPUT for anything the writer would not write, TG_ERR_ROOM when out is full. */
TG_MUST_CHECK enum tg_err tg_base64url_read(struct tg_span text, struct tg_buf *out);

#endif
