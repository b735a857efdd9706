/*
 * hex.h - reading base 16 (RFC 4648 8). Writing is tg_buf_put_hex.
 *
 * Promises: exactly the asked number of bytes, both letter cases, nothing else.
 */
#ifndef TG_BASE_HEX_H
#define TG_BASE_HEX_H

#include "base/err.h"
#include "base/span.h"

/* 2 * len digits into len bytes at ret; TG_ERR_INPUT for another length or another byte (ret is then zeroed). */
TG_MUST_CHECK enum tg_err tg_hex_read(struct tg_span text, void *ret, size_t len);

/* The value of one digit, or -1. */
int tg_hex_digit(uint8_t byte);

#endif
