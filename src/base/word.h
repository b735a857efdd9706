/*
 * word.h - eight bytes looked at together.
 *
 * Promises: what is said of a byte is what would be said of it alone: neighbours and byte order change nothing.
 * A mark is 0x80 in the place of its byte; bytes of 0x80 and above are in no range.
 * Does not: read past what the caller says is there: eight bytes, always.
 */
#ifndef TG_BASE_WORD_H
#define TG_BASE_WORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TG_WORD_BYTES 8
#define TG_WORD_ONES UINT64_C(0x0101010101010101)
#define TG_WORD_MARKS UINT64_C(0x8080808080808080)

/* The eight bytes at `at`, which need not be aligned. */
static inline uint64_t tg_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Marks of the bytes below `limit`, which is at most 0x80. Sums of seven-bit bytes carry into no neighbour. */
static inline uint64_t tg_word_below(uint64_t word, uint8_t limit)
{
    return ~((word & ~TG_WORD_MARKS) + TG_WORD_ONES * (0x80u - limit)) & ~word & TG_WORD_MARKS;
}

/* Marks of the bytes from first to last, both below 0x80. */
static inline uint64_t tg_word_range(uint64_t word, uint8_t first, uint8_t last)
{
    return tg_word_below(word, (uint8_t)(last + 1)) & ((word & ~TG_WORD_MARKS) + TG_WORD_ONES * (0x80u - first));
}

/* Marks of the bytes that are this one, below 0x80. */
static inline uint64_t tg_word_is(uint64_t word, uint8_t byte)
{
    return tg_word_below(word ^ TG_WORD_ONES * byte, 1);
}

/* The word with the ASCII letters in it in lower case. */
static inline uint64_t tg_word_lower(uint64_t word)
{
    return word | tg_word_range(word, 'A', 'Z') >> 2;
}

/* How many bytes are marked. */
static inline size_t tg_word_count(uint64_t marks)
{
    return (size_t)((marks >> 7) * TG_WORD_ONES >> 56);
}

/* Position in memory of the first marked byte; marks must not be 0. */
static inline size_t tg_word_first(uint64_t marks)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    return (size_t)__builtin_clzll(marks) / 8;
#endif
}

#endif
