/*
 * base64url.c - the alphabet of RFC 4648 5.
 *
 * Promises: as base64url.h.
 * Does not: accept the other alphabet or white space.
 */
#include "base/base64url.h"

#include "base/bits.h"

#include "base/banned.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a' + 26;
    }
    if (byte >= '0' && byte <= '9') {
        return byte - '0' + 52;
    }
    return byte == '-' ? 62 : (byte == '_' ? 63 : -1);
}

void tg_base64url_write(struct tg_buf *out, struct tg_span bytes)
{
    tg_bits_write(out, bytes, alphabet, 6);
}

enum tg_err tg_base64url_read(struct tg_span text, struct tg_buf *out)
{
    return tg_bits_read(text, out, digit, 6);
}
