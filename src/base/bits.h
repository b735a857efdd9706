/*
 * bits.h - the common work of base 32 and base 64: regrouping bits, most significant first.
 *
 * Promises: strict: a text whose last character carries bits that belong to nothing, or whose
 * length no writer makes, is refused (RFC 4648 3.5).
 * Does not: pad. For base32.c and base64url.c only.
 */
#ifndef TG_BASE_BITS_H
#define TG_BASE_BITS_H

#include "base/buf.h"

/* Appends bytes as characters of `width` bits (5 or 6) from alphabet. */
void tg_bits_write(struct tg_buf *out, struct tg_span bytes, const char *alphabet, unsigned width);

/* The reverse; digit gives a character's value or -1. */
TG_MUST_CHECK enum tg_err tg_bits_read(struct tg_span text, struct tg_buf *out, int (*digit)(uint8_t byte),
                                       unsigned width);

#endif
