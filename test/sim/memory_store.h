/*
 * memory_store.h - store.h in memory, with the semantics of a disk: a batch is there whole or not at all.
 *
 * Promises: what was committed survives memory_store_crash; every unsettled claim is unknown afterwards, as a start
 * from a disk would find it. Decides by tg_claim_decide, as every store does.
 * Does not: keep events as texts, or reach retention.
 */
#ifndef TG_SIM_MEMORY_STORE_H
#define TG_SIM_MEMORY_STORE_H

#include "store/store.h"

struct memory_store_options {
    const struct tg_partner *partners;
    const struct tg_credential *credentials;
    const struct tg_limit *limits; /* one a partner */
    size_t partner_count;
    struct tg_route_credential route;
    int64_t segment_us_max;
    int64_t purge_grace_us;
};

struct tg_store *memory_store_open(const struct memory_store_options *options, int64_t now_us);
void memory_store_crash(struct tg_store *store);

/* What is reserved and committed of the day's limit. */
void memory_store_quota(const struct tg_store *store, uint32_t partner, int32_t day, int64_t *reserved,
                        int64_t *committed);

#endif
