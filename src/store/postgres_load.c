/*
 * postgres_load.c - round trip one: new keys are taken, what else the works name is read.
 *
 * Promises: after it every key, ticket, request id and counter that the works name is known. A key that nobody has is
 * taken in the same statement that finds out, so no other keeper can take it until this batch ends.
 * Does not: decide; a key taken for a work that is refused is given back in round trip two.
 */
#include <stdlib.h>
#include <string.h>

#include "store/postgres.h"
#include "wire/message.h"

/* Tickets reserved at once: a reservation writes the row that all keepers share. */
#define TICKETS 65536

enum { COLUMN_KEY, COLUMN_TICKET, COLUMN_INSTANCE, COLUMN_STATE, COLUMN_TOLD, COLUMN_BODY };
enum {
    COLUMN_S_TICKET = 6, COLUMN_S_REQUEST, COLUMN_S_OUTCOME, COLUMN_S_UPSTREAM, COLUMN_S_CALLER, COLUMN_S_SEGMENT,
    COLUMN_S_EXPIRES, COLUMN_S_LENGTH, COLUMN_S_SEALED, COLUMN_S_PURGED
};

static enum tg_err take_ticket(struct tg_postgres *store, uint64_t *ret)
{
    if (store->ticket_next == store->ticket_end) {
        PGresult *result = NULL;
        tg_pg_int8(&store->link, TICKETS);
        enum tg_err err = tg_pg_run(&store->link, TG_PG_TICKETS, &result);
        if (err != TG_OK)
            return err;
        bool one = PQntuples(result) == 1;
        store->ticket_next = one ? (uint64_t)tg_pg_get_int(result, 0, 0) : 0;
        store->ticket_end = one ? store->ticket_next + TICKETS : 0;
        PQclear(result);
        if (!one)
            return TG_ERR_CORRUPT;
    }
    *ret = store->ticket_next++;
    return TG_OK;
}

/* ---- what is asked ---- */

static bool wants_quota(const struct tg_admit_work *work)
{
    return work->has_quota && (work->row.flags & TG_FLAG_HAS_AMOUNT) != 0;
}

static enum tg_err gather_quota(struct tg_postgres *store, const struct tg_pending_claim *claim)
{
    if (!claim->has_quota)
        return TG_OK;
    struct tg_quota_key key = tg_pg_quota_key(claim);
    return tg_pg_counter(store, &key) == NULL ? TG_ERR_BUG : TG_OK;
}

static enum tg_err gather_pending(struct tg_postgres *store, struct tg_pending_claim *claim)
{
    return tg_pg_entry_pending(&store->batch, claim) == NULL ? TG_ERR_BUG : gather_quota(store, claim);
}

static enum tg_err gather_admit(struct tg_postgres *store, struct tg_admit_work *work, struct tg_span *body)
{
    struct tg_pg_batch *batch = &store->batch;
    uint64_t ticket = 0;
    enum tg_err err = take_ticket(store, &ticket);
    if (err != TG_OK)
        return err;
    work->ticket = ticket;
    struct tg_row row = tg_row_admit(work, TG_ROW_ADMIT);
    row.has_quota = wants_quota(work);
    row.ticket = ticket;
    struct tg_buf out = tg_buf(batch->body_bytes.ptr + batch->body_bytes.len, TG_ROW_BYTES_MAX);
    tg_row_write(&out, &row);
    if (tg_buf_done(&out) != TG_OK)
        return TG_ERR_BUG;
    batch->body_bytes.len += out.len;
    *body = tg_buf_span(&out);
    if (row.has_quota) {
        struct tg_quota_key key = {work->row.partner, work->quota_day, work->row.environment, {0, 0, 0}};
        memcpy(key.currency, work->row.currency, sizeof(key.currency));
        if (tg_pg_counter(store, &key) == NULL)
            return TG_ERR_BUG;
    }
    if (tg_pg_entry_key(batch, tg_span(work->claim_key, TG_CLAIM_KEY_BYTES)) != NULL)
        return TG_OK;
    struct tg_pending_claim *ours = tg_pending_key(&store->pending, work->claim_key);
    if (ours != NULL)
        return gather_pending(store, ours);
    struct tg_pg_entry *entry = tg_pg_entry_add(batch);
    if (entry == NULL)
        return TG_ERR_BUG;
    entry->claim.ticket = ticket;
    memcpy(entry->claim.claim_key, work->claim_key, TG_CLAIM_KEY_BYTES);
    memcpy(entry->claim.request_id, work->row.request_id, TG_REQUEST_ID_BYTES);
    entry->body = *body;
    tg_pg_entry_link(batch, entry);
    batch->fresh[batch->fresh_count++] = entry;
    return TG_OK;
}

static enum tg_err gather_one(struct tg_postgres *store, size_t at)
{
    struct tg_pg_batch *batch = &store->batch;
    struct tg_work *work = batch->works[at];
    struct tg_pending_claim *ours = NULL;
    if (work->kind == TG_WORK_ADMIT)
        return gather_admit(store, &work->admit, &batch->bodies[at]);
    if (work->kind == TG_WORK_SETTLE) {
        const struct tg_settle_work *settle = &work->settle;
        ours = settle->ticket != 0 ? tg_pending_ticket(&store->pending, settle->ticket)
                                   : tg_pending_request(&store->pending, settle->request_id);
        if (ours == NULL && settle->ticket != 0)
            batch->ask_tickets[batch->ask_ticket_count++] = settle->ticket;
        else if (ours == NULL)
            batch->ask_requests[batch->ask_request_count++] = settle->request_id;
    } else if (work->kind == TG_WORK_RESOLVE) {
        ours = tg_pending_request(&store->pending, work->resolve.request_id);
        if (ours == NULL)
            batch->ask_requests[batch->ask_request_count++] = work->resolve.request_id;
    }
    return ours == NULL ? TG_OK : gather_pending(store, ours);
}

static int by_key(const void *a, const void *b)
{
    const struct tg_pg_entry *const *left = a, *const *right = b;
    return memcmp((*left)->claim.claim_key, (*right)->claim.claim_key, TG_CLAIM_KEY_BYTES);
}

static enum tg_err gather(struct tg_postgres *store)
{
    struct tg_pg_batch *batch = &store->batch;
    if (tg_pg_bytes_grab(&batch->body_bytes, batch->count * TG_ROW_BYTES_MAX) == NULL)
        return TG_ERR_DOWN;
    batch->body_bytes.len = 0; /* room is there for all: what stands in it does not move */
    enum tg_err err = TG_OK;
    for (size_t i = 0; err == TG_OK && i < batch->count; i++)
        err = gather_one(store, i);
    /* Two keepers that take rows in the same order wait for each other, not for ever. */
    qsort(batch->fresh, batch->fresh_count, sizeof(struct tg_pg_entry *), by_key);
    return err;
}

/* ---- asking ---- */

static void queue_fresh(struct tg_postgres *store)
{
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    size_t count = batch->fresh_count;
    tg_pg_array(link, TG_PG_UUID, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_bytes(link, tg_span(batch->fresh[i]->claim.claim_key, TG_CLAIM_KEY_BYTES));
    tg_pg_array(link, TG_PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_int(link, (int64_t)batch->fresh[i]->claim.ticket);
    tg_pg_array(link, TG_PG_UUID, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_bytes(link, tg_span(batch->fresh[i]->claim.request_id, TG_REQUEST_ID_BYTES));
    tg_pg_array(link, TG_PG_BYTEA, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_bytes(link, batch->fresh[i]->body);
    tg_pg_int4(link, store->instance);
    tg_pg_queue(link, TG_PG_CLAIM_TAKE);

    tg_pg_array(link, TG_PG_UUID, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_bytes(link, tg_span(batch->fresh[i]->claim.claim_key, TG_CLAIM_KEY_BYTES));
    tg_pg_array(link, TG_PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_int(link, (int64_t)batch->fresh[i]->claim.ticket);
    tg_pg_queue(link, TG_PG_CLAIM_BY_KEY);
}

/* Counters that are not known yet; the number of them. */
static size_t queue_counters(struct tg_postgres *store)
{
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    const struct tg_pg_counter *counters = batch->counters;
    size_t count = 0;
    for (size_t i = 0; i < batch->counter_count; i++)
        count += !counters[i].loaded;
    if (count == 0)
        return 0;
    for (int column = 0; column < 4; column++) {
        static const enum tg_pg_type types[4] = {TG_PG_INT8, TG_PG_INT4, TG_PG_INT2, TG_PG_BYTEA};
        tg_pg_array(link, types[column], count);
        for (size_t i = 0; i < batch->counter_count; i++) {
            const struct tg_quota_key *key = &counters[i].now.key;
            if (counters[i].loaded)
                continue;
            if (column == 3)
                tg_pg_put_bytes(link, tg_span(key->currency, sizeof(key->currency)));
            else
                tg_pg_put_int(link, column == 0 ? (int64_t)key->partner : column == 1 ? key->day : key->environment);
        }
    }
    tg_pg_queue(link, TG_PG_COUNTER_LOCK);
    return count;
}

static void queue_asked(struct tg_postgres *store)
{
    struct tg_pg_link *link = &store->link;
    const struct tg_pg_batch *batch = &store->batch;
    if (batch->ask_ticket_count > 0) {
        tg_pg_array(link, TG_PG_INT8, batch->ask_ticket_count);
        for (size_t i = 0; i < batch->ask_ticket_count; i++)
            tg_pg_put_int(link, (int64_t)batch->ask_tickets[i]);
        tg_pg_queue(link, TG_PG_CLAIM_BY_TICKET);
    }
    if (batch->ask_request_count > 0) {
        tg_pg_array(link, TG_PG_UUID, batch->ask_request_count);
        for (size_t i = 0; i < batch->ask_request_count; i++)
            tg_pg_put_bytes(link, tg_span(batch->ask_requests[i], TG_REQUEST_ID_BYTES));
        tg_pg_queue(link, TG_PG_CLAIM_BY_REQUEST);
    }
}

/* ---- taking in ---- */

static void fill_settlement(struct tg_pg_entry *entry, const PGresult *rows, int at)
{
    entry->claim.state = TG_CLAIM_STATE_FINAL;
    entry->upstream_status = (uint16_t)tg_pg_get_int(rows, at, COLUMN_S_UPSTREAM);
    entry->caller_status = (uint16_t)tg_pg_get_int(rows, at, COLUMN_S_CALLER);
    entry->seal_segment = (uint32_t)tg_pg_get_int(rows, at, COLUMN_S_SEGMENT);
    entry->expires_us = tg_pg_get_int(rows, at, COLUMN_S_EXPIRES);
    entry->sealed_len = tg_pg_get_int(rows, at, COLUMN_S_LENGTH);
    entry->has_answer = entry->sealed_len > 0;
    entry->sealed = tg_pg_get_bytes(rows, at, COLUMN_S_SEALED);
    entry->purged = tg_pg_is_null(rows, at, COLUMN_S_PURGED) || tg_pg_get_int(rows, at, COLUMN_S_PURGED) != 0;
}

static void fill_claim(struct tg_pending_claim *claim, const struct tg_row *row)
{
    const struct tg_verdict_row *verdict = &row->verdict;
    claim->at_us = verdict->at_us;
    claim->expires_us = row->expires_us;
    claim->amount_minor = verdict->amount_minor;
    claim->partner = verdict->partner;
    claim->credential = verdict->credential;
    claim->quota_day = row->quota_day;
    claim->environment = verdict->environment;
    claim->flags = verdict->flags;
    claim->has_quota = row->has_quota;
    memcpy(claim->currency, verdict->currency, sizeof(claim->currency));
    memcpy(claim->request_id, verdict->request_id, sizeof(claim->request_id));
    memcpy(claim->fingerprint, row->fingerprint, sizeof(claim->fingerprint));
}

/* The entry becomes what the row says; it is not in the maps meanwhile. */
static enum tg_err fill_entry(struct tg_postgres *store, struct tg_pg_entry *entry, const PGresult *rows, int at)
{
    struct tg_row row;
    int64_t state = tg_pg_get_int(rows, at, COLUMN_STATE), told = tg_pg_get_int(rows, at, COLUMN_TOLD);
    if (!tg_pg_get_copy(rows, at, COLUMN_KEY, entry->claim.claim_key, TG_CLAIM_KEY_BYTES))
        return TG_ERR_CORRUPT;
    entry->row = true;
    entry->row_ticket = entry->claim.ticket = (uint64_t)tg_pg_get_int(rows, at, COLUMN_TICKET);
    entry->row_state = (uint8_t)state;
    entry->body = tg_pg_get_bytes(rows, at, COLUMN_BODY);
    entry->damaged = tg_row_read(TG_ROW_ADMIT, 0, entry->body, &row) != TG_OK ||
                     memcmp(row.claim_key, entry->claim.claim_key, TG_CLAIM_KEY_BYTES) != 0;
    if (!entry->damaged)
        fill_claim(&entry->claim, &row);
    entry->claim.upstream_status = (uint16_t)(told >> 16);
    entry->claim.reason = (uint16_t)told;
    entry->claim.state = state == TG_PG_ROW_UNKNOWN ? TG_CLAIM_STATE_UNKNOWN
                         : state == TG_PG_ROW_LOST  ? TG_CLAIM_STATE_LOST
                                                    : TG_CLAIM_STATE_IN_FLIGHT;
    if (!tg_pg_is_null(rows, at, COLUMN_S_TICKET)) {
        fill_settlement(entry, rows, at);
    } else if (state == TG_PG_ROW_FINAL) {
        entry->damaged = true; /* final, and what ended it is gone */
    } else if (state == TG_PG_ROW_IN_FLIGHT) {
        entry->foreign = true; /* ours are in memory */
    }
    tg_pg_entry_link(&store->batch, entry);
    return entry->claim.state == TG_CLAIM_STATE_FINAL ? TG_OK : gather_quota(store, &entry->claim);
}

/* Fresh keys: taken by us, or somebody's. TG_ERR_DENIED: one that went in between; the batch is tried again. */
static enum tg_err take_fresh(struct tg_postgres *store, const PGresult *taken, const PGresult *rows)
{
    struct tg_pg_batch *batch = &store->batch;
    size_t known = 0;
    for (int i = 0; i < PQntuples(taken); i++) {
        uint64_t ticket = (uint64_t)tg_pg_get_int(taken, i, 0);
        for (size_t at = 0; at < batch->fresh_count; at++) {
            struct tg_pg_entry *entry = batch->fresh[(known + at) % batch->fresh_count]; /* nearly always the next */
            if (entry->claim.ticket == ticket) {
                entry->row = entry->inserted = true;
                entry->row_ticket = ticket;
                entry->row_state = TG_PG_ROW_IN_FLIGHT;
                break;
            }
        }
        known++;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        struct tg_pg_entry *entry = tg_pg_entry_key(batch, tg_pg_get_bytes(rows, i, COLUMN_KEY));
        if (entry == NULL || entry->row)
            continue;
        tg_pg_entry_unlink(batch, entry);
        enum tg_err err = fill_entry(store, entry, rows, i);
        if (err != TG_OK)
            return err;
    }
    for (size_t i = 0; i < batch->fresh_count; i++)
        if (!batch->fresh[i]->row) {
            store->link.fault = TG_PG_FAULT_AGAIN;
            return TG_ERR_DENIED;
        }
    return TG_OK;
}

static enum tg_err take_rows(struct tg_postgres *store, const PGresult *rows)
{
    struct tg_pg_batch *batch = &store->batch;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (!tg_pg_is_null(rows, i, COLUMN_S_TICKET) && batch->told_count < batch->entry_cap) {
            struct tg_pg_told *told = &batch->told[batch->told_count++];
            told->ticket = (uint64_t)tg_pg_get_int(rows, i, COLUMN_S_TICKET);
            told->outcome = (uint8_t)tg_pg_get_int(rows, i, COLUMN_S_OUTCOME);
            if (!tg_pg_get_copy(rows, i, COLUMN_S_REQUEST, told->request_id, TG_REQUEST_ID_BYTES))
                return TG_ERR_CORRUPT;
        }
        if (tg_pg_is_null(rows, i, COLUMN_KEY) ||
            tg_pg_entry_key(batch, tg_pg_get_bytes(rows, i, COLUMN_KEY)) != NULL)
            continue;
        struct tg_pg_entry *entry = tg_pg_entry_add(batch);
        enum tg_err err = entry == NULL ? TG_ERR_BUG : fill_entry(store, entry, rows, i);
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}

static void take_counters(struct tg_postgres *store, const PGresult *rows)
{
    struct tg_pg_batch *batch = &store->batch;
    for (int i = 0; i < PQntuples(rows); i++) {
        struct tg_quota_key key = {(uint32_t)tg_pg_get_int(rows, i, 0), (int32_t)tg_pg_get_int(rows, i, 1),
                                   (uint8_t)tg_pg_get_int(rows, i, 2), {0, 0, 0}};
        (void)tg_pg_get_copy(rows, i, 3, key.currency, sizeof(key.currency));
        struct tg_pg_counter *counter = tg_pg_counter(store, &key);
        if (counter == NULL || counter->loaded)
            continue;
        counter->there = true;
        counter->reserved = counter->now.reserved = tg_pg_get_int(rows, i, 4);
        counter->committed = counter->now.committed = tg_pg_get_int(rows, i, 5);
    }
    for (size_t i = 0; i < batch->counter_count; i++)
        batch->counters[i].loaded = true;
}

/* Another keeper was declared gone since we looked last: was it us? */
static enum tg_err take_takeovers(struct tg_postgres *store, const PGresult *rows)
{
    if (PQntuples(rows) != 1)
        return TG_ERR_CORRUPT;
    if (tg_pg_get_int(rows, 0, 1) != 1) {
        tg_postgres_log(store, "another keeper took this one for gone: it stops");
        return TG_ERR_DOWN;
    }
    store->takeovers = tg_pg_get_int(rows, 0, 0);
    return TG_OK;
}

static enum tg_err load_missing_counters(struct tg_postgres *store)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    if (queue_counters(store) == 0)
        return TG_OK;
    enum tg_err err = tg_pg_sync(&store->link, results);
    if (err != TG_OK)
        return err;
    take_counters(store, results[0]);
    PQclear(results[0]);
    return TG_OK;
}

enum tg_err tg_pg_load(struct tg_postgres *store, bool again)
{
    struct tg_pg_batch *batch = &store->batch;
    struct tg_pg_link *link = &store->link;
    PGresult *results[TG_PG_QUEUED_MAX];
    enum tg_err err = gather(store);
    if (err != TG_OK)
        return err;
    tg_pg_queue(link, TG_PG_BEGIN);
    if (again) {
        tg_pg_int4(link, store->instance);
        tg_pg_queue(link, TG_PG_TAKEOVERS);
    }
    if (batch->fresh_count > 0)
        queue_fresh(store);
    queue_asked(store);
    bool counters = queue_counters(store) > 0;
    size_t count = link->queued, at = 1;
    if (count == 1 && !again)
        return TG_OK; /* nothing is asked: BEGIN goes out with the second round trip, which is then the only one */
    err = tg_pg_sync(link, results);
    if (err != TG_OK)
        return err;
    memcpy(batch->results, results, count * sizeof(results[0]));
    batch->result_count = count;
    if (counters) /* the last one asked, taken in first: claims that are read may name more of them */
        take_counters(store, results[count - 1]);
    if (again)
        err = take_takeovers(store, results[at++]);
    if (err == TG_OK && batch->fresh_count > 0) {
        err = take_fresh(store, results[at], results[at + 1]);
        at += 2;
    }
    if (err == TG_OK && batch->ask_ticket_count > 0)
        err = take_rows(store, results[at++]);
    if (err == TG_OK && batch->ask_request_count > 0)
        err = take_rows(store, results[at]);
    return err == TG_OK ? load_missing_counters(store) : err;
}
