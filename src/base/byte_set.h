/*
 * byte_set.h - a set of bytes, a bit for each.
 *
 * Promises: a look costs the same whatever the set. Does not: change; sets are constants.
 */
#ifndef TG_BASE_BYTE_SET_H
#define TG_BASE_BYTE_SET_H

#include <stdbool.h>
#include <stdint.h>

struct tg_byte_set {
    uint64_t bits[4]; /* byte 0 is the lowest bit of the first */
};

static inline bool tg_byte_set_has(const struct tg_byte_set *set, uint8_t byte)
{
    return (set->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

#endif
