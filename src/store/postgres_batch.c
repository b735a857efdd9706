/*
 * postgres_batch.c - the memory of one batch: claims by key, ticket and request id, counters, rows to write.
 *
 * Promises: made for the batch's size before anything is asked, so nothing in it moves.
 * Does not: ask or decide.
 */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "store/postgres.h"

static size_t bytes_bucket(const struct tg_pg_batch *batch, const uint8_t bytes[16])
{
    return (size_t)(tg_be64_read(bytes) ^ tg_be64_read(bytes + 8)) & (batch->buckets - 1);
}

static size_t ticket_bucket(const struct tg_pg_batch *batch, uint64_t ticket)
{
    return (size_t)ticket & (batch->buckets - 1);
}

static bool has_lost(struct tg_work *const *works, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (works[i]->kind == TG_WORK_LOST)
            return true;
    return false;
}

/* One block for all arrays, kept from batch to batch. */
static enum tg_err take_memory(struct tg_pg_batch *batch, size_t cap, size_t buckets)
{
    size_t need = cap * (sizeof(struct tg_pg_entry) + sizeof(struct tg_pg_told) + 2 * sizeof(struct tg_pg_settlement) +
                         2 * sizeof(struct tg_pg_counter) + sizeof(struct tg_span) + sizeof(struct tg_pg_entry *) +
                         sizeof(uint64_t) + sizeof(uint8_t *)) +
                  3 * buckets * sizeof(struct tg_pg_entry *) + 16 * 16;
    if (need > batch->memory_len) {
        free(batch->memory);
        batch->memory = malloc(need);
        batch->memory_len = batch->memory == NULL ? 0 : need;
        if (batch->memory == NULL)
            return TG_ERR_DOWN;
    }
    struct tg_arena arena = tg_arena(batch->memory, batch->memory_len);
    batch->entries = tg_arena_take_array(&arena, cap, sizeof(*batch->entries));
    batch->told = tg_arena_take_array(&arena, cap, sizeof(*batch->told));
    batch->settlements = tg_arena_take_array(&arena, 2 * cap, sizeof(*batch->settlements));
    batch->counters = tg_arena_take_array(&arena, 2 * cap, sizeof(*batch->counters));
    batch->bodies = tg_arena_take_array(&arena, cap, sizeof(*batch->bodies));
    batch->fresh = tg_arena_take_array(&arena, cap, sizeof(struct tg_pg_entry *));
    batch->ask_tickets = tg_arena_take_array(&arena, cap, sizeof(*batch->ask_tickets));
    batch->ask_requests = tg_arena_take_array(&arena, cap, sizeof(const uint8_t *));
    batch->by_key = tg_arena_take_array(&arena, buckets, sizeof(struct tg_pg_entry *));
    batch->by_ticket = tg_arena_take_array(&arena, buckets, sizeof(struct tg_pg_entry *));
    batch->by_request = tg_arena_take_array(&arena, buckets, sizeof(struct tg_pg_entry *));
    return batch->by_request == NULL ? TG_ERR_BUG : TG_OK;
}

enum tg_err tg_pg_batch_begin(struct tg_postgres *store, int64_t now_us, struct tg_work *const *works, size_t count,
                              struct tg_arena *arena)
{
    struct tg_pg_batch *batch = &store->batch;
    size_t cap = count + 1 + (has_lost(works, count) ? store->pending.count : 0);
    size_t buckets = 64;
    while (buckets < 2 * cap)
        buckets *= 2;
    enum tg_err err = take_memory(batch, cap, buckets);
    if (err != TG_OK)
        return err;
    batch->now_us = now_us;
    batch->works = works;
    batch->count = count;
    batch->arena = arena;
    batch->buckets = buckets;
    batch->entry_cap = cap;
    batch->entry_count = batch->told_count = batch->settlement_count = batch->counter_count = 0;
    batch->fresh_count = batch->ask_ticket_count = batch->ask_request_count = 0;
    batch->event_count = batch->chunks = 0;
    batch->events.len = batch->body_bytes.len = 0;
    batch->claims = batch->unknown = 0;
    batch->takes_back = false;
    batch->marks = (struct tg_quota){0};
    memset(batch->counter_buckets, 0, sizeof(batch->counter_buckets));
    return TG_OK;
}

void tg_pg_batch_end(struct tg_pg_batch *batch)
{
    for (size_t i = 0; i < batch->result_count; i++)
        PQclear(batch->results[i]);
    batch->result_count = 0;
}

void tg_pg_batch_free(struct tg_pg_batch *batch)
{
    tg_pg_batch_end(batch);
    free(batch->memory);
    free(batch->events.ptr);
    free(batch->body_bytes.ptr);
    *batch = (struct tg_pg_batch){0};
}

uint8_t *tg_pg_bytes_grab(struct tg_pg_bytes *bytes, size_t len)
{
    if (len > bytes->cap - bytes->len) {
        size_t cap = bytes->cap == 0 ? 65536 : bytes->cap;
        while (cap - bytes->len < len)
            cap *= 2;
        uint8_t *ptr = realloc(bytes->ptr, cap);
        if (ptr == NULL)
            return NULL;
        bytes->ptr = ptr;
        bytes->cap = cap;
    }
    uint8_t *at = bytes->ptr + bytes->len;
    bytes->len += len;
    return at;
}

struct tg_pg_entry *tg_pg_entry_key(const struct tg_pg_batch *batch, struct tg_span key)
{
    if (key.len != TG_CLAIM_KEY_BYTES)
        return NULL;
    struct tg_pg_entry *entry = batch->by_key[bytes_bucket(batch, key.ptr)];
    while (entry != NULL && memcmp(entry->claim.claim_key, key.ptr, TG_CLAIM_KEY_BYTES) != 0)
        entry = entry->next_key;
    return entry;
}

struct tg_pg_entry *tg_pg_entry_ticket(const struct tg_pg_batch *batch, uint64_t ticket)
{
    struct tg_pg_entry *entry = batch->by_ticket[ticket_bucket(batch, ticket)];
    while (entry != NULL && (entry->claim.ticket != ticket || entry->claim.state == TG_CLAIM_STATE_NONE))
        entry = entry->next_ticket;
    return entry;
}

struct tg_pg_entry *tg_pg_entry_request(const struct tg_pg_batch *batch, const uint8_t *request_id)
{
    struct tg_pg_entry *entry = batch->by_request[bytes_bucket(batch, request_id)];
    while (entry != NULL && (memcmp(entry->claim.request_id, request_id, TG_REQUEST_ID_BYTES) != 0 ||
                             entry->claim.state == TG_CLAIM_STATE_NONE))
        entry = entry->next_request;
    return entry;
}

struct tg_pg_entry *tg_pg_entry_add(struct tg_pg_batch *batch)
{
    return batch->entry_count == batch->entry_cap ? NULL : &batch->entries[batch->entry_count++];
}

void tg_pg_entry_link(struct tg_pg_batch *batch, struct tg_pg_entry *entry)
{
    struct tg_pg_entry **at = &batch->by_key[bytes_bucket(batch, entry->claim.claim_key)];
    entry->next_key = *at;
    *at = entry;
    at = &batch->by_ticket[ticket_bucket(batch, entry->claim.ticket)];
    entry->next_ticket = *at;
    *at = entry;
    at = &batch->by_request[bytes_bucket(batch, entry->claim.request_id)];
    entry->next_request = *at;
    *at = entry;
}

void tg_pg_entry_unlink(struct tg_pg_batch *batch, struct tg_pg_entry *entry)
{
    struct tg_pg_entry **at = &batch->by_key[bytes_bucket(batch, entry->claim.claim_key)];
    while (*at != entry)
        at = &(*at)->next_key;
    *at = entry->next_key;
    at = &batch->by_ticket[ticket_bucket(batch, entry->claim.ticket)];
    while (*at != entry)
        at = &(*at)->next_ticket;
    *at = entry->next_ticket;
    at = &batch->by_request[bytes_bucket(batch, entry->claim.request_id)];
    while (*at != entry)
        at = &(*at)->next_request;
    *at = entry->next_request;
}

struct tg_pg_entry *tg_pg_entry_pending(struct tg_pg_batch *batch, struct tg_pending_claim *claim)
{
    struct tg_pg_entry *entry = tg_pg_entry_key(batch, tg_span(claim->claim_key, TG_CLAIM_KEY_BYTES));
    if (entry != NULL)
        return entry;
    entry = tg_pg_entry_add(batch);
    if (entry == NULL)
        return NULL;
    entry->claim = *claim;
    entry->pending = claim;
    entry->row = true;
    entry->row_ticket = claim->ticket;
    entry->row_state = TG_PG_ROW_IN_FLIGHT;
    tg_pg_entry_link(batch, entry);
    return entry;
}

struct tg_quota_key tg_pg_quota_key(const struct tg_pending_claim *claim)
{
    struct tg_quota_key key = {claim->partner, claim->quota_day, claim->environment, {0, 0, 0}};
    memcpy(key.currency, claim->currency, sizeof(key.currency));
    return key;
}

static size_t counter_bucket(const struct tg_quota_key *key)
{
    uint64_t hash = key->partner;
    hash = hash * 31 + (uint32_t)key->day;
    hash = hash * 31 + key->environment;
    for (unsigned i = 0; i < 3; i++)
        hash = hash * 31 + key->currency[i];
    return (size_t)((hash * 0x9e3779b97f4a7c15u) >> 32) % TG_PG_COUNTER_BUCKETS;
}

/* The batch's copy; from the cache when that may be trusted, else it is to be loaded. NULL: no room. */
struct tg_pg_counter *tg_pg_counter(struct tg_postgres *store, const struct tg_quota_key *key)
{
    struct tg_pg_batch *batch = &store->batch;
    struct tg_pg_counter **bucket = &batch->counter_buckets[counter_bucket(key)];
    for (struct tg_pg_counter *counter = *bucket; counter != NULL; counter = counter->next)
        if (counter->now.key.partner == key->partner && counter->now.key.day == key->day &&
            counter->now.key.environment == key->environment &&
            memcmp(counter->now.key.currency, key->currency, sizeof(key->currency)) == 0)
            return counter;
    if (batch->counter_count == 2 * batch->entry_cap)
        return NULL;
    struct tg_pg_counter *counter = &batch->counters[batch->counter_count++];
    *counter = (struct tg_pg_counter){.next = *bucket, .now = {.key = *key}};
    *bucket = counter;
    const struct tg_quota_counter *seen = store->locking > 0 ? NULL : tg_quota_find(&store->counters, key);
    if (seen != NULL) {
        counter->loaded = counter->there = counter->remembered = true;
        counter->reserved = counter->now.reserved = seen->reserved;
        counter->committed = counter->now.committed = seen->committed;
    }
    return counter;
}
