/*
 * quota.h - what a partner has spent of a day's limit, per environment and currency.
 *
 * Promises: exact integers; `reserved` is admitted and not settled (unknown
 * counts), `committed` was charged. A change marks the counter; the batch
 * writes each marked one once.
 * Does not: know the limit (each admit brings it) or the database.
 */
#ifndef TG_STORE_QUOTA_H
#define TG_STORE_QUOTA_H

#include "base/err.h"
#include "base/span.h"

struct tg_quota_key {
    uint32_t partner;
    int32_t day; /* since 1970-01-01 UTC */
    uint8_t environment;
    uint8_t currency[3];
};

struct tg_quota_counter {
    struct tg_quota_counter *next; /* of the bucket */
    struct tg_quota_counter *next_marked;
    struct tg_quota_key key;
    int64_t reserved, committed; /* minor units, never negative */
    bool marked;
};

struct tg_quota {
    struct tg_quota_counter **table;
    size_t buckets, count;
    struct tg_quota_counter *marked;
};

TG_MUST_CHECK enum tg_err tg_quota_init(struct tg_quota *quota);
void tg_quota_free(struct tg_quota *quota);

/* The counter, made when it is not there; NULL without memory. */
struct tg_quota_counter *tg_quota_counter(struct tg_quota *quota, const struct tg_quota_key *key);

/* NULL when it is not there. */
struct tg_quota_counter *tg_quota_find(const struct tg_quota *quota, const struct tg_quota_key *key);

/* True and reserved when reserved + committed + amount stays within limit; a negative amount never does. */
bool tg_quota_reserve(struct tg_quota *quota, struct tg_quota_counter *counter, int64_t amount, int64_t limit);
/* Gives a reservation back, spent or not. */
void tg_quota_end(struct tg_quota *quota, struct tg_quota_counter *counter, int64_t amount, bool spent);

/* Forgets counters of days before `day` that hold no reservation: nobody asks for them again. */
void tg_quota_forget(struct tg_quota *quota, int32_t day);

#endif
