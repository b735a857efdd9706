/*
 * crc32.h - the CRC-32 of ISO 3309 and RFC 1952 8, against slips and torn writes.
 *
 * Promises: the same value as zlib's crc32.
 * Does not: protect against anybody.
 */
#ifndef TG_BASE_CRC32_H
#define TG_BASE_CRC32_H

#include "base/span.h"

uint32_t tg_crc32(struct tg_span bytes);

#endif
