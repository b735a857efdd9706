/*
 * crc32.c - CRC-32, a nibble at a time.
 *
 * Promises: as crc32.h; a table of 16 entries is fast enough for keys of 60 bytes and slots of 80.
 * Does not: serve bulk data.
 */
#include "base/crc32.h"

#include "base/banned.h"

/* Remainders of the four low bits by the reflected polynomial 0xedb88320. */
static const uint32_t table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t tg_crc32(struct tg_span bytes)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.ptr[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}
