/*
 * quota.c - the counters of the day limits; see quota.h.
 *
 * Promises: no overflow: a sum that does not fit is over the limit. Does not:
 * decide what an outcome means for a reservation (settle.c does).
 */
#include "store/quota.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 4096u

static size_t bucket_of(const struct tg_quota *quota, const struct tg_quota_key *key)
{
    uint64_t hash = key->partner;
    hash = hash * 31 + (uint32_t)key->day;
    hash = hash * 31 + key->environment;
    for (unsigned i = 0; i < 3; i++)
        hash = hash * 31 + key->currency[i];
    hash *= 0x9e3779b97f4a7c15u; /* partners are numbered by us: nobody aims at a bucket */
    return (size_t)(hash >> 32) & (quota->buckets - 1);
}

static bool same(const struct tg_quota_key *a, const struct tg_quota_key *b)
{
    return a->partner == b->partner && a->day == b->day && a->environment == b->environment &&
           memcmp(a->currency, b->currency, sizeof(a->currency)) == 0;
}

static enum tg_err set_buckets(struct tg_quota *quota, size_t buckets)
{
    struct tg_quota_counter **table = calloc(buckets, sizeof(*table));
    if (table == NULL)
        return TG_ERR_DOWN;
    struct tg_quota_counter **old = quota->table;
    size_t old_buckets = quota->buckets;
    quota->table = table;
    quota->buckets = buckets;
    for (size_t i = 0; i < old_buckets; i++)
        for (struct tg_quota_counter *counter = old[i], *next; counter != NULL; counter = next) {
            next = counter->next;
            struct tg_quota_counter **bucket = &table[bucket_of(quota, &counter->key)];
            counter->next = *bucket;
            *bucket = counter;
        }
    free(old);
    return TG_OK;
}

enum tg_err tg_quota_init(struct tg_quota *quota)
{
    memset(quota, 0, sizeof(*quota));
    return set_buckets(quota, BUCKETS_MIN);
}

void tg_quota_free(struct tg_quota *quota)
{
    for (size_t i = 0; i < quota->buckets; i++)
        for (struct tg_quota_counter *counter = quota->table[i], *next; counter != NULL; counter = next) {
            next = counter->next;
            free(counter);
        }
    free(quota->table);
    memset(quota, 0, sizeof(*quota));
}

struct tg_quota_counter *tg_quota_find(const struct tg_quota *quota, const struct tg_quota_key *key)
{
    struct tg_quota_counter *counter = quota->table[bucket_of(quota, key)];
    while (counter != NULL && !same(&counter->key, key))
        counter = counter->next;
    return counter;
}

struct tg_quota_counter *tg_quota_counter(struct tg_quota *quota, const struct tg_quota_key *key)
{
    struct tg_quota_counter *counter = tg_quota_find(quota, key);
    if (counter != NULL)
        return counter;
    if (quota->count >= quota->buckets && set_buckets(quota, quota->buckets * 2) != TG_OK)
        return NULL;
    counter = calloc(1, sizeof(*counter));
    if (counter == NULL)
        return NULL;
    counter->key = *key;
    struct tg_quota_counter **bucket = &quota->table[bucket_of(quota, key)];
    counter->next = *bucket;
    *bucket = counter;
    quota->count++;
    return counter;
}

static void mark(struct tg_quota *quota, struct tg_quota_counter *counter)
{
    if (counter->marked)
        return;
    counter->marked = true;
    counter->next_marked = quota->marked;
    quota->marked = counter;
}

bool tg_quota_reserve(struct tg_quota *quota, struct tg_quota_counter *counter, int64_t amount, int64_t limit)
{
    int64_t sum = 0;
    if (amount < 0 || __builtin_add_overflow(counter->reserved, counter->committed, &sum) ||
        __builtin_add_overflow(sum, amount, &sum) || sum > limit)
        return false;
    counter->reserved += amount;
    mark(quota, counter);
    return true;
}

void tg_quota_end(struct tg_quota *quota, struct tg_quota_counter *counter, int64_t amount, bool spent)
{
    counter->reserved -= amount;
    if (spent)
        counter->committed += amount;
    mark(quota, counter);
}

void tg_quota_forget(struct tg_quota *quota, int32_t day)
{
    for (size_t i = 0; i < quota->buckets; i++)
        for (struct tg_quota_counter **at = &quota->table[i]; *at != NULL;) {
            struct tg_quota_counter *counter = *at;
            if (counter->key.day >= day || counter->reserved != 0 || counter->marked) {
                at = &counter->next;
                continue;
            }
            *at = counter->next;
            free(counter);
            quota->count--;
        }
}
