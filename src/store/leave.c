/*
 * leave.c - a segment past retention goes: what still lives in it is carried on first, then its files are removed.
 *
 * Promises: no unsettled claim and no unexpired one is ever in a file that is
 * removed: the rows that carry them are durable before the list says that the
 * segment leaves. A crash in between carries again, which changes nothing.
 * Does not: remove files itself (checkpoint.c, in small steps).
 */
#include <string.h>

#include "store/state.h"
#include "wire/message.h"

struct carry {
    struct tg_store *store;
    const struct tg_segment_info *info;
    int64_t now_us;
    struct tg_pending_claim *claims[TG_STORE_CARRY_ROWS];
    size_t count;
    uint64_t seen;
};

static enum tg_err gather(void *user, struct tg_pending_claim *claim)
{
    struct carry *carry = user;
    if (carry->count < carry->store->carry_rows && claim->row >= carry->info->first && claim->row <= carry->info->last)
        carry->claims[carry->count++] = claim;
    return TG_OK;
}

static enum tg_err carry_open(struct carry *carry)
{
    for (size_t i = 0; i < carry->count; i++) {
        struct tg_store *store = carry->store;
        struct tg_pending_claim *claim = carry->claims[i];
        enum tg_err err = tg_state_read(store, claim->row, &store->held, NULL, NULL);
        if (err != TG_OK)
            return err == TG_ERR_ABSENT ? TG_ERR_CORRUPT : err;
        struct tg_row *row = &store->held.row;
        row->kind = TG_ROW_CARRY_OPEN;
        row->ticket = claim->ticket;
        if (claim->state == TG_CLAIM_STATE_UNKNOWN) {
            row->outcome = TG_OUTCOME_UNKNOWN; /* what was told stays told */
            row->upstream_status = claim->upstream_status;
            row->verdict.reason = claim->reason;
        }
        err = tg_state_append(store, row, tg_span(NULL, 0));
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}

static enum tg_err carry_final(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct carry *carry = user;
    carry->seen = row->sequence;
    if (!tg_row_is_final(row->kind) || row->expires_us <= carry->now_us)
        return TG_OK;
    struct tg_store *store = carry->store;
    uint64_t tag = tg_index_tag(row->claim_key);
    struct tg_index_find find = tg_index_find(&store->index, tag);
    bool there = false;
    for (uint64_t at = tg_index_next(&store->index, &find); at != 0; at = tg_index_next(&store->index, &find))
        there = there || at == row->sequence;
    if (!there)
        return TG_OK;
    struct tg_row copy = *row;
    copy.kind = TG_ROW_CARRY_FINAL;
    enum tg_err err = tg_state_append(store, &copy, sealed);
    if (err == TG_OK && !tg_index_remove(&store->index, tag, row->sequence))
        err = TG_ERR_BUG;
    return err;
}

static enum tg_err carry_finals(struct carry *carry)
{
    struct tg_store *store = carry->store;
    struct tg_segment *segment = NULL;
    enum tg_err err = tg_state_reader(store, carry->info, &segment);
    if (err == TG_OK)
        err = tg_segment_scan(segment, store->carry_from, carry->info->last, store->carry_rows, true, carry_final, carry);
    if (err == TG_OK)
        store->carry_from = carry->seen == 0 ? carry->info->last + 1 : carry->seen + 1;
    return err;
}

/* Carries a piece; *ret_done: nothing living is left. */
static enum tg_err carry_step(struct carry *carry, bool *ret_done)
{
    struct tg_store *store = carry->store;
    enum tg_err err = tg_pending_each(&store->pending, gather, carry);
    bool finals = carry->info->claims_end_us > carry->now_us && store->carry_from <= carry->info->last;
    *ret_done = carry->count == 0 && !finals;
    if (err != TG_OK || *ret_done)
        return err;
    tg_checkpointer_lock(store);
    err = tg_segment_begin(&store->open);
    if (err == TG_OK)
        err = carry_open(carry);
    if (err == TG_OK && finals)
        err = carry_finals(carry);
    if (err == TG_OK)
        err = tg_segment_commit(&store->open);
    if (err != TG_OK)
        tg_segment_rollback(&store->open);
    tg_checkpointer_unlock(store);
    return err;
}

static struct tg_segment_info *next_to_leave(struct tg_store *store, int64_t now_us)
{
    for (size_t i = 0; i < store->info_count; i++) {
        struct tg_segment_info *info = &store->infos[i];
        if (info->leaving == TG_LEAVING_NO)
            return info->sealed_us != 0 && info->last_event_us + store->retention_us <= now_us ? info : NULL;
    }
    return NULL;
}

enum tg_err tg_leave_step(struct tg_store *store, int64_t now_us)
{
    struct tg_segment_info *info = next_to_leave(store, now_us);
    if (info == NULL)
        return TG_OK;
    if (store->carry_number != info->number) {
        store->carry_number = info->number;
        store->carry_from = info->first;
    }
    struct carry carry = {.store = store, .info = info, .now_us = now_us};
    bool done = false;
    enum tg_err err = carry_step(&carry, &done);
    if (err != TG_OK || !done)
        return err;
    info->leaving = TG_LEAVING_BEGUN;
    info->events = 0;
    info->bytes = 0;
    info->claims_end_us = 0; /* what outlived it is carried: the sweep takes the rest out of the index */
    err = tg_segments_save(store, info);
    if (err != TG_OK)
        return err;
    tg_state_close_reader(store, info->number);
    tg_state_log(store, "a segment past retention leaves");
    return tg_checkpointer_leave_job(store, info->number);
}
