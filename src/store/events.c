/*
 * events.c - reading the record back: events in order, and the claims whose outcome is not known.
 *
 * Promises: rows of the segments and acts of tollgate.sqlite come in one order,
 * that of their numbers; rows that only carry a claim on are left out.
 * Does not: run beside a commit: the committer's thread reads between batches.
 */
#include <stdlib.h>
#include <string.h>

#include "store/event.h"
#include "store/sqlite.h"
#include "store/state.h"

struct reading {
    struct tg_store *store;
    sqlite3_stmt *acts; /* stands on the next act, or NULL when there is none left */
    size_t left;
    bool stopped;
    bool (*each)(void *user, uint64_t sequence, struct tg_span json);
    void *user;
};

static enum tg_err show(struct reading *reading, uint64_t sequence, const struct tg_buf *json)
{
    enum tg_err err = tg_buf_done(json);
    if (err != TG_OK)
        return TG_ERR_BUG; /* every part is bounded: see TG_EVENT_BYTES_MAX */
    reading->left--;
    if (!reading->each(reading->user, sequence, tg_buf_span(json)) || reading->left == 0)
        reading->stopped = true;
    return TG_OK;
}

static enum tg_err next_act(struct reading *reading)
{
    int rc = sqlite3_step(reading->acts);
    if (rc == SQLITE_ROW)
        return TG_OK;
    sqlite3_finalize(reading->acts);
    reading->acts = NULL;
    return tg_sqlite_err(rc);
}

static enum tg_err show_act(struct reading *reading)
{
    sqlite3_stmt *row = reading->acts;
    struct tg_event_act act = {.sequence = (uint64_t)sqlite3_column_int64(row, 0),
                               .at_us = sqlite3_column_int64(row, 1),
                               .request_id = tg_sqlite_bytes(row, 2),
                               .result = (enum tg_err)sqlite3_column_int(row, 3),
                               .actor = tg_sqlite_bytes(row, 4),
                               .what = tg_sqlite_bytes(row, 5),
                               .before = tg_sqlite_bytes(row, 6),
                               .after = tg_sqlite_bytes(row, 7),
                               .before_json = sqlite3_column_int(row, 8) != 0,
                               .after_json = sqlite3_column_int(row, 9) != 0};
    struct tg_buf json = tg_buf(reading->store->event_bytes, TG_EVENT_BYTES_MAX);
    tg_event_act_write(&json, &act);
    enum tg_err err = show(reading, act.sequence, &json);
    return err != TG_OK ? err : next_act(reading);
}

/* Acts whose number is below `before`. */
static enum tg_err show_acts(struct reading *reading, uint64_t before)
{
    enum tg_err err = TG_OK;
    while (err == TG_OK && !reading->stopped && reading->acts != NULL &&
           (uint64_t)sqlite3_column_int64(reading->acts, 0) < before)
        err = show_act(reading);
    return err;
}

static enum tg_err show_row(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct reading *reading = user;
    (void)sealed;
    if (!tg_row_is_event(row->kind))
        return TG_OK;
    enum tg_err err = show_acts(reading, row->sequence);
    if (err == TG_OK && !reading->stopped) {
        struct tg_buf json = tg_buf(reading->store->event_bytes, TG_EVENT_BYTES_MAX);
        tg_event_row_write(&json, row);
        err = show(reading, row->sequence, &json);
    }
    if (err == TG_OK && reading->stopped)
        err = TG_ERR_LIMIT; /* ends the scan; not an error of ours */
    return err;
}

static enum tg_err show_all(struct reading *reading, uint64_t from)
{
    struct tg_store *store = reading->store;
    for (size_t i = 0; i < store->info_count; i++) {
        const struct tg_segment_info *info = &store->infos[i];
        struct tg_segment *segment = NULL;
        if (info->last < from || info->leaving != TG_LEAVING_NO)
            continue;
        enum tg_err err = tg_state_reader(store, info, &segment);
        if (err == TG_OK)
            err = tg_segment_scan(segment, from, info->last, SIZE_MAX, false, show_row, reading);
        if (reading->stopped)
            return TG_OK;
        if (err != TG_OK)
            return err;
    }
    return show_acts(reading, UINT64_MAX);
}

enum tg_err tg_embedded_events(struct tg_store *store, uint64_t from, size_t limit,
                               bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user)
{
    struct reading reading = {.store = store, .left = limit, .each = each, .user = user};
    if (limit == 0)
        return TG_OK;
    enum tg_err err = tg_sqlite_prepare(store->setup,
                                        "SELECT sequence, at_us, request_id, result, actor, what, before, after, "
                                        "json_valid(before), json_valid(after) FROM act WHERE sequence >= ?1 "
                                        "ORDER BY sequence",
                                        &reading.acts);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(reading.acts, 1, from > INT64_MAX ? INT64_MAX : (int64_t)from);
    err = next_act(&reading);
    if (err == TG_OK)
        err = show_all(&reading, from);
    sqlite3_finalize(reading.acts);
    return err;
}

struct unknowns {
    struct tg_pending_claim **claims;
    size_t count;
};

static enum tg_err gather(void *user, struct tg_pending_claim *claim)
{
    struct unknowns *unknowns = user;
    if (claim->state != TG_CLAIM_STATE_IN_FLIGHT)
        unknowns->claims[unknowns->count++] = claim;
    return TG_OK;
}

static int by_ticket(const void *a, const void *b)
{
    const struct tg_pending_claim *const *left = a, *const *right = b;
    if ((*left)->ticket == (*right)->ticket)
        return 0;
    return (*left)->ticket < (*right)->ticket ? -1 : 1;
}

enum tg_err tg_embedded_unknowns(struct tg_store *store, size_t limit,
                                 bool (*each)(void *user, const struct tg_unknown_row *row), void *user)
{
    struct unknowns unknowns = {calloc(store->pending.unknown + 1, sizeof(struct tg_pending_claim *)), 0};
    if (unknowns.claims == NULL)
        return TG_ERR_DOWN;
    enum tg_err err = tg_pending_each(&store->pending, gather, &unknowns);
    qsort(unknowns.claims, unknowns.count, sizeof(struct tg_pending_claim *), by_ticket);
    for (size_t i = 0; err == TG_OK && i < unknowns.count && i < limit; i++) {
        const struct tg_pending_claim *claim = unknowns.claims[i];
        err = tg_state_read(store, claim->row, &store->held, NULL, NULL);
        if (err != TG_OK)
            break;
        struct tg_unknown_row row = {.row = store->held.row.verdict, .ticket = claim->ticket,
                                     .upstream_status = claim->upstream_status, .reason = claim->reason};
        if (!each(user, &row))
            break;
    }
    free(unknowns.claims);
    return err;
}
