/*
 * postgres_rotate.c - between batches: a heartbeat, a look at what other keepers did, segments.
 *
 * Promises: one round trip when nothing is due. A segment is sealed by one keeper and seen by all others at their
 * next look; what they seal meanwhile under the old number is within the grace that purging leaves.
 * Does not: delete rows (postgres_side.c does, on the second thread).
 */
#include <string.h>

#include "store/postgres.h"

#define BEAT_US 400000

static enum tg_err check_alive(struct tg_postgres *store, int64_t takeovers)
{
    PGresult *result = NULL;
    if (takeovers == store->takeovers)
        return TG_OK;
    tg_pg_int4(&store->link, store->instance);
    enum tg_err err = tg_pg_run(&store->link, TG_PG_TAKEOVERS, &result);
    if (err != TG_OK)
        return err;
    bool alive = PQntuples(result) == 1 && tg_pg_get_int(result, 0, 1) == 1;
    if (alive)
        store->takeovers = tg_pg_get_int(result, 0, 0);
    PQclear(result);
    if (!alive)
        tg_postgres_log(store, "another keeper took this one for gone: it stops");
    return alive ? TG_OK : TG_ERR_DOWN;
}

enum tg_err tg_postgres_poll(struct tg_postgres *store)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    int64_t now_us = tg_postgres_clock_us();
    size_t at = 0;
    if (now_us - store->beat_us >= BEAT_US) {
        store->beat_us = now_us;
        tg_pg_int4(&store->link, store->instance);
        tg_pg_int8(&store->link, (int64_t)tg_postgres_low_ticket(store));
        tg_pg_queue(&store->link, TG_PG_INSTANCE_BEAT);
        at = 1;
    }
    tg_pg_queue(&store->link, TG_PG_POLL);
    enum tg_err err = tg_pg_sync(&store->link, results);
    if (err != TG_OK)
        return err;
    const PGresult *row = results[at];
    int64_t takeovers = store->takeovers;
    if (PQntuples(row) == 1) {
        takeovers = tg_pg_get_int(row, 0, 0);
        store->setup_version = tg_pg_get_int(row, 0, 1);
        store->last_event = (uint64_t)tg_pg_get_int(row, 0, 2) - 1;
        atomic_store(&store->live, (uint64_t)tg_pg_get_int(row, 0, 3));
        atomic_store(&store->unknown, (uint64_t)tg_pg_get_int(row, 0, 4));
        atomic_store(&store->events, (uint64_t)tg_pg_get_int(row, 0, 5));
        store->segment = (uint32_t)tg_pg_get_int(row, 0, 6);
        store->segment_opened_us = tg_pg_get_int(row, 0, 7);
        store->segment_first_event = (uint64_t)tg_pg_get_int(row, 0, 8);
        atomic_store(&store->segments, (uint64_t)tg_pg_get_int(row, 0, 9));
    } else {
        err = TG_ERR_CORRUPT;
    }
    for (size_t i = 0; i <= at; i++)
        PQclear(results[i]);
    return err == TG_OK ? check_alive(store, takeovers) : err;
}

static enum tg_err seal_when_due(struct tg_postgres *store, int64_t now_us)
{
    uint64_t rows = store->last_event + 1 - store->segment_first_event;
    if (rows == 0 || (rows < store->segment_rows_max && now_us - store->segment_opened_us < store->segment_us_max))
        return TG_OK;
    tg_pg_int8(&store->link, store->segment);
    tg_pg_int8(&store->link, now_us);
    tg_pg_int8(&store->link, (int64_t)store->last_event + 1);
    enum tg_err err = tg_pg_run(&store->link, TG_PG_SEGMENT_SEAL, NULL);
    return err == TG_OK ? tg_postgres_poll(store) : err;
}

static enum tg_err tell_purges(struct tg_postgres *store, int64_t now_us, uint32_t *ret, size_t room, size_t *ret_count)
{
    PGresult *result = NULL;
    tg_pg_int8(&store->link, now_us);
    tg_pg_int8(&store->link, store->purge_grace_us);
    tg_pg_int8(&store->link, (int64_t)room);
    enum tg_err err = tg_pg_run(&store->link, TG_PG_SEGMENTS_DUE, &result);
    if (err != TG_OK)
        return err;
    for (int i = 0; i < PQntuples(result) && *ret_count < room; i++)
        ret[(*ret_count)++] = (uint32_t)tg_pg_get_int(result, i, 0);
    PQclear(result);
    return TG_OK;
}

enum tg_err tg_postgres_rotate(struct tg_store *base, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                               size_t room, size_t *ret_destroy_count)
{
    struct tg_postgres *store = tg_postgres_of(base);
    uint32_t before = store->segment;
    *ret_new_segment = 0;
    *ret_destroy_count = 0;
    if (store->failed || atomic_load(&store->side_failed))
        return TG_ERR_DOWN;
    atomic_store(&store->now_us, now_us);
    enum tg_err err = tg_postgres_poll(store);
    if (err == TG_OK)
        err = seal_when_due(store, now_us);
    if (err == TG_OK)
        err = tell_purges(store, now_us, ret_destroy, room, ret_destroy_count);
    if (err == TG_ERR_DENIED && store->link.fault == TG_PG_FAULT_AGAIN) {
        *ret_destroy_count = 0;
        err = TG_OK; /* the next look comes soon */
    }
    if (err != TG_OK) {
        store->failed = true;
        return TG_ERR_DOWN;
    }
    if (store->segment != before)
        *ret_new_segment = store->segment;
    return TG_OK;
}

enum tg_err tg_postgres_purged(struct tg_store *base, uint32_t segment)
{
    struct tg_postgres *store = tg_postgres_of(base);
    PGresult *result = NULL;
    if (store->failed)
        return TG_ERR_DOWN;
    enum tg_err err = TG_ERR_DENIED;
    for (unsigned i = 0; err == TG_ERR_DENIED && i < 8; i++) {
        tg_pg_int8(&store->link, segment);
        err = tg_pg_run(&store->link, TG_PG_SEGMENT_PURGED, &result);
    }
    if (err != TG_OK) {
        store->failed = true;
        return TG_ERR_DOWN;
    }
    bool there = PQntuples(result) == 1;
    PQclear(result);
    return there ? TG_OK : TG_ERR_ABSENT;
}
