/*
 * index.c - the sharded table of settled claims; see index.h for shape and growth.
 *
 * Promises: linear probing, deletion by shifting back (no tombstones), load
 * at most 0.8. Does not: shrink but in a sweep.
 */
#include "store/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define SHARD_SLOTS_MIN 32u
/* Load 4/5: a miss looks at 13 slots, 208 bytes, on average at the fullest; the mean over a shard's life is half. */
#define LOAD_NUMERATOR 4u
#define LOAD_DENOMINATOR 5u

static uint32_t shard_of(uint64_t tag)
{
    return (uint32_t)(tag >> (64 - TG_INDEX_SHARD_BITS));
}

/* Maps the tag's low half onto the shard without a division, so that any size will do. */
static uint32_t home_of(uint64_t tag, uint32_t cap)
{
    return (uint32_t)(((tag & 0xffffffffu) * (uint64_t)cap) >> 32);
}

static uint32_t step(uint32_t position, uint32_t cap)
{
    return position + 1 == cap ? 0 : position + 1;
}

static void place(struct tg_index_slot *slots, uint32_t cap, struct tg_index_slot slot)
{
    uint32_t position = home_of(slot.tag, cap);
    while (slots[position].sequence != 0)
        position = step(position, cap);
    slots[position] = slot;
}

static enum tg_err resize(struct tg_index_shard *shard, uint32_t cap)
{
    struct tg_index_slot *slots = malloc(cap * sizeof(*slots));
    if (slots == NULL)
        return TG_ERR_DOWN;
    memset(slots, 0, cap * sizeof(*slots)); /* touched now, in one go */
    for (uint32_t i = 0; i < shard->cap; i++)
        if (shard->slots[i].sequence != 0)
            place(slots, cap, shard->slots[i]);
    free(shard->slots);
    shard->slots = slots;
    shard->cap = cap;
    return TG_OK;
}

enum tg_err tg_index_init(struct tg_index *index, uint64_t expected)
{
    memset(index, 0, sizeof(*index));
    uint64_t each = expected / TG_INDEX_SHARDS;
    each += each / 2 + SHARD_SLOTS_MIN;
    if (each > UINT32_MAX / 2)
        return TG_ERR_LIMIT;
    index->shards = calloc(TG_INDEX_SHARDS, sizeof(*index->shards));
    if (index->shards == NULL)
        return TG_ERR_DOWN;
    for (uint32_t i = 0; i < TG_INDEX_SHARDS; i++) {
        enum tg_err err = resize(&index->shards[i], (uint32_t)each);
        if (err != TG_OK) {
            tg_index_free(index);
            return err;
        }
    }
    return TG_OK;
}

void tg_index_free(struct tg_index *index)
{
    if (index->shards != NULL)
        for (uint32_t i = 0; i < TG_INDEX_SHARDS; i++)
            free(index->shards[i].slots);
    free(index->shards);
    memset(index, 0, sizeof(*index));
}

uint64_t tg_index_tag(const uint8_t *claim_key)
{
    return tg_be64_read(claim_key);
}

void tg_index_near(const struct tg_index *index, uint64_t tag)
{
    __builtin_prefetch(&index->shards[shard_of(tag)]);
}

void tg_index_nearer(const struct tg_index *index, uint64_t tag)
{
    const struct tg_index_shard *shard = &index->shards[shard_of(tag)];
    __builtin_prefetch(&shard->slots[home_of(tag, shard->cap)]);
}

enum tg_err tg_index_put(struct tg_index *index, uint64_t tag, uint64_t sequence)
{
    struct tg_index_shard *shard = &index->shards[shard_of(tag)];
    if (sequence == 0)
        return TG_ERR_BUG; /* 0 marks the empty slot */
    if ((uint64_t)(shard->count + 1) * LOAD_DENOMINATOR > (uint64_t)shard->cap * LOAD_NUMERATOR) {
        if (shard->cap > UINT32_MAX / 2)
            return TG_ERR_LIMIT;
        enum tg_err err = resize(shard, shard->cap + shard->cap / 4);
        if (err != TG_OK)
            return err;
    }
    place(shard->slots, shard->cap, (struct tg_index_slot){tag, sequence});
    shard->count++;
    index->count++;
    return TG_OK;
}

struct tg_index_find tg_index_find(const struct tg_index *index, uint64_t tag)
{
    const struct tg_index_shard *shard = &index->shards[shard_of(tag)];
    return (struct tg_index_find){tag, home_of(tag, shard->cap), shard->cap};
}

uint64_t tg_index_next(const struct tg_index *index, struct tg_index_find *find)
{
    const struct tg_index_shard *shard = &index->shards[shard_of(find->tag)];
    while (find->left > 0) {
        const struct tg_index_slot *slot = &shard->slots[find->position];
        if (slot->sequence == 0)
            break;
        find->left--;
        find->position = step(find->position, shard->cap);
        if (slot->tag == find->tag)
            return slot->sequence;
    }
    find->left = 0;
    return 0;
}

/* Empties a position and moves back what only stood further on because this place was taken. */
static void empty(struct tg_index_shard *shard, uint32_t position)
{
    uint32_t hole = position;
    for (uint32_t at = step(position, shard->cap);; at = step(at, shard->cap)) {
        struct tg_index_slot *slot = &shard->slots[at];
        if (slot->sequence == 0)
            break;
        uint32_t home = home_of(slot->tag, shard->cap);
        bool stays = hole < at ? (home > hole && home <= at) : (home > hole || home <= at);
        if (stays)
            continue;
        shard->slots[hole] = *slot;
        hole = at;
    }
    shard->slots[hole] = (struct tg_index_slot){0, 0};
    shard->count--;
}

bool tg_index_remove(struct tg_index *index, uint64_t tag, uint64_t sequence)
{
    struct tg_index_shard *shard = &index->shards[shard_of(tag)];
    uint32_t position = home_of(tag, shard->cap);
    for (uint32_t i = 0; i < shard->cap && shard->slots[position].sequence != 0; i++) {
        if (shard->slots[position].tag == tag && shard->slots[position].sequence == sequence) {
            empty(shard, position);
            index->count--;
            return true;
        }
        position = step(position, shard->cap);
    }
    return false;
}

uint64_t tg_index_sweep(struct tg_index *index, uint32_t shard_number, uint64_t first, uint64_t last)
{
    struct tg_index_shard *shard = &index->shards[shard_number];
    uint64_t removed = 0;
    for (uint32_t i = 0; i < shard->cap; i++)
        /* What moves back into this place is looked at too; what wraps round to it was looked at when it stood first. */
        while (shard->slots[i].sequence >= first && shard->slots[i].sequence <= last) {
            empty(shard, i);
            removed++;
        }
    index->count -= removed;
    if (removed > 0 && shard->cap / 4 > SHARD_SLOTS_MIN && shard->count < shard->cap / 4)
        (void)resize(shard, shard->cap / 2); /* without memory it stays as it is */
    return removed;
}

size_t tg_index_bytes(const struct tg_index *index)
{
    size_t bytes = TG_INDEX_SHARDS * sizeof(*index->shards);
    for (uint32_t i = 0; i < TG_INDEX_SHARDS; i++)
        bytes += index->shards[i].cap * sizeof(struct tg_index_slot);
    return bytes;
}
