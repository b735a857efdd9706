/*
 * arena.c - pieces of one block.
 *
 * Promises: as arena.h. The block itself may start anywhere: each piece is aligned by its address.
 * Does not: free, grow or wipe.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/banned.h"

void *tg_arena_take(struct tg_arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t skip = (align - ((uintptr_t)arena->ptr + arena->used) % align) % align;
    size_t left = arena->cap - arena->used;
    if (arena->ptr == NULL || skip > left || size > left - skip) {
        return NULL;
    }
    uint8_t *piece = arena->ptr + arena->used + skip;
    arena->used += skip + size;
    memset(piece, 0, size);
    return piece;
}

void *tg_arena_take_array(struct tg_arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    return tg_arena_take(arena, total);
}

struct tg_span tg_arena_copy(struct tg_arena *arena, struct tg_span bytes)
{
    uint8_t *copy = tg_arena_take(arena, bytes.len);
    if (copy == NULL) {
        return tg_span(NULL, 0);
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return tg_span(copy, bytes.len);
}
