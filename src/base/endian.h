/*
 * endian.h - big-endian integers in memory.
 *
 * Promises: no alignment is asked for, no aliasing broken; compilers make one
 * load or store of each.
 * Does not: check bounds (base/buf.h does).
 */
#ifndef TG_BASE_ENDIAN_H
#define TG_BASE_ENDIAN_H

#include <stdint.h>

static inline uint16_t tg_be16_read(const uint8_t *from)
{
    return (uint16_t)((from[0] << 8) | from[1]);
}

static inline uint32_t tg_be32_read(const uint8_t *from)
{
    return ((uint32_t)from[0] << 24) | ((uint32_t)from[1] << 16) | ((uint32_t)from[2] << 8) | (uint32_t)from[3];
}

static inline uint64_t tg_be64_read(const uint8_t *from)
{
    return ((uint64_t)tg_be32_read(from) << 32) | tg_be32_read(from + 4);
}

static inline void tg_be16_write(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void tg_be32_write(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static inline void tg_be64_write(uint8_t *to, uint64_t value)
{
    tg_be32_write(to, (uint32_t)(value >> 32));
    tg_be32_write(to + 4, (uint32_t)value);
}

#endif
