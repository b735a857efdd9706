/*
 * state.c - finding rows and segments, and applying rows; see state.h.
 *
 * Promises: a row that does not fit what is known (a settlement of nothing) is
 * taken as said: the record is the truth. Does not: write to tollgate.sqlite.
 */
#include "store/state.h"

#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

void tg_state_log(const struct tg_store *store, const char *text)
{
    if (store->log != NULL)
        store->log(store->log_user, text);
}

struct tg_segment_info *tg_state_info(const struct tg_store *store, uint32_t number)
{
    size_t low = 0, high = store->info_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->infos[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < store->info_count && store->infos[low].number == number ? &store->infos[low] : NULL;
}

struct tg_segment_info *tg_state_info_of(const struct tg_store *store, uint64_t sequence)
{
    size_t low = 0, high = store->info_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (store->infos[middle].last < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < store->info_count && store->infos[low].first <= sequence ? &store->infos[low] : NULL;
}

struct tg_segment_info *tg_state_open_info(const struct tg_store *store)
{
    return &store->infos[store->info_count - 1];
}

enum tg_err tg_state_add_info(struct tg_store *store, const struct tg_segment_info *info)
{
    if (store->info_count == store->info_cap) {
        size_t cap = store->info_cap == 0 ? 64 : store->info_cap * 2;
        struct tg_segment_info *infos = realloc(store->infos, cap * sizeof(*infos));
        if (infos == NULL)
            return TG_ERR_DOWN;
        store->infos = infos;
        store->info_cap = cap;
    }
    store->infos[store->info_count++] = *info;
    return TG_OK;
}

/* A claim became final (or was carried as such): it is found through the index from now on. */
static enum tg_err apply_final(struct tg_store *store, const struct tg_row *row)
{
    struct tg_segment_info *here = tg_state_info_of(store, row->sequence);
    if (here != NULL && row->expires_us > here->claims_end_us)
        here->claims_end_us = row->expires_us;
    if (row->has_answer) {
        struct tg_segment_info *sealed = tg_state_info(store, row->seal_segment);
        if (sealed != NULL && row->expires_us > sealed->answers_end_us) {
            sealed->answers_end_us = row->expires_us;
            sealed->changed = true;
        }
    }
    return tg_index_put(&store->index, tg_index_tag(row->claim_key), row->sequence);
}

static enum tg_err apply_admit(struct tg_store *store, const struct tg_row *row)
{
    if (row->kind == TG_ROW_CARRY_OPEN) {
        struct tg_pending_claim *here = tg_pending_ticket(&store->pending, row->ticket);
        if (here != NULL) {
            here->row = row->sequence;
            return TG_OK;
        }
    } else if (row->replaces != 0) {
        struct tg_pending_claim *before = tg_pending_ticket(&store->pending, row->replaces);
        if (before != NULL) {
            tg_recent_put(&store->recent, before->request_id, TG_OUTCOME_UNKNOWN);
            tg_pending_remove(&store->pending, before);
        }
    }
    return tg_pending_add(&store->pending, row) == NULL ? TG_ERR_DOWN : TG_OK;
}

static void apply_settle(struct tg_store *store, const struct tg_row *row)
{
    struct tg_pending_claim *claim = tg_pending_ticket(&store->pending, row->ticket);
    if (row->kind == TG_ROW_SETTLE && row->outcome == TG_OUTCOME_UNKNOWN) {
        if (claim == NULL)
            return;
        claim->upstream_status = row->upstream_status;
        claim->reason = row->verdict.reason;
        tg_pending_state(&store->pending, claim, TG_CLAIM_STATE_UNKNOWN);
        return;
    }
    if (claim != NULL)
        tg_pending_remove(&store->pending, claim);
    tg_recent_put(&store->recent, row->verdict.request_id, row->outcome);
}

enum tg_err tg_state_apply(struct tg_store *store, const struct tg_row *row)
{
    switch (row->kind) {
    case TG_ROW_ADMIT:
    case TG_ROW_CARRY_OPEN:
        return apply_admit(store, row);
    case TG_ROW_SETTLE:
    case TG_ROW_RESOLVE:
        apply_settle(store, row);
        return TG_OK;
    case TG_ROW_FINAL:
    case TG_ROW_RESOLVE_FINAL:
        apply_settle(store, row);
        return apply_final(store, row);
    case TG_ROW_CARRY_FINAL:
        return apply_final(store, row);
    case TG_ROW_VERDICT:
    case TG_ROW_REFUSAL:
    case TG_ROW_LOST: /* in flight is never durable: what a start reads as unsettled is unknown already */
        return TG_OK;
    }
    return TG_ERR_CORRUPT;
}

enum tg_err tg_state_append(struct tg_store *store, struct tg_row *row, struct tg_span sealed)
{
    row->sequence = store->sequence + 1;
    if (row->kind == TG_ROW_ADMIT)
        row->ticket = row->sequence;
    row->has_answer = sealed.len > 0;
    enum tg_err err = tg_segment_insert(&store->open, row, sealed);
    if (err != TG_OK)
        return err;
    store->sequence = row->sequence;
    struct tg_segment_info *info = tg_state_open_info(store);
    info->rows++;
    if (tg_row_is_event(row->kind))
        info->events++;
    return tg_state_apply(store, row);
}

enum tg_err tg_state_reader(struct tg_store *store, const struct tg_segment_info *info, struct tg_segment **ret)
{
    if (info->number == store->open.number) {
        *ret = &store->open;
        return TG_OK;
    }
    if (info->leaving != TG_LEAVING_NO)
        return TG_ERR_ABSENT;
    struct tg_reader *reader = &store->readers[0];
    for (size_t i = 0; i < TG_STORE_READERS; i++) {
        struct tg_reader *at = &store->readers[i];
        if (at->segment.db != NULL && at->segment.number == info->number) {
            at->used = ++store->reader_clock;
            *ret = &at->segment;
            return TG_OK;
        }
        if (at->used < reader->used)
            reader = at;
    }
    tg_segment_close(&reader->segment);
    reader->used = 0;
    enum tg_err err = tg_segment_open(store->path, info->number, false, &reader->segment);
    if (err != TG_OK)
        return err;
    reader->used = ++store->reader_clock;
    *ret = &reader->segment;
    return TG_OK;
}

void tg_state_close_reader(struct tg_store *store, uint32_t number)
{
    for (size_t i = 0; i < TG_STORE_READERS; i++)
        if (store->readers[i].segment.db != NULL && store->readers[i].segment.number == number) {
            tg_segment_close(&store->readers[i].segment);
            store->readers[i].used = 0;
        }
}

enum tg_err tg_state_read(struct tg_store *store, uint64_t sequence, struct tg_row_held *ret, struct tg_arena *arena,
                          struct tg_span *sealed)
{
    const struct tg_segment_info *info = tg_state_info_of(store, sequence);
    if (info == NULL)
        return TG_ERR_ABSENT;
    struct tg_segment *segment = NULL;
    enum tg_err err = tg_state_reader(store, info, &segment);
    return err != TG_OK ? err : tg_segment_read(segment, sequence, ret, arena, sealed);
}

enum tg_err tg_state_final(struct tg_store *store, const uint8_t *claim_key, int64_t now_us, struct tg_row_held *ret)
{
    struct tg_index_find find = tg_index_find(&store->index, tg_index_tag(claim_key));
    uint64_t newest = 0, held = 0;
    for (uint64_t at = tg_index_next(&store->index, &find); at != 0; at = tg_index_next(&store->index, &find)) {
        enum tg_err err = tg_state_read(store, at, ret, NULL, NULL);
        const struct tg_segment_info *info = tg_state_info_of(store, at);
        if (err == TG_ERR_ABSENT && (info == NULL || info->leaving != TG_LEAVING_NO))
            continue; /* its file has left; the sweep has not come by yet */
        if (err == TG_ERR_ABSENT)
            return TG_ERR_CORRUPT; /* the index says that it is settled: never as good as not there */
        if (err != TG_OK)
            return err;
        held = at;
        if (!tg_row_is_final(ret->row.kind))
            return TG_ERR_CORRUPT;
        bool fits = ret->row.expires_us > now_us && memcmp(ret->row.claim_key, claim_key, TG_CLAIM_KEY_BYTES) == 0;
        if (fits && at > newest)
            newest = at; /* a clock that stepped back makes an earlier life valid again: the last one counts */
    }
    if (newest == 0)
        return TG_ERR_ABSENT;
    return newest == held ? TG_OK : tg_state_read(store, newest, ret, NULL, NULL);
}

void tg_state_publish_claims(struct tg_store *store)
{
    atomic_store(&store->live, store->index.count + store->pending.count);
    atomic_store(&store->in_flight, store->pending.count - store->pending.unknown);
    atomic_store(&store->unknown, store->pending.unknown);
    atomic_store(&store->events, store->sealed_events + store->acts + tg_state_open_info(store)->events);
}

void tg_state_publish(struct tg_store *store)
{
    uint64_t events = 0, segments = 0, bytes = 0;
    for (size_t i = 0; i < store->info_count; i++) {
        events += store->infos[i].leaving == TG_LEAVING_NO ? store->infos[i].events : 0;
        segments += store->infos[i].leaving == TG_LEAVING_NO;
        bytes += store->infos[i].bytes;
    }
    store->sealed_events = events - tg_state_open_info(store)->events;
    atomic_store(&store->segments, segments);
    atomic_store(&store->sealed_bytes, bytes);
    tg_state_publish_claims(store);
}
