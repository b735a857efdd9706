/*
 * index.h - which claim keys are settled: a multimap in memory from a key's tag to a row's sequence number.
 *
 * Promises: 16 bytes a slot, 20 to 25 bytes a claim. A tag is the first eight
 * bytes of a claim key, which is a MAC already, so tags are spread evenly and
 * nobody outside can aim at one place. Two claims may share a tag: whoever
 * finds a sequence number reads the row and compares the whole key.
 *
 * Growth: the table is 4096 shards that grow by themselves, each by a quarter of
 * its size. At 10^7 claims one shard holds 2,400 slots: growing it moves 40 KB
 * (some 20 us), so there is no moment where the whole table moves, nothing to
 * size up front and nothing to refuse but a machine without memory. A shard's
 * new memory is written once as it is made, off nobody's critical page fault.
 * Does not: know rows, expiry or segments; one thread only.
 */
#ifndef TG_STORE_INDEX_H
#define TG_STORE_INDEX_H

#include "base/err.h"
#include "base/span.h"

/* 2^12: small enough that one shard's growth is lost beside an fsync, few enough that empty shards cost 2 MB. */
#define TG_INDEX_SHARD_BITS 12
#define TG_INDEX_SHARDS (1u << TG_INDEX_SHARD_BITS)

struct tg_index_slot {
    uint64_t tag;
    uint64_t sequence; /* 0: empty */
};

struct tg_index_shard {
    struct tg_index_slot *slots;
    uint32_t cap;
    uint32_t count;
};

struct tg_index {
    struct tg_index_shard *shards;
    uint64_t count;
};

/* Where a search goes on. */
struct tg_index_find {
    uint64_t tag;
    uint32_t position;
    uint32_t left;
};

/* expected: claims to make room for at once (a start knows how many keys it will read). */
TG_MUST_CHECK enum tg_err tg_index_init(struct tg_index *index, uint64_t expected);
void tg_index_free(struct tg_index *index);

uint64_t tg_index_tag(const uint8_t *claim_key);

/* Two steps, one after the other for all tags of a batch, by which their places are in the cache when looked at. */
void tg_index_near(const struct tg_index *index, uint64_t tag);
void tg_index_nearer(const struct tg_index *index, uint64_t tag);

TG_MUST_CHECK enum tg_err tg_index_put(struct tg_index *index, uint64_t tag, uint64_t sequence);

/* All sequence numbers of a tag, one a call; 0 at the end. No put or remove in between. */
struct tg_index_find tg_index_find(const struct tg_index *index, uint64_t tag);
uint64_t tg_index_next(const struct tg_index *index, struct tg_index_find *find);

/* True when the pair was there. */
bool tg_index_remove(struct tg_index *index, uint64_t tag, uint64_t sequence);

/* Removes from one shard all pairs with first <= sequence <= last, and gives memory back; the number removed. */
uint64_t tg_index_sweep(struct tg_index *index, uint32_t shard, uint64_t first, uint64_t last);

size_t tg_index_bytes(const struct tg_index *index);

#endif
