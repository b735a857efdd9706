/*
 * postgres_decide.c - a batch's works, in order, against what was loaded plus the works before them.
 *
 * Promises: the words of commit.c and settle.c, on the batch's copies: nothing outside of the batch changes, so it can
 * be decided again. Does not: write, but asks for large stored answers.
 */
#include <string.h>

#include "base/endian.h"
#include "store/postgres.h"
#include "wire/message.h"

/* offset, kind, length */
#define EVENT_HEAD_BYTES 7

static enum tg_err record(struct tg_pg_batch *batch, struct tg_row *row, bool has_answer)
{
    if (batch->event_count % TG_PG_EVENT_ROWS_MAX == 0) {
        if (batch->chunks == sizeof(batch->chunk_starts) / sizeof(batch->chunk_starts[0]))
            return TG_ERR_LIMIT;
        batch->chunk_starts[batch->chunks++] = batch->events.len;
    }
    row->has_answer = has_answer;
    uint8_t *at = tg_pg_bytes_grab(&batch->events, EVENT_HEAD_BYTES + TG_ROW_BYTES_MAX);
    if (at == NULL)
        return TG_ERR_DOWN;
    struct tg_buf out = tg_buf(at + EVENT_HEAD_BYTES, TG_ROW_BYTES_MAX);
    tg_row_write(&out, row);
    if (tg_buf_done(&out) != TG_OK)
        return TG_ERR_BUG;
    tg_be32_write(at, (uint32_t)(batch->event_count % TG_PG_EVENT_ROWS_MAX));
    at[4] = (uint8_t)row->kind;
    tg_be16_write(at + 5, (uint16_t)out.len);
    batch->events.len -= TG_ROW_BYTES_MAX - out.len;
    batch->event_count++;
    return TG_OK;
}

static bool is_unknown(const struct tg_pg_entry *entry)
{
    return entry->claim.state == TG_CLAIM_STATE_LOST || entry->claim.state == TG_CLAIM_STATE_UNKNOWN;
}

/* Changes the claim's state, and the shared counts with it. */
static void become(struct tg_pg_batch *batch, struct tg_pg_entry *entry, enum tg_claim_state state)
{
    batch->unknown -= is_unknown(entry);
    entry->claim.state = state;
    batch->unknown += is_unknown(entry);
    entry->changed = true;
}

static void settle_ticket(struct tg_pg_batch *batch, const struct tg_pending_claim *claim, uint8_t outcome,
                          int64_t expires_us, struct tg_pg_settlement more)
{
    struct tg_pg_settlement *settlement = &batch->settlements[batch->settlement_count++];
    *settlement = more;
    settlement->ticket = claim->ticket;
    settlement->outcome = outcome;
    settlement->expires_us = expires_us;
    memcpy(settlement->request_id, claim->request_id, TG_REQUEST_ID_BYTES);
}

static enum tg_err end_quota(struct tg_postgres *store, const struct tg_pending_claim *claim, bool spent)
{
    if (!claim->has_quota)
        return TG_OK;
    struct tg_quota_key key = tg_pg_quota_key(claim);
    struct tg_pg_counter *counter = tg_pg_counter(store, &key);
    if (counter == NULL || !counter->loaded)
        return TG_ERR_BUG;
    tg_quota_end(&store->batch.marks, &counter->now, claim->amount_minor, spent);
    return TG_OK;
}

static enum tg_err reserve(struct tg_postgres *store, const struct tg_quota_key *key, int64_t amount, int64_t limit,
                           bool *ret)
{
    struct tg_pg_counter *counter = tg_pg_counter(store, key);
    if (counter == NULL || !counter->loaded)
        return TG_ERR_BUG;
    *ret = tg_quota_reserve(&store->batch.marks, &counter->now, amount, limit);
    if (*ret || !counter->remembered)
        return TG_OK;
    /* Another keeper may have given back since: the batch is decided again on what the server has. */
    store->link.fault = TG_PG_FAULT_AGAIN;
    return TG_ERR_DENIED;
}

/* An unknown that is sent again brings its old reservation to an end first, and back when the new one does not fit. */
static enum tg_err reserve_new(struct tg_postgres *store, const struct tg_admit_work *work,
                               const struct tg_pg_entry *entry, bool quota, bool *ret)
{
    bool before = is_unknown(entry);
    enum tg_err err = before ? end_quota(store, &entry->claim, false) : TG_OK;
    *ret = true;
    if (err != TG_OK || !quota)
        return err;
    struct tg_quota_key key = {work->row.partner, work->quota_day, work->row.environment, {0, 0, 0}};
    memcpy(key.currency, work->row.currency, sizeof(key.currency));
    err = reserve(store, &key, work->row.amount_minor, work->quota_day_minor, ret);
    if (err != TG_OK || *ret || !before || !entry->claim.has_quota)
        return err;
    key = tg_pg_quota_key(&entry->claim);
    bool again = false;
    err = reserve(store, &key, entry->claim.amount_minor, INT64_MAX, &again);
    return err != TG_OK || again ? err : TG_ERR_BUG;
}

static enum tg_err take(struct tg_postgres *store, struct tg_admit_work *work, struct tg_pg_entry *entry,
                        uint64_t ticket, struct tg_span body)
{
    struct tg_pg_batch *batch = &store->batch;
    bool allowed = false, quota = work->has_quota && (work->row.flags & TG_FLAG_HAS_AMOUNT) != 0;
    enum tg_err err = reserve_new(store, work, entry, quota, &allowed);
    if (err != TG_OK)
        return err;
    if (!allowed) {
        work->result = TG_CLAIM_OVER_QUOTA;
        struct tg_row refused = tg_row_admit(work, TG_ROW_VERDICT);
        return record(batch, &refused, false);
    }
    work->result = TG_CLAIM_TAKEN;
    work->ticket = ticket;
    struct tg_row row = tg_row_admit(work, TG_ROW_ADMIT);
    row.ticket = ticket;
    row.has_quota = quota;
    if (is_unknown(entry)) {
        row.replaces = entry->claim.ticket;
        settle_ticket(batch, &entry->claim, TG_OUTCOME_UNKNOWN, entry->claim.expires_us, (struct tg_pg_settlement){0});
    }
    if (entry->claim.state == TG_CLAIM_STATE_NONE)
        batch->claims++;
    tg_pg_entry_unlink(batch, entry);
    become(batch, entry, TG_CLAIM_STATE_IN_FLIGHT);
    struct tg_pending_claim fresh = {
        .ticket = ticket, .owner = work->owner, .state = TG_CLAIM_STATE_IN_FLIGHT, .at_us = work->row.at_us,
        .expires_us = work->expires_us, .amount_minor = work->row.amount_minor, .partner = work->row.partner,
        .credential = work->row.credential, .quota_day = work->quota_day, .environment = work->row.environment,
        .flags = work->row.flags, .has_quota = quota};
    memcpy(fresh.currency, work->row.currency, sizeof(fresh.currency));
    memcpy(fresh.request_id, work->row.request_id, sizeof(fresh.request_id));
    memcpy(fresh.claim_key, work->claim_key, sizeof(fresh.claim_key));
    memcpy(fresh.fingerprint, work->fingerprint, sizeof(fresh.fingerprint));
    entry->claim = fresh;
    entry->foreign = false;
    entry->body = body;
    tg_pg_entry_link(batch, entry);
    return record(batch, &row, false);
}

/* With no room left in the arena the caller is told to come again: safe, and true. */
static enum tg_err replay(struct tg_postgres *store, struct tg_admit_work *work, struct tg_pg_entry *entry)
{
    struct tg_pg_batch *batch = &store->batch;
    if ((uint64_t)entry->sealed_len > batch->arena->cap - batch->arena->used) {
        work->result = TG_CLAIM_IN_FLIGHT;
        return TG_OK;
    }
    if (entry->sealed.len > 0) {
        work->sealed = tg_arena_copy(batch->arena, entry->sealed);
    } else {
        PGresult *result = NULL;
        tg_pg_int8(&store->link, (int64_t)entry->claim.ticket);
        enum tg_err err = tg_pg_run(&store->link, TG_PG_SEALED, &result);
        if (err != TG_OK)
            return err;
        if (PQntuples(result) == 1)
            work->sealed = tg_arena_copy(batch->arena, tg_pg_get_bytes(result, 0, 0));
        PQclear(result);
    }
    if (work->sealed.len == 0)
        work->result = TG_CLAIM_IN_FLIGHT;
    work->stored_status = entry->caller_status != 0 ? entry->caller_status : entry->upstream_status;
    work->seal_segment = entry->seal_segment;
    return TG_OK;
}

static struct tg_claim_known known_of(const struct tg_pg_entry *entry)
{
    struct tg_claim_known known = {.state = entry->claim.state, .has_answer = entry->has_answer && !entry->purged,
                                   .expires_us = entry->expires_us};
    memcpy(known.request_id, entry->claim.request_id, sizeof(known.request_id));
    memcpy(known.fingerprint, entry->claim.fingerprint, sizeof(known.fingerprint));
    return known;
}

static enum tg_err admit(struct tg_postgres *store, struct tg_admit_work *work, struct tg_span body)
{
    struct tg_pg_batch *batch = &store->batch;
    uint64_t ticket = work->ticket; /* given by the load */
    struct tg_pg_entry *entry = tg_pg_entry_key(batch, tg_span(work->claim_key, TG_CLAIM_KEY_BYTES));
    if (entry == NULL)
        return TG_ERR_BUG;
    work->ticket = 0;
    work->stored_status = 0;
    work->sealed = tg_span(NULL, 0);
    work->seal_segment = 0;
    memset(work->original_id, 0, sizeof(work->original_id));
    struct tg_claim_known known = known_of(entry);
    struct tg_claim_ask ask = {batch->now_us, work->resend_unknown, work->row.request_id, work->fingerprint};
    work->result = entry->damaged ? TG_CLAIM_IN_FLIGHT : tg_claim_decide(&known, &ask);
    if (work->result == TG_CLAIM_TAKEN)
        return take(store, work, entry, ticket, body);
    if (entry->damaged)
        tg_postgres_log(store, "a claim's row cannot be read: its key is held");
    else
        memcpy(work->original_id, known.request_id, sizeof(work->original_id));
    if (work->result == TG_CLAIM_SAME && entry->foreign)
        work->result = TG_CLAIM_IN_FLIGHT; /* its own keeper answers for it */
    if (work->result == TG_CLAIM_SAME) {
        entry->claim.owner = work->owner; /* the gate asks on a new link: it holds the request, so it is in flight */
        work->ticket = entry->claim.ticket;
        if (entry->claim.state != TG_CLAIM_STATE_IN_FLIGHT) {
            become(batch, entry, TG_CLAIM_STATE_IN_FLIGHT);
            batch->takes_back = true;
        }
        return TG_OK;
    }
    if (work->result == TG_CLAIM_REPLAY) {
        enum tg_err err = replay(store, work, entry);
        if (err != TG_OK)
            return err;
    }
    struct tg_row row = tg_row_admit(work, TG_ROW_VERDICT);
    row.verdict.status = work->result == TG_CLAIM_REPLAY ? work->stored_status : work->row.status;
    return record(batch, &row, false);
}

/* What was told before of a request that has no claim now; 0: nothing known of it. */
static uint8_t told_before(const struct tg_postgres *store, const struct tg_settle_work *work)
{
    const struct tg_pg_batch *batch = &store->batch;
    for (size_t i = batch->settlement_count; i > 0; i--)
        if (memcmp(batch->settlements[i - 1].request_id, work->request_id, TG_REQUEST_ID_BYTES) == 0)
            return batch->settlements[i - 1].outcome;
    uint8_t outcome = tg_recent_get(&store->recent, work->request_id);
    for (size_t i = 0; outcome == 0 && work->ticket != 0 && i < batch->told_count; i++)
        if (batch->told[i].ticket == work->ticket &&
            memcmp(batch->told[i].request_id, work->request_id, TG_REQUEST_ID_BYTES) == 0)
            outcome = batch->told[i].outcome;
    return outcome;
}

static struct tg_pg_entry *unsettled(struct tg_pg_entry *entry, const uint8_t *request_id)
{
    if (entry == NULL || entry->foreign || entry->damaged || entry->claim.state == TG_CLAIM_STATE_FINAL ||
        memcmp(entry->claim.request_id, request_id, TG_REQUEST_ID_BYTES) != 0)
        return NULL;
    return entry;
}

static enum tg_err settle(struct tg_postgres *store, struct tg_settle_work *work)
{
    struct tg_pg_batch *batch = &store->batch;
    if (work->outcome < TG_OUTCOME_FINAL || work->outcome > TG_OUTCOME_NOT_SENT) {
        work->result = TG_ERR_INPUT;
        return TG_OK;
    }
    struct tg_pg_entry *entry = unsettled(work->ticket != 0 ? tg_pg_entry_ticket(batch, work->ticket)
                                                            : tg_pg_entry_request(batch, work->request_id),
                                          work->request_id);
    if (entry == NULL) {
        uint8_t outcome = told_before(store, work);
        work->result = outcome == 0 ? TG_ERR_ABSENT : outcome == work->outcome ? TG_OK : TG_ERR_DENIED;
        return TG_OK;
    }
    work->result = TG_OK;
    bool final = work->outcome == TG_OUTCOME_FINAL, unknown = work->outcome == TG_OUTCOME_UNKNOWN;
    if (unknown && entry->claim.state == TG_CLAIM_STATE_UNKNOWN)
        return TG_OK;
    enum tg_err err = TG_OK;
    if (!unknown)
        err = end_quota(store, &entry->claim, final && work->upstream_status < TG_ROW_STATUS_NOT_SPENT);
    if (err != TG_OK)
        return err;
    struct tg_row row = tg_pending_row(&entry->claim, final ? TG_ROW_FINAL : TG_ROW_SETTLE, work->at_us);
    row.verdict.reason = work->reason;
    row.verdict.status = work->caller_status;
    row.outcome = work->outcome;
    row.upstream_status = work->upstream_status;
    row.caller_status = work->caller_status;
    row.upstream_us = work->upstream_us;
    row.seal_segment = work->seal_segment;
    struct tg_pg_settlement more = {.upstream_status = work->upstream_status, .caller_status = work->caller_status,
                                    .segment = work->seal_segment};
    if (final)
        more.sealed = work->sealed;
    if (unknown) {
        entry->claim.upstream_status = work->upstream_status;
        entry->claim.reason = work->reason;
        become(batch, entry, TG_CLAIM_STATE_UNKNOWN);
    } else {
        settle_ticket(batch, &entry->claim, work->outcome, row.expires_us, more);
        batch->claims -= !final;
        become(batch, entry, final ? TG_CLAIM_STATE_FINAL : TG_CLAIM_STATE_NONE);
    }
    entry->expires_us = row.expires_us;
    entry->upstream_status = work->upstream_status;
    entry->caller_status = work->caller_status;
    entry->seal_segment = work->seal_segment;
    entry->sealed = more.sealed;
    entry->sealed_len = (int64_t)more.sealed.len;
    entry->has_answer = more.sealed.len > 0;
    entry->purged = false;
    return record(batch, &row, final && work->sealed.len > 0);
}

struct lost {
    struct tg_pg_batch *batch;
    uint64_t owner;
};

static enum tg_err gather_lost(void *user, struct tg_pending_claim *claim)
{
    const struct lost *lost = user;
    return claim->owner == lost->owner && tg_pg_entry_pending(lost->batch, claim) == NULL ? TG_ERR_BUG : TG_OK;
}

static enum tg_err lose(struct tg_postgres *store, uint64_t owner, int64_t at_us)
{
    struct tg_pg_batch *batch = &store->batch;
    struct lost lost = {batch, owner};
    enum tg_err err = tg_pending_each(&store->pending, gather_lost, &lost);
    for (size_t i = 0; err == TG_OK && i < batch->entry_count; i++) {
        struct tg_pg_entry *entry = &batch->entries[i];
        if (entry->claim.state != TG_CLAIM_STATE_IN_FLIGHT || entry->claim.owner != owner || entry->foreign ||
            entry->damaged)
            continue;
        become(batch, entry, TG_CLAIM_STATE_LOST);
        struct tg_row row = tg_pending_row(&entry->claim, TG_ROW_LOST, at_us);
        err = record(batch, &row, false);
    }
    return err;
}

static enum tg_err resolve(struct tg_postgres *store, struct tg_resolve_work *work)
{
    struct tg_pg_batch *batch = &store->batch;
    struct tg_pg_entry *entry = unsettled(tg_pg_entry_request(batch, work->request_id), work->request_id);
    if (entry == NULL || entry->claim.state == TG_CLAIM_STATE_IN_FLIGHT) {
        work->result = TG_ERR_ABSENT;
        return TG_OK;
    }
    work->result = TG_OK;
    enum tg_err err = end_quota(store, &entry->claim, work->executed && work->status < TG_ROW_STATUS_NOT_SPENT);
    if (err != TG_OK)
        return err;
    struct tg_row row = tg_pending_row(&entry->claim, work->executed ? TG_ROW_RESOLVE_FINAL : TG_ROW_RESOLVE,
                                       work->at_us);
    row.outcome = work->executed ? TG_OUTCOME_FINAL : TG_OUTCOME_NOT_EXECUTED;
    row.verdict.status = work->status;
    row.upstream_status = work->status;
    row.caller_status = work->status;
    row.seal_segment = work->seal_segment;
    row.actor = work->actor;
    row.note = work->note;
    struct tg_pg_settlement more = {.upstream_status = work->status, .caller_status = work->status,
                                    .segment = work->seal_segment};
    if (work->executed)
        more.sealed = work->sealed;
    settle_ticket(batch, &entry->claim, row.outcome, row.expires_us, more);
    batch->claims -= !work->executed;
    become(batch, entry, work->executed ? TG_CLAIM_STATE_FINAL : TG_CLAIM_STATE_NONE);
    entry->expires_us = row.expires_us;
    entry->upstream_status = entry->caller_status = work->status;
    entry->seal_segment = work->seal_segment;
    entry->sealed = more.sealed;
    entry->sealed_len = (int64_t)more.sealed.len;
    entry->has_answer = more.sealed.len > 0;
    entry->purged = false;
    return record(batch, &row, more.sealed.len > 0);
}

enum tg_err tg_pg_decide(struct tg_postgres *store)
{
    struct tg_pg_batch *batch = &store->batch;
    enum tg_err err = TG_OK;
    for (size_t i = 0; err == TG_OK && i < batch->count; i++) {
        struct tg_work *work = batch->works[i];
        struct tg_row row = {.kind = TG_ROW_REFUSAL};
        switch (work->kind) {
        case TG_WORK_ADMIT:
            err = admit(store, &work->admit, batch->bodies[i]);
            break;
        case TG_WORK_REFUSAL:
            row.verdict = work->refusal;
            err = record(batch, &row, false);
            break;
        case TG_WORK_SETTLE:
            err = settle(store, &work->settle);
            break;
        case TG_WORK_LOST:
            err = lose(store, work->lost.owner, work->lost.at_us);
            break;
        case TG_WORK_RESOLVE:
            err = resolve(store, &work->resolve);
            break;
        default:
            err = TG_ERR_BUG;
        }
    }
    return err;
}
