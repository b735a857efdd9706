/*
 * hex.c - reading base 16.
 *
 * Promises: as hex.h.
 * Does not: run in constant time; what is read here is public.
 */
#include "base/hex.h"

#include <string.h>

#include "base/banned.h"

int tg_hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

enum tg_err tg_hex_read(struct tg_span text, void *ret, size_t len)
{
    uint8_t *out = ret;
    if (len > 0) {
        memset(out, 0, len);
    }
    if (text.len % 2 != 0 || text.len / 2 != len) {
        return TG_ERR_INPUT;
    }
    for (size_t i = 0; i < len; i++) {
        int high = tg_hex_digit(text.ptr[2 * i]);
        int low = tg_hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            memset(out, 0, len);
            return TG_ERR_INPUT;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return TG_OK;
}
