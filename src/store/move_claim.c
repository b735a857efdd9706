/*
 * move_claim.c - see move_claim.h.
 *
 * Promises: a settled claim is shown once, from the row that the index names. Does not: change anything.
 */
#include "store/move_claim.h"

#include <string.h>

struct walk {
    struct tg_store *store;
    int64_t now_us;
    enum tg_err (*each)(void *user, const struct tg_move_claim *claim);
    void *user;
};

static enum tg_err show_open(void *user, struct tg_pending_claim *claim)
{
    struct walk *walk = user;
    struct tg_store *store = walk->store;
    enum tg_err err = tg_state_read(store, claim->row, &store->held, NULL, NULL);
    if (err != TG_OK)
        return err == TG_ERR_ABSENT ? TG_ERR_CORRUPT : err;
    struct tg_move_claim moved = {.admit = store->held.row, .state = claim->state,
                                  .upstream_status = claim->upstream_status, .reason = claim->reason,
                                  .expires_us = claim->expires_us};
    moved.admit.kind = TG_ROW_ADMIT;
    moved.admit.ticket = claim->ticket;
    return walk->each(walk->user, &moved);
}

static bool is_indexed(const struct tg_store *store, const struct tg_row *row)
{
    struct tg_index_find find = tg_index_find(&store->index, tg_index_tag(row->claim_key));
    for (uint64_t at = tg_index_next(&store->index, &find); at != 0; at = tg_index_next(&store->index, &find))
        if (at == row->sequence)
            return true;
    return false;
}

static enum tg_err show_final(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct walk *walk = user;
    if (!tg_row_is_final(row->kind) || row->expires_us <= walk->now_us || !is_indexed(walk->store, row))
        return TG_OK;
    const struct tg_segment_info *info = tg_state_info(walk->store, row->seal_segment);
    bool kept = row->has_answer && info != NULL && !info->purged;
    struct tg_move_claim moved = {.admit = *row, .state = TG_CLAIM_STATE_FINAL,
                                  .upstream_status = row->upstream_status, .caller_status = row->caller_status,
                                  .seal_segment = row->seal_segment, .expires_us = row->expires_us,
                                  .sealed = kept ? sealed : tg_span(NULL, 0)};
    moved.admit.kind = TG_ROW_ADMIT;
    moved.admit.has_quota = false; /* spent or given back already */
    return walk->each(walk->user, &moved);
}

enum tg_err tg_move_claims(struct tg_store *from, int64_t now_us,
                           enum tg_err (*each)(void *user, const struct tg_move_claim *claim), void *user)
{
    struct walk walk = {from, now_us, each, user};
    enum tg_err err = tg_pending_each(&from->pending, show_open, &walk);
    for (size_t i = 0; err == TG_OK && i < from->info_count; i++) {
        const struct tg_segment_info *info = &from->infos[i];
        struct tg_segment *segment = NULL;
        if (info->leaving != TG_LEAVING_NO)
            continue;
        err = tg_state_reader(from, info, &segment);
        if (err == TG_OK)
            err = tg_segment_scan(segment, info->first, info->last, SIZE_MAX, true, show_final, &walk);
    }
    return err;
}
