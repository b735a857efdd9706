/*
 * throttle.c - the table of budgets.
 *
 * Promises: as throttle.h. A set that is full of busy names forgets the one that is nearest to
 * being full again, which is the cheapest to forget.
 * Does not: allocate.
 */
#include "keeper/throttle.h"

#include <string.h>

#include "base/banned.h"

int64_t tg_bucket_wait(const struct tg_bucket *bucket, int64_t tokens, int64_t window_ms, int64_t now_ms)
{
    int64_t step_ms = window_ms / tokens;
    int64_t free_at_ms = bucket->empty_until_ms - (tokens - 1) * step_ms;
    return free_at_ms > now_ms ? free_at_ms - now_ms : 0;
}

void tg_bucket_spend(struct tg_bucket *bucket, int64_t tokens, int64_t window_ms, int64_t now_ms)
{
    int64_t base_ms = bucket->empty_until_ms > now_ms ? bucket->empty_until_ms : now_ms;
    int64_t most_ms = now_ms + window_ms;
    bucket->empty_until_ms = base_ms + window_ms / tokens;
    if (bucket->empty_until_ms > most_ms) {
        bucket->empty_until_ms = most_ms;
    }
}

/* FNV-1a from a secret start, then the finalizer of SplitMix64 so that all bits depend on all. Never 0. */
static uint64_t tag_of(uint64_t seed, uint8_t kind, struct tg_span name)
{
    uint64_t hash = seed ^ ((uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15));
    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ name.ptr[i]) * UINT64_C(0x100000001b3);
    }
    hash = (hash ^ seed ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    return hash == 0 ? 1 : hash;
}

uint16_t tg_throttle_wait_s(const struct tg_throttle *throttle, uint8_t kind, struct tg_span name, int64_t now_ms)
{
    uint64_t tag = tag_of(throttle->seed, kind, name);
    const struct tg_throttle_cell *set = throttle->cells[tag % TG_THROTTLE_SETS];
    for (size_t i = 0; i < TG_THROTTLE_WAYS; i++) {
        if (set[i].tag == tag) {
            int64_t wait_ms = tg_bucket_wait(&set[i].bucket, TG_THROTTLE_FAILURES, TG_THROTTLE_WINDOW_MS, now_ms);
            return (uint16_t)((wait_ms + 999) / 1000);
        }
    }
    return 0;
}

void tg_throttle_fail(struct tg_throttle *throttle, uint8_t kind, struct tg_span name, int64_t now_ms)
{
    uint64_t tag = tag_of(throttle->seed, kind, name);
    struct tg_throttle_cell *set = throttle->cells[tag % TG_THROTTLE_SETS];
    struct tg_throttle_cell *cell = &set[0];
    for (size_t i = 0; i < TG_THROTTLE_WAYS; i++) {
        if (set[i].tag == tag) {
            cell = &set[i];
            break;
        }
        if (set[i].bucket.empty_until_ms < cell->bucket.empty_until_ms) {
            cell = &set[i];
        }
    }
    if (cell->tag != tag) {
        *cell = (struct tg_throttle_cell){.tag = tag};
    }
    tg_bucket_spend(&cell->bucket, TG_THROTTLE_FAILURES, TG_THROTTLE_WINDOW_MS, now_ms);
}

struct tg_span tg_throttle_address(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return tg_span(address, memcmp(address, mapped, sizeof(mapped)) == 0 ? 16 : 8);
}
