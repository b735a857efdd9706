/*
 * postgres_apply.c - round trip two: what was decided is written, each change guarded by what was known; then memory.
 *
 * Promises: COMMIT goes out with the changes, and stands only when every guard held. Memory changes after that.
 * Does not: decide.
 */
#include <string.h>

#include "store/postgres.h"

/* An answer's end is written a part of its life too late, at most so much: every few minutes and not in each batch. */
#define ANSWERS_END_SLACK_US_MAX (600ll * 1000000)
#define ANSWERS_END_SLACK_PART 16

static uint8_t row_state_of(enum tg_claim_state state)
{
    switch (state) {
    case TG_CLAIM_STATE_LOST:
        return TG_PG_ROW_LOST;
    case TG_CLAIM_STATE_UNKNOWN:
        return TG_PG_ROW_UNKNOWN;
    case TG_CLAIM_STATE_FINAL:
        return TG_PG_ROW_FINAL;
    default:
        return TG_PG_ROW_IN_FLIGHT;
    }
}

static bool is_dropped(const struct tg_pg_entry *entry)
{
    return entry->row && entry->claim.state == TG_CLAIM_STATE_NONE && (entry->changed || entry->inserted);
}

/* A row that says "in flight" and has a settlement is final: it needs no second write. */
static bool is_changed(const struct tg_pg_entry *entry)
{
    if (!entry->changed || entry->claim.state == TG_CLAIM_STATE_NONE)
        return false;
    bool same = entry->row_ticket == entry->claim.ticket && entry->row_state == TG_PG_ROW_IN_FLIGHT;
    return !same || (entry->claim.state != TG_CLAIM_STATE_IN_FLIGHT && entry->claim.state != TG_CLAIM_STATE_FINAL);
}

typedef bool choose_fn(const struct tg_pg_entry *entry);

static size_t count_of(const struct tg_pg_batch *batch, choose_fn *choose)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->entry_count; i++)
        count += choose(&batch->entries[i]);
    return count;
}

/* The key, ticket and state that the row has now. */
static void put_rows(struct tg_pg_link *link, const struct tg_pg_batch *batch, choose_fn *choose, size_t count)
{
    tg_pg_array(link, TG_PG_UUID, count);
    for (size_t i = 0; i < batch->entry_count; i++)
        if (choose(&batch->entries[i]))
            tg_pg_put_bytes(link, tg_span(batch->entries[i].claim.claim_key, TG_CLAIM_KEY_BYTES));
    tg_pg_array(link, TG_PG_INT8, count);
    for (size_t i = 0; i < batch->entry_count; i++)
        if (choose(&batch->entries[i]))
            tg_pg_put_int(link, (int64_t)batch->entries[i].row_ticket);
    tg_pg_array(link, TG_PG_INT2, count);
    for (size_t i = 0; i < batch->entry_count; i++)
        if (choose(&batch->entries[i]))
            tg_pg_put_int(link, batch->entries[i].row_state);
}

static void queue_drops(struct tg_postgres *store)
{
    size_t count = count_of(&store->batch, is_dropped);
    if (count == 0)
        return;
    put_rows(&store->link, &store->batch, is_dropped, count);
    tg_pg_int8(&store->link, (int64_t)count);
    tg_pg_queue(&store->link, TG_PG_CLAIM_DROP);
}

static void put_changes(struct tg_pg_link *link, const struct tg_pg_batch *batch, size_t count)
{
    static const enum tg_pg_type types[] = {TG_PG_INT8, TG_PG_UUID, TG_PG_INT2, TG_PG_INT8, TG_PG_BYTEA};
    for (size_t column = 0; column < sizeof(types) / sizeof(types[0]); column++) {
        tg_pg_array(link, types[column], count);
        for (size_t i = 0; i < batch->entry_count; i++) {
            const struct tg_pg_entry *entry = &batch->entries[i];
            const struct tg_pending_claim *claim = &entry->claim;
            if (!is_changed(entry))
                continue;
            if (column == 0)
                tg_pg_put_int(link, (int64_t)claim->ticket);
            else if (column == 1)
                tg_pg_put_bytes(link, tg_span(claim->request_id, TG_REQUEST_ID_BYTES));
            else if (column == 2)
                tg_pg_put_int(link, row_state_of(claim->state));
            else if (column == 3)
                tg_pg_put_int(link, (int64_t)claim->upstream_status << 16 | claim->reason);
            else if (entry->body.len > 0)
                tg_pg_put_bytes(link, entry->body);
            else
                tg_pg_put_null(link); /* ours, admitted in a batch before: the row keeps what it has */
        }
    }
}

static void queue_changes(struct tg_postgres *store)
{
    size_t count = count_of(&store->batch, is_changed);
    if (count == 0)
        return;
    put_rows(&store->link, &store->batch, is_changed, count);
    put_changes(&store->link, &store->batch, count);
    tg_pg_int4(&store->link, store->instance);
    tg_pg_int8(&store->link, (int64_t)count);
    tg_pg_queue(&store->link, TG_PG_CLAIM_CHANGE);
}

static void queue_settlements(struct tg_postgres *store)
{
    static const enum tg_pg_type types[] = {TG_PG_INT8, TG_PG_UUID, TG_PG_INT2, TG_PG_INT4,
                                            TG_PG_INT4, TG_PG_INT8, TG_PG_INT8, TG_PG_BYTEA};
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    if (batch->settlement_count == 0)
        return;
    for (size_t column = 0; column < sizeof(types) / sizeof(types[0]); column++) {
        tg_pg_array(link, types[column], batch->settlement_count);
        for (size_t i = 0; i < batch->settlement_count; i++) {
            const struct tg_pg_settlement *one = &batch->settlements[i];
            const int64_t numbers[] = {(int64_t)one->ticket, 0, one->outcome, one->upstream_status,
                                       one->caller_status, one->segment, one->expires_us};
            if (column == 1)
                tg_pg_put_bytes(link, tg_span(one->request_id, TG_REQUEST_ID_BYTES));
            else if (column < 7)
                tg_pg_put_int(link, numbers[column]);
            else if (one->sealed.len > 0)
                tg_pg_put_bytes(link, one->sealed);
            else
                tg_pg_put_null(link);
        }
    }
    tg_pg_int8(link, (int64_t)batch->settlement_count);
    tg_pg_queue(link, TG_PG_SETTLE);
}

/* Counters that were there (changed under the guard of their old values), or that were not (added). */
static void queue_counters(struct tg_postgres *store, bool there)
{
    static const enum tg_pg_type types[] = {TG_PG_INT8, TG_PG_INT4, TG_PG_INT2, TG_PG_BYTEA,
                                            TG_PG_INT8, TG_PG_INT8, TG_PG_INT8, TG_PG_INT8};
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    size_t count = 0;
    for (size_t i = 0; i < batch->counter_count; i++)
        count += batch->counters[i].now.marked && batch->counters[i].there == there;
    if (count == 0)
        return;
    for (size_t column = 0; column < sizeof(types) / sizeof(types[0]); column++) {
        if (!there && (column == 4 || column == 5))
            continue; /* no old values */
        tg_pg_array(link, types[column], count);
        for (size_t i = 0; i < batch->counter_count; i++) {
            const struct tg_pg_counter *one = &batch->counters[i];
            const struct tg_quota_key *key = &one->now.key;
            if (!one->now.marked || one->there != there)
                continue;
            const int64_t numbers[] = {key->partner, key->day, key->environment, 0,
                                       one->reserved, one->committed, one->now.reserved, one->now.committed};
            if (column == 3)
                tg_pg_put_bytes(link, tg_span(key->currency, sizeof(key->currency)));
            else
                tg_pg_put_int(link, numbers[column]);
        }
    }
    tg_pg_int8(link, (int64_t)count);
    tg_pg_queue(link, there ? TG_PG_COUNTER_CHANGE : TG_PG_COUNTER_ADD);
}

/* The cached end of a segment's answers; a place for it when it is not cached. */
static struct tg_pg_segment_end *end_of(struct tg_postgres *store, uint32_t segment)
{
    size_t room = sizeof(store->ends) / sizeof(store->ends[0]);
    for (size_t i = 0; i < room; i++)
        if (store->ends[i].segment == segment)
            return &store->ends[i];
    struct tg_pg_segment_end *end = &store->ends[store->end_next++ % room];
    *end = (struct tg_pg_segment_end){.segment = segment};
    return end;
}

static void queue_ends(struct tg_postgres *store)
{
    const struct tg_pg_batch *batch = &store->batch;
    for (size_t i = 0; i < batch->settlement_count && store->link.queued < TG_PG_QUEUED_MAX - 4; i++) {
        const struct tg_pg_settlement *one = &batch->settlements[i];
        if (one->sealed.len == 0)
            continue;
        struct tg_pg_segment_end *end = end_of(store, one->segment);
        if (one->expires_us <= end->end_us)
            continue;
        int64_t slack_us = (one->expires_us - batch->now_us) / ANSWERS_END_SLACK_PART;
        slack_us = slack_us < 0 ? 0 : slack_us > ANSWERS_END_SLACK_US_MAX ? ANSWERS_END_SLACK_US_MAX : slack_us;
        end->end_us = one->expires_us + slack_us;
        tg_pg_int8(&store->link, one->segment);
        tg_pg_int8(&store->link, end->end_us);
        tg_pg_queue(&store->link, TG_PG_SEGMENT_END);
    }
}

static size_t chunk_rows(const struct tg_pg_batch *batch, size_t chunk)
{
    return chunk + 1 < batch->chunks ? TG_PG_EVENT_ROWS_MAX : batch->event_count - chunk * TG_PG_EVENT_ROWS_MAX;
}

static void queue_finish(struct tg_postgres *store)
{
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    if (batch->chunks == 0) {
        tg_pg_int8(link, batch->claims);
        tg_pg_int8(link, batch->unknown);
        tg_pg_int8(link, store->takeovers);
        tg_pg_queue(link, TG_PG_FINISH_SILENT);
        return;
    }
    tg_pg_int8(link, (int64_t)batch->event_count);
    tg_pg_int8(link, batch->claims);
    tg_pg_int8(link, batch->unknown);
    tg_pg_int8(link, store->takeovers);
    tg_pg_int8(link, batch->now_us);
    tg_pg_array(link, TG_PG_INT8, batch->chunks);
    for (size_t i = 0; i < batch->chunks; i++)
        tg_pg_put_int(link, (int64_t)(i * TG_PG_EVENT_ROWS_MAX));
    tg_pg_array(link, TG_PG_INT8, batch->chunks);
    for (size_t i = 0; i < batch->chunks; i++)
        tg_pg_put_int(link, (int64_t)chunk_rows(batch, i));
    tg_pg_array(link, TG_PG_BYTEA, batch->chunks);
    for (size_t i = 0; i < batch->chunks; i++) {
        size_t end = i + 1 < batch->chunks ? batch->chunk_starts[i + 1] : batch->events.len;
        tg_pg_put_bytes(link, tg_span(batch->events.ptr + batch->chunk_starts[i], end - batch->chunk_starts[i]));
    }
    tg_pg_int8(link, (int64_t)batch->chunks);
    tg_pg_queue(link, TG_PG_FINISH);
}

enum tg_err tg_pg_apply(struct tg_postgres *store)
{
    struct tg_pg_batch *batch = &store->batch;
    struct tg_pg_link *link = &store->link;
    PGresult *results[TG_PG_QUEUED_MAX];
    queue_drops(store);
    queue_changes(store);
    queue_settlements(store);
    queue_counters(store, true);
    queue_counters(store, false);
    queue_ends(store);
    if (batch->takes_back) {
        uint64_t low = UINT64_MAX;
        for (size_t i = 0; i < batch->entry_count; i++)
            if (batch->entries[i].claim.ticket < low)
                low = batch->entries[i].claim.ticket;
        tg_pg_int4(link, store->instance);
        tg_pg_int8(link, (int64_t)low);
        tg_pg_queue(link, TG_PG_INSTANCE_LOW);
    }
    bool writes = link->queued > 0 || batch->chunks > 0 || batch->claims != 0 || batch->unknown != 0;
    size_t finish = link->queued;
    if (writes)
        queue_finish(store);
    tg_pg_queue(link, TG_PG_COMMIT);
    size_t count = link->queued;
    enum tg_err err = tg_pg_sync(link, results);
    if (err != TG_OK) {
        memset(store->ends, 0, sizeof(store->ends)); /* what was cached ahead may not have been written */
        return err;
    }
    if (batch->chunks > 0)
        store->last_event = (uint64_t)tg_pg_get_int(results[finish], 0, 0) + batch->event_count - 1;
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    return TG_OK;
}

/* ---- memory, when it is durable ---- */

static enum tg_err adopt_claim(struct tg_postgres *store, struct tg_pg_entry *entry)
{
    struct tg_pending_claim *before = entry->pending;
    const struct tg_pending_claim *now = &entry->claim;
    bool ours = now->state == TG_CLAIM_STATE_IN_FLIGHT && !entry->foreign && !entry->damaged;
    if (before != NULL && ours && before->ticket == now->ticket) {
        before->owner = now->owner;
        return TG_OK;
    }
    if (before != NULL)
        tg_pending_remove(&store->pending, before);
    if (!ours)
        return TG_OK;
    struct tg_row row = tg_pending_row(now, TG_ROW_ADMIT, now->at_us);
    row.expires_us = now->expires_us;
    row.quota_day = now->quota_day;
    row.has_quota = now->has_quota;
    struct tg_pending_claim *claim = tg_pending_add(&store->pending, &row);
    if (claim == NULL)
        return TG_ERR_DOWN;
    claim->owner = now->owner;
    tg_pending_state(&store->pending, claim, TG_CLAIM_STATE_IN_FLIGHT);
    return TG_OK;
}

static enum tg_err adopt_counter(struct tg_postgres *store, const struct tg_pg_counter *counter)
{
    if (!counter->loaded || (!counter->there && !counter->now.marked))
        return TG_OK;
    struct tg_quota_counter *seen = tg_quota_counter(&store->counters, &counter->now.key);
    if (seen == NULL)
        return TG_ERR_DOWN;
    seen->reserved = counter->now.reserved;
    seen->committed = counter->now.committed;
    return TG_OK;
}

enum tg_err tg_pg_adopt(struct tg_postgres *store)
{
    struct tg_pg_batch *batch = &store->batch;
    enum tg_err err = TG_OK;
    for (size_t i = 0; err == TG_OK && i < batch->entry_count; i++)
        err = adopt_claim(store, &batch->entries[i]);
    for (size_t i = 0; err == TG_OK && i < batch->counter_count; i++)
        err = adopt_counter(store, &batch->counters[i]);
    for (size_t i = 0; i < batch->settlement_count; i++)
        tg_recent_put(&store->recent, batch->settlements[i].request_id, batch->settlements[i].outcome);
    atomic_store(&store->in_flight, store->pending.count);
    atomic_fetch_add(&store->live, (uint_fast64_t)batch->claims);
    atomic_fetch_add(&store->unknown, (uint_fast64_t)batch->unknown);
    atomic_fetch_add(&store->events, batch->event_count);
    return err;
}
