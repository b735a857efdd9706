/*
 * arena.h - memory that lives exactly as long as one request or one process.
 *
 * Promises: hands out aligned, zeroed pieces of one block that the caller
 * owns; never frees a piece; is emptied as a whole.
 * Does not: grow, call malloc, or wipe (a secret has its own type, crypto/secret.h).
 */
#ifndef TG_BASE_ARENA_H
#define TG_BASE_ARENA_H

#include "base/span.h"

struct tg_arena {
    uint8_t *ptr;
    size_t used;
    size_t cap;
};

static inline struct tg_arena tg_arena(void *ptr, size_t cap)
{
    return (struct tg_arena){(uint8_t *)ptr, 0, cap};
}

/* size zeroed bytes aligned for any type, or NULL when the arena is full. */
void *tg_arena_take(struct tg_arena *arena, size_t size);

/* count * size zeroed bytes, overflow checked; NULL when full. */
void *tg_arena_take_array(struct tg_arena *arena, size_t count, size_t size);

/* A copy of the bytes in the arena; ptr is NULL when full and len was not 0. */
struct tg_span tg_arena_copy(struct tg_arena *arena, struct tg_span bytes);

/* Forget everything handed out. */
static inline void tg_arena_reset(struct tg_arena *arena)
{
    arena->used = 0;
}

#endif
