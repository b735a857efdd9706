/*
 * utf8.h - UTF-8 as RFC 3629 has it.
 *
 * Promises: overlong forms, surrogates and values over U+10FFFF are refused.
 */
#ifndef TG_BASE_UTF8_H
#define TG_BASE_UTF8_H

#include "base/buf.h"

/* Decodes the first character. Returns the bytes that it takes (1..4), or 0 when the span is empty or not UTF-8. */
size_t tg_utf8_next(struct tg_span text, uint32_t *character);

/* The offset of the first byte that is not UTF-8, or text.len. */
size_t tg_utf8_check(struct tg_span text);

/* Appends one character; a surrogate or a value over U+10FFFF sets out->over. */
void tg_utf8_put(struct tg_buf *out, uint32_t character);

#endif
