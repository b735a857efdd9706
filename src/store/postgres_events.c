/*
 * postgres_events.c - reading the record back: events in order, and the claims whose outcome is not known.
 *
 * Promises: a row of tollgate_event is read strictly: a length that does not fit is damage, not a shorter list.
 * Does not: run beside a commit: the committer's thread reads between batches.
 */
#include <stdlib.h>
#include <string.h>

#include "store/postgres.h"
#include "store/postgres_act.h"

/* Rows of tollgate_event a question: at most some hundred kilobytes. */
#define READ_ROWS 16

struct reading {
    struct tg_postgres *store;
    uint64_t from;
    size_t left;
    bool stopped;
    bool (*each)(void *user, uint64_t sequence, struct tg_span json);
    void *user;
};

static enum tg_err show(struct reading *reading, uint64_t sequence, const struct tg_buf *json)
{
    if (tg_buf_done(json) != TG_OK)
        return TG_ERR_BUG; /* every part is bounded: see TG_EVENT_BYTES_MAX */
    reading->left--;
    if (!reading->each(reading->user, sequence, tg_buf_span(json)) || reading->left == 0)
        reading->stopped = true;
    return TG_OK;
}

static enum tg_err show_act(struct reading *reading, uint64_t sequence, struct tg_span body)
{
    struct tg_event_act act;
    enum tg_err err = tg_pg_act_read(body, &act);
    if (err != TG_OK)
        return err;
    act.sequence = sequence;
    struct tg_buf json = tg_buf(reading->store->event_bytes, TG_EVENT_BYTES_MAX);
    tg_event_act_write(&json, &act);
    return show(reading, sequence, &json);
}

static enum tg_err show_rows(struct reading *reading, uint64_t first, struct tg_span body)
{
    struct tg_cursor in = tg_cursor(body);
    while (in.rest.len > 0 && !reading->stopped) {
        uint64_t sequence = first + tg_cursor_u32(&in);
        uint8_t kind = tg_cursor_u8(&in);
        struct tg_span bytes = tg_cursor_span(&in, tg_cursor_u16(&in));
        struct tg_row row;
        if (in.bad || tg_row_read((enum tg_row_kind)kind, sequence, bytes, &row) != TG_OK)
            return TG_ERR_CORRUPT;
        if (sequence < reading->from)
            continue;
        struct tg_buf json = tg_buf(reading->store->event_bytes, TG_EVENT_BYTES_MAX);
        tg_event_row_write(&json, &row);
        enum tg_err err = show(reading, sequence, &json);
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}

/* One question; *after: the first number of the last row read. */
static enum tg_err read_some(struct reading *reading, int64_t *after, bool *more)
{
    struct tg_pg_link *link = &reading->store->link;
    PGresult *result = NULL;
    tg_pg_int8(link, *after);
    tg_pg_int8(link, (int64_t)reading->from);
    tg_pg_int8(link, READ_ROWS);
    enum tg_err err = tg_pg_run(link, TG_PG_EVENTS, &result);
    if (err != TG_OK)
        return TG_ERR_DOWN;
    for (int i = 0; err == TG_OK && i < PQntuples(result) && !reading->stopped; i++) {
        *after = tg_pg_get_int(result, i, 0);
        struct tg_span body = tg_pg_get_bytes(result, i, 2);
        err = tg_pg_get_int(result, i, 1) != 0 ? show_act(reading, (uint64_t)*after, body)
                                               : show_rows(reading, (uint64_t)*after, body);
    }
    *more = PQntuples(result) == READ_ROWS;
    PQclear(result);
    return err;
}

enum tg_err tg_postgres_events(struct tg_store *base, uint64_t from, size_t limit,
                               bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user)
{
    struct reading reading = {.store = tg_postgres_of(base), .from = from > INT64_MAX ? INT64_MAX : from,
                              .left = limit, .each = each, .user = user};
    /* No row of tollgate_event spans more numbers than this. */
    int64_t after = (int64_t)reading.from - TG_PG_EVENT_ROWS_MAX - 1;
    bool more = limit > 0;
    enum tg_err err = TG_OK;
    while (err == TG_OK && more && !reading.stopped)
        err = read_some(&reading, &after, &more);
    return err;
}

uint64_t tg_postgres_last_event(const struct tg_store *base)
{
    /* Asked on the committer's thread, whose session this is; the interface shows a number that others may raise. */
    struct tg_postgres *store = tg_postgres_of((struct tg_store *)(uintptr_t)base);
    PGresult *result = NULL;
    if (!store->failed && tg_pg_run(&store->link, TG_PG_LAST_EVENT, &result) == TG_OK) {
        if (PQntuples(result) == 1)
            store->last_event = (uint64_t)tg_pg_get_int(result, 0, 0);
        PQclear(result);
    }
    return store->last_event;
}

struct unknown {
    struct tg_row row;
    uint64_t ticket;
    int64_t told;
};

static int by_time(const void *a, const void *b)
{
    const struct unknown *left = a, *right = b;
    if (left->row.verdict.at_us != right->row.verdict.at_us)
        return left->row.verdict.at_us < right->row.verdict.at_us ? -1 : 1;
    return left->ticket < right->ticket ? -1 : left->ticket > right->ticket;
}

enum tg_err tg_postgres_unknowns(struct tg_store *base, size_t limit,
                                 bool (*each)(void *user, const struct tg_unknown_row *row), void *user)
{
    struct tg_postgres *store = tg_postgres_of(base);
    PGresult *result = NULL;
    if (tg_pg_run(&store->link, TG_PG_UNKNOWNS, &result) != TG_OK)
        return TG_ERR_DOWN;
    size_t count = (size_t)PQntuples(result), known = 0;
    struct unknown *unknowns = calloc(count + 1, sizeof(*unknowns));
    for (size_t i = 0; unknowns != NULL && i < count; i++) {
        struct unknown *unknown = &unknowns[known];
        unknown->ticket = (uint64_t)tg_pg_get_int(result, (int)i, 0);
        unknown->told = tg_pg_get_int(result, (int)i, 1);
        known += tg_row_read(TG_ROW_ADMIT, 0, tg_pg_get_bytes(result, (int)i, 2), &unknown->row) == TG_OK;
    }
    if (unknowns != NULL)
        qsort(unknowns, known, sizeof(*unknowns), by_time);
    for (size_t i = 0; unknowns != NULL && i < known && i < limit; i++) {
        struct tg_unknown_row row = {.row = unknowns[i].row.verdict, .ticket = unknowns[i].ticket,
                                     .upstream_status = (uint16_t)(unknowns[i].told >> 16),
                                     .reason = (uint16_t)unknowns[i].told};
        if (!each(user, &row))
            break;
    }
    enum tg_err err = unknowns == NULL ? TG_ERR_DOWN : TG_OK;
    free(unknowns);
    PQclear(result);
    return err;
}
