/*
 * settle.c - how a claim ends: an outcome told, a link lost, an operator's word.
 *
 * Promises: the first settlement stands; the same outcome told again is
 * answered the same; an unknown that ends keeps its key for another full life
 * when its own has passed, so that a retry that was told to wait cannot charge
 * a second time the moment the first charge is known.
 * Does not: decide what a status means for a claim (the gate's profile did).
 */
#include <string.h>

#include "store/state.h"
#include "wire/message.h"

enum tg_err tg_settle_quota(struct tg_store *store, const struct tg_pending_claim *claim, bool spent)
{
    if (!claim->has_quota)
        return TG_OK;
    struct tg_quota_key key = {claim->partner, claim->quota_day, claim->environment, {0, 0, 0}};
    memcpy(key.currency, claim->currency, sizeof(key.currency));
    struct tg_quota_counter *counter = tg_quota_counter(&store->quota, &key);
    if (counter == NULL)
        return TG_ERR_DOWN;
    tg_quota_end(&store->quota, counter, claim->amount_minor, spent);
    return TG_OK;
}

/* What was told before of a claim that is not pending any more; 0: nothing known of such a request. */
static enum tg_err told_before(struct tg_store *store, const struct tg_settle_work *work, uint8_t *ret)
{
    *ret = tg_recent_get(&store->recent, work->request_id);
    if (*ret != 0 || work->ticket == 0)
        return TG_OK;
    enum tg_err err = tg_state_read(store, work->ticket, &store->held, NULL, NULL);
    if (err != TG_OK)
        return err == TG_ERR_ABSENT ? TG_OK : err;
    struct tg_row *row = &store->held.row;
    if (row->kind != TG_ROW_ADMIT || memcmp(row->verdict.request_id, work->request_id, TG_REQUEST_ID_BYTES) != 0)
        return TG_OK;
    uint8_t key[TG_CLAIM_KEY_BYTES];
    memcpy(key, row->claim_key, sizeof(key));
    err = tg_state_final(store, key, work->at_us, &store->held);
    if (err != TG_OK && err != TG_ERR_ABSENT)
        return err;
    /* Admitted, settled, and not final: it was released, too long ago to say how. No outcome equals this one. */
    *ret = err == TG_OK && row->ticket == work->ticket ? TG_OUTCOME_FINAL : UINT8_MAX;
    return TG_OK;
}

static enum tg_err settle_again(struct tg_store *store, struct tg_settle_work *work)
{
    uint8_t outcome = 0;
    enum tg_err err = told_before(store, work, &outcome);
    if (err != TG_OK)
        return err;
    if (outcome == 0)
        work->result = TG_ERR_ABSENT;
    else
        work->result = outcome == work->outcome ? TG_OK : TG_ERR_DENIED;
    return TG_OK;
}

static struct tg_pending_claim *claim_of(const struct tg_store *store, const struct tg_settle_work *work)
{
    if (work->ticket == 0)
        return tg_pending_request(&store->pending, work->request_id);
    struct tg_pending_claim *claim = tg_pending_ticket(&store->pending, work->ticket);
    if (claim != NULL && memcmp(claim->request_id, work->request_id, TG_REQUEST_ID_BYTES) != 0)
        return NULL;
    return claim;
}

enum tg_err tg_settle_work_do(struct tg_store *store, struct tg_settle_work *work)
{
    if (work->outcome < TG_OUTCOME_FINAL || work->outcome > TG_OUTCOME_NOT_SENT) {
        work->result = TG_ERR_INPUT;
        return TG_OK;
    }
    struct tg_pending_claim *claim = claim_of(store, work);
    if (claim == NULL)
        return settle_again(store, work);
    work->result = TG_OK;
    bool final = work->outcome == TG_OUTCOME_FINAL, unknown = work->outcome == TG_OUTCOME_UNKNOWN;
    if (unknown && claim->state == TG_CLAIM_STATE_UNKNOWN)
        return TG_OK; /* told before, and nothing came since */
    enum tg_err err = TG_OK;
    if (!unknown)
        err = tg_settle_quota(store, claim, final && work->upstream_status < TG_ROW_STATUS_NOT_SPENT);
    if (err != TG_OK)
        return err;
    struct tg_row row = tg_pending_row(claim, final ? TG_ROW_FINAL : TG_ROW_SETTLE, work->at_us);
    row.verdict.reason = work->reason;
    row.verdict.status = work->caller_status;
    row.outcome = work->outcome;
    row.upstream_status = work->upstream_status;
    row.caller_status = work->caller_status;
    row.upstream_us = work->upstream_us;
    row.seal_segment = work->seal_segment;
    return tg_state_append(store, &row, final ? work->sealed : tg_span(NULL, 0));
}

struct lost {
    struct tg_store *store;
    uint64_t owner;
    int64_t at_us;
};

static enum tg_err lose(void *user, struct tg_pending_claim *claim)
{
    const struct lost *lost = user;
    if (claim->state != TG_CLAIM_STATE_IN_FLIGHT || claim->owner != lost->owner)
        return TG_OK;
    tg_pending_state(&lost->store->pending, claim, TG_CLAIM_STATE_LOST);
    struct tg_row row = tg_pending_row(claim, TG_ROW_LOST, lost->at_us);
    return tg_state_append(lost->store, &row, tg_span(NULL, 0));
}

enum tg_err tg_lost_work_do(struct tg_store *store, uint64_t owner, int64_t at_us)
{
    struct lost lost = {store, owner, at_us};
    return tg_pending_each(&store->pending, lose, &lost);
}

enum tg_err tg_resolve_work_do(struct tg_store *store, struct tg_resolve_work *work)
{
    struct tg_pending_claim *claim = tg_pending_request(&store->pending, work->request_id);
    if (claim == NULL || claim->state == TG_CLAIM_STATE_IN_FLIGHT) {
        work->result = TG_ERR_ABSENT;
        return TG_OK;
    }
    work->result = TG_OK;
    enum tg_err err = tg_settle_quota(store, claim, work->executed && work->status < TG_ROW_STATUS_NOT_SPENT);
    if (err != TG_OK)
        return err;
    struct tg_row row = tg_pending_row(claim, work->executed ? TG_ROW_RESOLVE_FINAL : TG_ROW_RESOLVE, work->at_us);
    row.outcome = work->executed ? TG_OUTCOME_FINAL : TG_OUTCOME_NOT_EXECUTED;
    row.verdict.status = work->status;
    row.upstream_status = work->status;
    row.caller_status = work->status;
    row.seal_segment = work->seal_segment;
    row.actor = work->actor;
    row.note = work->note;
    return tg_state_append(store, &row, work->executed ? work->sealed : tg_span(NULL, 0));
}
