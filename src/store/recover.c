/*
 * recover.c - what a start reads: the keys of sealed segments, the rows of the open one.
 *
 * Promises: after it, memory is what it was when the last batch became
 * durable, but that every unsettled claim is unknown. A segment whose key file
 * is missing or damaged is read row by row, which is slower and equal.
 * Does not: read segments all of whose claims have expired, but where their
 * list of unsettled claims is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "store/state.h"

/* Rows before the open segment that are read again for the last outcomes told (recent.h). */
#define RECENT_ROWS 65536u
#define NOT_YET ((size_t)-1)

struct start {
    struct tg_store *store;
    int64_t now_us;
    size_t pending_at; /* the info whose end the unsettled claims in memory stand for; NOT_YET: none */
};

static enum tg_err apply_row(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct start *start = user;
    (void)sealed;
    struct tg_store *store = start->store;
    if (row->sequence > store->sequence)
        store->sequence = row->sequence;
    struct tg_segment_info *info = tg_state_info_of(store, row->sequence);
    if (info != NULL && info->sealed_us == 0) {
        info->rows++;
        info->events += tg_row_is_event(row->kind);
        if (row->verdict.at_us > info->last_event_us)
            info->last_event_us = row->verdict.at_us;
    }
    return tg_state_apply(store, row);
}

static enum tg_err recent_row(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct tg_store *store = user;
    (void)sealed;
    if (row->outcome != 0 && tg_row_is_event(row->kind))
        tg_recent_put(&store->recent, row->verdict.request_id, row->outcome);
    return TG_OK;
}

static enum tg_err keys_of(const struct tg_store *store, const struct tg_segment_info *info, struct tg_keys *ret)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    enum tg_err err = tg_segment_path(store->path, info->number, "keys", path);
    return err != TG_OK ? err : tg_keys_read(path, info->number, ret);
}

static enum tg_err load_keys(struct start *start, const struct tg_segment_info *info)
{
    struct tg_keys keys;
    enum tg_err err = keys_of(start->store, info, &keys);
    if (err != TG_OK)
        return err;
    for (size_t i = 0; err == TG_OK && i < keys.count; i++)
        if (keys.entries[i].expires_us > start->now_us)
            err = tg_index_put(&start->store->index, keys.entries[i].tag, keys.entries[i].sequence);
    tg_keys_free(&keys);
    return err;
}

/* Unsettled claims from their own rows: few, found by number. */
static enum tg_err load_open_claims(struct tg_store *store, const struct tg_keys *keys)
{
    tg_pending_free(&store->pending);
    enum tg_err err = tg_pending_init(&store->pending);
    for (size_t i = 0; err == TG_OK && i < keys->open_count; i++) {
        const struct tg_key_open *open = &keys->open[i];
        err = tg_state_read(store, open->row, &store->held, NULL, NULL);
        if (err == TG_ERR_ABSENT) {
            err = TG_OK; /* its file has left: the row that carried it on comes in a later segment */
            continue;
        }
        if (err != TG_OK)
            return err;
        struct tg_row *row = &store->held.row;
        if (row->kind != TG_ROW_ADMIT && row->kind != TG_ROW_CARRY_OPEN)
            return TG_ERR_CORRUPT;
        struct tg_pending_claim *claim = tg_pending_add(&store->pending, row);
        if (claim == NULL)
            return TG_ERR_DOWN;
        if (open->told != 0) {
            claim->upstream_status = open->upstream_status;
            claim->reason = open->reason;
            tg_pending_state(&store->pending, claim, TG_CLAIM_STATE_UNKNOWN);
        }
    }
    return err;
}

static enum tg_err scan(struct start *start, size_t at)
{
    struct tg_segment_info *info = &start->store->infos[at];
    struct tg_segment *segment = NULL;
    enum tg_err err = tg_state_reader(start->store, info, &segment);
    if (err == TG_OK)
        err = tg_segment_scan(segment, info->first, info->last, SIZE_MAX, false, apply_row, start);
    if (err == TG_OK) {
        start->pending_at = at;
        info->dropped = false; /* what it brought into the index is swept out of it again */
    }
    return err;
}

static enum tg_err scan_sealed(struct start *start, size_t at)
{
    struct tg_segment_info *info = &start->store->infos[at];
    struct tg_segment none = {0};
    tg_state_log(start->store, "a segment's key file is missing or damaged: reading its rows");
    enum tg_err err = scan(start, at);
    /* What the claims in memory stand for now is exactly what the key file needs: it is written again. */
    return err != TG_OK ? err : tg_checkpointer_key_job(start->store, info, &none);
}

/* Brings the unsettled claims to the end of the info before `at`. */
static enum tg_err pending_before(struct start *start, size_t at)
{
    size_t from = at;
    enum tg_err err = TG_OK;
    while (from > 0 && from - 1 != start->pending_at) {
        struct tg_segment_info *info = &start->store->infos[from - 1];
        if (info->leaving != TG_LEAVING_NO)
            break; /* what lived in it was carried on into a segment after it */
        struct tg_keys keys;
        err = keys_of(start->store, info, &keys);
        if (err == TG_OK) {
            err = load_open_claims(start->store, &keys);
            tg_keys_free(&keys);
            if (err != TG_OK)
                return err;
            start->pending_at = from - 1;
            break;
        }
        if (err != TG_ERR_ABSENT && err != TG_ERR_CORRUPT)
            return err;
        from--;
    }
    for (err = TG_OK; err == TG_OK && from < at; from++)
        if (start->store->infos[from].leaving == TG_LEAVING_NO)
            err = scan_sealed(start, from);
    return err;
}

static enum tg_err recover_segment(struct start *start, size_t at)
{
    struct tg_segment_info *info = &start->store->infos[at];
    bool open = info->sealed_us == 0;
    if (!open && (info->leaving != TG_LEAVING_NO || info->claims_end_us <= start->now_us)) {
        info->dropped = true;
        return TG_OK;
    }
    if (start->pending_at != NOT_YET && start->pending_at >= at)
        return TG_OK; /* read while going back for another */
    if (!open) {
        enum tg_err err = load_keys(start, info);
        if (err != TG_ERR_ABSENT && err != TG_ERR_CORRUPT)
            return err;
    }
    enum tg_err err = pending_before(start, at);
    if (err != TG_OK)
        return err;
    return open ? scan(start, at) : scan_sealed(start, at);
}

/* A late settlement may be asked again right after a start: the newest outcomes of the segment before count too. */
static enum tg_err recover_recent(struct tg_store *store)
{
    const struct tg_segment_info *open = tg_state_open_info(store);
    if (store->info_count < 2 || open[-1].leaving != TG_LEAVING_NO)
        return TG_OK;
    struct tg_segment *segment = NULL;
    enum tg_err err = tg_state_reader(store, &open[-1], &segment);
    if (err != TG_OK)
        return err;
    uint64_t from = open[-1].last > RECENT_ROWS ? open[-1].last - RECENT_ROWS : 0;
    return tg_segment_scan(segment, from, open[-1].last, SIZE_MAX, false, recent_row, store);
}

enum tg_err tg_recover(struct tg_store *store, int64_t now_us)
{
    struct start start = {store, now_us, NOT_YET};
    uint64_t expected = 0;
    for (size_t i = 0; i < store->info_count; i++) {
        const struct tg_segment_info *info = &store->infos[i];
        if (info->claims_end_us > now_us)
            expected += info->events / 2; /* an admit and a settlement a claim */
        if (info->sealed_us != 0 && info->last > store->sequence)
            store->sequence = info->last;
    }
    enum tg_err err = tg_index_init(&store->index, expected);
    if (err == TG_OK)
        err = recover_recent(store);
    for (size_t i = 0; err == TG_OK && i < store->info_count; i++)
        err = recover_segment(&start, i);
    if (err == TG_OK)
        err = tg_segment_read_counters(&store->open, &store->quota);
    return err;
}
