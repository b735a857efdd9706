/*
 * base32.c - the alphabet of RFC 4648 6 in lower case.
 *
 * Promises: as base32.h.
 * Does not: guess at letters that look alike.
 */
#include "base/base32.h"

#include "base/bits.h"

#include "base/banned.h"

static int digit(uint8_t byte)
{
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a';
    }
    return byte >= '2' && byte <= '7' ? byte - '2' + 26 : -1;
}

void tg_base32_write(struct tg_buf *out, struct tg_span bytes)
{
    tg_bits_write(out, bytes, "abcdefghijklmnopqrstuvwxyz234567", 5);
}

enum tg_err tg_base32_read(struct tg_span text, struct tg_buf *out)
{
    return tg_bits_read(text, out, digit, 5);
}
