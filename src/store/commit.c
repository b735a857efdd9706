/*
 * commit.c - a batch: decide each work in order, append, one COMMIT.
 *
 * Promises: one transaction on one file, so one fsync a batch; a batch that
 * appends nothing costs none. After any failure the store refuses every
 * further call: memory holds claims that the disk does not, and only a start
 * from what is durable puts that right.
 * Does not: wait for more works (the caller batches) or retry.
 */
#include <string.h>

#include "store/state.h"
#include "wire/message.h"

/* What is known of the claim: unsettled ones from memory, settled ones from their row. */
static enum tg_err look_up(struct tg_store *store, const struct tg_admit_work *work, int64_t now_us,
                           struct tg_pending_claim **ret_claim, struct tg_claim_known *ret)
{
    memset(ret, 0, sizeof(*ret));
    struct tg_pending_claim *claim = tg_pending_key(&store->pending, work->claim_key);
    *ret_claim = claim;
    if (claim != NULL) {
        ret->state = claim->state;
        memcpy(ret->request_id, claim->request_id, sizeof(ret->request_id));
        memcpy(ret->fingerprint, claim->fingerprint, sizeof(ret->fingerprint));
        return TG_OK;
    }
    enum tg_err err = tg_state_final(store, work->claim_key, now_us, &store->held);
    if (err == TG_ERR_ABSENT)
        return TG_OK;
    if (err != TG_OK)
        return err;
    const struct tg_row *row = &store->held.row;
    const struct tg_segment_info *sealed = tg_state_info(store, row->seal_segment);
    ret->state = TG_CLAIM_STATE_FINAL;
    ret->has_answer = row->has_answer && sealed != NULL && !sealed->purged;
    ret->expires_us = row->expires_us;
    memcpy(ret->request_id, row->verdict.request_id, sizeof(ret->request_id));
    memcpy(ret->fingerprint, row->fingerprint, sizeof(ret->fingerprint));
    return TG_OK;
}

/* True when the day's limit allows it. An unknown that is sent again brings its old reservation to an end first. */
static enum tg_err reserve(struct tg_store *store, const struct tg_admit_work *work,
                           const struct tg_pending_claim *before, bool *ret)
{
    if (before != NULL) {
        enum tg_err err = tg_settle_quota(store, before, false);
        if (err != TG_OK)
            return err;
    }
    *ret = true;
    if (!work->has_quota || (work->row.flags & TG_FLAG_HAS_AMOUNT) == 0)
        return TG_OK;
    struct tg_quota_key key = {work->row.partner, work->quota_day, work->row.environment, {0, 0, 0}};
    memcpy(key.currency, work->row.currency, sizeof(key.currency));
    struct tg_quota_counter *counter = tg_quota_counter(&store->quota, &key);
    if (counter == NULL)
        return TG_ERR_DOWN;
    *ret = tg_quota_reserve(&store->quota, counter, work->row.amount_minor, work->quota_day_minor);
    return TG_OK;
}

/* Undoes the release in reserve(): the unknown stays, and so does what it holds. */
static enum tg_err reserve_again(struct tg_store *store, const struct tg_pending_claim *before)
{
    if (before == NULL || !before->has_quota)
        return TG_OK;
    struct tg_quota_key key = {before->partner, before->quota_day, before->environment, {0, 0, 0}};
    memcpy(key.currency, before->currency, sizeof(key.currency));
    struct tg_quota_counter *counter = tg_quota_counter(&store->quota, &key);
    if (counter == NULL)
        return TG_ERR_DOWN;
    return tg_quota_reserve(&store->quota, counter, before->amount_minor, INT64_MAX) ? TG_OK : TG_ERR_BUG;
}

static enum tg_err take(struct tg_store *store, struct tg_admit_work *work, struct tg_pending_claim *before)
{
    bool allowed = false;
    enum tg_err err = reserve(store, work, before, &allowed);
    if (err != TG_OK)
        return err;
    if (!allowed) {
        err = reserve_again(store, before);
        work->result = TG_CLAIM_OVER_QUOTA;
        struct tg_row refused = tg_row_admit(work, TG_ROW_VERDICT);
        return err != TG_OK ? err : tg_state_append(store, &refused, tg_span(NULL, 0));
    }
    work->result = TG_CLAIM_TAKEN;
    struct tg_row row = tg_row_admit(work, TG_ROW_ADMIT);
    row.replaces = before == NULL ? 0 : before->ticket;
    row.has_quota = work->has_quota && (work->row.flags & TG_FLAG_HAS_AMOUNT) != 0;
    err = tg_state_append(store, &row, tg_span(NULL, 0));
    if (err != TG_OK)
        return err;
    struct tg_pending_claim *claim = tg_pending_ticket(&store->pending, row.ticket);
    if (claim == NULL)
        return TG_ERR_BUG;
    claim->owner = work->owner;
    tg_pending_state(&store->pending, claim, TG_CLAIM_STATE_IN_FLIGHT);
    work->ticket = row.ticket;
    return TG_OK;
}

/* Copies the stored answer. With no room left in the arena the caller is told to come again: safe, and true. */
static enum tg_err replay(struct tg_store *store, struct tg_admit_work *work, struct tg_arena *arena)
{
    uint64_t at = store->held.row.sequence;
    enum tg_err err = tg_state_read(store, at, &store->held, arena, &work->sealed);
    if (err == TG_ERR_ROOM) {
        work->result = TG_CLAIM_IN_FLIGHT;
        work->sealed = tg_span(NULL, 0);
        return TG_OK;
    }
    if (err != TG_OK)
        return err;
    const struct tg_row *row = &store->held.row;
    work->stored_status = row->caller_status != 0 ? row->caller_status : row->upstream_status;
    work->seal_segment = row->seal_segment;
    return TG_OK;
}

/*
 * The key is settled, but its row cannot be read: this caller is held off, for ever if need be, and an operator told.
 * Stopping the store instead would let one retry of one client stop everyone's payments again after each start.
 */
static enum tg_err hold_off(struct tg_store *store, struct tg_admit_work *work)
{
    tg_state_log(store, "a settled claim's row cannot be read: its key is held");
    work->result = TG_CLAIM_IN_FLIGHT;
    struct tg_row row = tg_row_admit(work, TG_ROW_VERDICT);
    return tg_state_append(store, &row, tg_span(NULL, 0));
}

static enum tg_err admit(struct tg_store *store, struct tg_admit_work *work, int64_t now_us, struct tg_arena *arena)
{
    struct tg_pending_claim *claim = NULL;
    struct tg_claim_known known;
    struct tg_claim_ask ask = {now_us, work->resend_unknown, work->row.request_id, work->fingerprint};
    work->ticket = 0;
    work->stored_status = 0;
    work->sealed = tg_span(NULL, 0);
    work->seal_segment = 0;
    memset(work->original_id, 0, sizeof(work->original_id));
    enum tg_err err = look_up(store, work, now_us, &claim, &known);
    if (err == TG_ERR_CORRUPT)
        return hold_off(store, work);
    if (err != TG_OK)
        return err;
    work->result = tg_claim_decide(&known, &ask);
    if (work->result == TG_CLAIM_TAKEN)
        return take(store, work, claim);
    memcpy(work->original_id, known.request_id, sizeof(work->original_id));
    if (work->result == TG_CLAIM_SAME) {
        claim->owner = work->owner; /* the gate asks on a new link: it holds the request, so it is in flight again */
        tg_pending_state(&store->pending, claim, TG_CLAIM_STATE_IN_FLIGHT);
        work->ticket = claim->ticket;
        return TG_OK;
    }
    if (work->result == TG_CLAIM_REPLAY) {
        err = replay(store, work, arena);
        if (err == TG_ERR_CORRUPT)
            return hold_off(store, work);
        if (err != TG_OK)
            return err;
    }
    struct tg_row row = tg_row_admit(work, TG_ROW_VERDICT);
    row.verdict.status = work->result == TG_CLAIM_REPLAY ? work->stored_status : work->row.status;
    return tg_state_append(store, &row, tg_span(NULL, 0));
}

static enum tg_err do_work(struct tg_store *store, struct tg_work *work, int64_t now_us, struct tg_arena *arena)
{
    switch (work->kind) {
    case TG_WORK_ADMIT:
        return admit(store, &work->admit, now_us, arena);
    case TG_WORK_REFUSAL: {
        struct tg_row row = {.kind = TG_ROW_REFUSAL, .verdict = work->refusal};
        return tg_state_append(store, &row, tg_span(NULL, 0));
    }
    case TG_WORK_SETTLE:
        return tg_settle_work_do(store, &work->settle);
    case TG_WORK_LOST:
        return tg_lost_work_do(store, work->lost.owner, work->lost.at_us);
    case TG_WORK_RESOLVE:
        return tg_resolve_work_do(store, &work->resolve);
    }
    return TG_ERR_BUG;
}

/*
 * What the works will look at in memory lies far apart, and each look is a wait for memory: all are begun together
 * before the first is needed, and then those whose place is only known from what the first brought.
 */
static void bring_near(const struct tg_store *store, struct tg_work *const *works, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tg_work *work = works[i];
        if (work->kind == TG_WORK_ADMIT) {
            tg_pending_near_new(&store->pending, work->admit.row.request_id, work->admit.claim_key);
            tg_index_near(&store->index, tg_index_tag(work->admit.claim_key));
        } else if (work->kind == TG_WORK_SETTLE) {
            tg_pending_near_old(&store->pending, work->settle.ticket);
            tg_recent_near(&store->recent, work->settle.request_id);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct tg_work *work = works[i];
        if (work->kind == TG_WORK_ADMIT)
            tg_index_nearer(&store->index, tg_index_tag(work->admit.claim_key));
        else if (work->kind == TG_WORK_SETTLE)
            tg_pending_nearer_old(&store->pending, work->settle.ticket);
    }
}

static enum tg_err run_batch(struct tg_store *store, int64_t now_us, struct tg_work *const *works, size_t count,
                             struct tg_arena *arena)
{
    enum tg_err err = tg_segment_begin(&store->open);
    if (err != TG_OK)
        return err;
    bring_near(store, works, count);
    for (size_t i = 0; err == TG_OK && i < count; i++)
        err = do_work(store, works[i], now_us, arena);
    if (err == TG_OK)
        err = tg_segment_write_counters(&store->open, &store->quota);
    if (err == TG_OK)
        err = tg_segment_commit(&store->open);
    if (err != TG_OK)
        tg_segment_rollback(&store->open);
    return err;
}

enum tg_err tg_embedded_commit(struct tg_store *store, int64_t now_us, struct tg_work *const *works, size_t count,
                               struct tg_arena *arena)
{
    if (store->failed || atomic_load(&store->checkpointer.broken))
        return TG_ERR_DOWN;
    if (count == 0)
        return TG_OK;
    tg_checkpointer_lock(store);
    enum tg_err err = run_batch(store, now_us, works, count, arena);
    tg_checkpointer_unlock(store);
    if (err != TG_OK) {
        store->failed = true;
        tg_state_log(store, "a batch could not be made durable: the store stops");
        return err;
    }
    struct tg_segment_info *info = tg_state_open_info(store);
    if (now_us > info->last_event_us)
        info->last_event_us = now_us;
    tg_state_publish_claims(store);
    return TG_OK;
}
