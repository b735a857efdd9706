/*
 * postgres_side.c - the second thread, with a session of its own: what expired goes, and keepers that are gone lose
 * their claims.
 *
 * Promises: small steps, each a short transaction, at most one in 20 ms; batches wait for none longer than for each
 * other. A claim goes with its settlement, and only a settled one whose life is over. Does not: touch the committer's
 * memory. This thread's clock paces; what has expired is measured by the time that the committer was given.
 */
#include <string.h>

#include "store/postgres.h"

#define STEP_US 20000
#define LOOK_US 1000000
#define SIZE_US 10000000
/* From the end of one pass over all settlements to the beginning of the next. */
#define PASS_US 60000000
#define STEP_ROWS 500
#define STEP_EVENTS 50
#define DAY_US (86400ll * 1000000)

static enum tg_err run_again(struct tg_pg_link *link, enum tg_err err)
{
    if (err != TG_ERR_DENIED)
        return err;
    enum tg_pg_fault fault = link->fault;
    err = tg_pg_rollback(link);
    if (err == TG_OK && fault != TG_PG_FAULT_AGAIN)
        err = TG_ERR_DOWN;
    return err; /* what was not done now is done at the next step */
}

enum tg_err tg_postgres_takeover(struct tg_pg_link *link, int32_t instance)
{
    tg_pg_queue(link, TG_PG_BEGIN);
    tg_pg_queue(link, TG_PG_TAKEOVER);
    tg_pg_int4(link, instance);
    tg_pg_queue(link, TG_PG_TAKEOVER_CLAIMS);
    tg_pg_int4(link, instance);
    tg_pg_queue(link, TG_PG_INSTANCE_DROP);
    tg_pg_queue(link, TG_PG_COMMIT);
    return tg_pg_flush(link);
}

/* True when the keeper's session is gone; its lock is ours until the end of the transaction. */
static enum tg_err is_gone(struct tg_postgres *store, struct tg_pg_link *link, int32_t instance, bool *ret)
{
    PGresult *result = NULL;
    enum tg_err err = TG_OK;
    *ret = false;
    if (store->heartbeats_only) {
        tg_pg_int4(link, instance);
        tg_pg_int8(link, store->silent_s);
        err = tg_pg_run(link, TG_PG_INSTANCE_OLD, &result);
        if (err == TG_OK)
            *ret = PQntuples(result) == 1;
    } else {
        tg_pg_int4(link, TG_PG_LOCK_CLASS);
        tg_pg_int4(link, instance);
        err = tg_pg_run(link, TG_PG_INSTANCE_TRY, &result);
        if (err == TG_OK)
            *ret = tg_pg_get_int(result, 0, 0) != 0;
    }
    if (err == TG_OK)
        PQclear(result);
    return err;
}

enum tg_err tg_postgres_takeover_gone(struct tg_postgres *store, struct tg_pg_link *link, size_t *ret_living)
{
    PGresult *result = NULL;
    *ret_living = 0;
    tg_pg_int4(link, store->instance);
    enum tg_err err = tg_pg_run(link, TG_PG_INSTANCE_OTHERS, &result);
    if (err != TG_OK)
        return err;
    for (int i = 0; err == TG_OK && i < PQntuples(result); i++) {
        int32_t instance = (int32_t)tg_pg_get_int(result, i, 0);
        bool gone = false;
        err = is_gone(store, link, instance, &gone);
        *ret_living += !gone;
        if (err == TG_OK && gone) {
            err = run_again(link, tg_postgres_takeover(link, instance));
            tg_postgres_log(store, "a keeper has gone: what it had in flight is unknown");
        }
    }
    PQclear(result);
    return err;
}

static enum tg_err sweep_tickets(struct tg_pg_link *link, const uint64_t *tickets, size_t count)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    tg_pg_queue(link, TG_PG_BEGIN);
    tg_pg_array(link, TG_PG_INT8, count);
    for (size_t i = 0; i < count; i++)
        tg_pg_put_int(link, (int64_t)tickets[i]);
    tg_pg_queue(link, TG_PG_SWEEP);
    enum tg_err err = tg_pg_sync(link, results);
    if (err != TG_OK)
        return err;
    int64_t claims = tg_pg_get_int(results[1], 0, 0);
    PQclear(results[0]);
    PQclear(results[1]);
    tg_pg_int8(link, claims);
    tg_pg_queue(link, TG_PG_SWEPT);
    tg_pg_queue(link, TG_PG_COMMIT);
    return tg_pg_flush(link);
}

/* The settlements of the next tickets; those whose life is over go, with their claims. */
static enum tg_err sweep(struct tg_postgres *store, int64_t now_us)
{
    struct tg_pg_link *link = &store->side;
    PGresult *result = NULL;
    uint64_t tickets[STEP_ROWS];
    size_t count = 0;
    tg_pg_int8(link, (int64_t)store->sweep_ticket);
    tg_pg_int8(link, STEP_ROWS);
    enum tg_err err = tg_pg_run(link, TG_PG_SWEEP_LOOK, &result);
    if (err != TG_OK)
        return err;
    int rows = PQntuples(result);
    uint64_t last = rows > 0 ? (uint64_t)tg_pg_get_int(result, rows - 1, 0) : 0;
    for (int i = 0; i < rows && count < STEP_ROWS; i++)
        if (tg_pg_get_int(result, i, 1) <= now_us)
            tickets[count++] = (uint64_t)tg_pg_get_int(result, i, 0);
    PQclear(result);
    if (count > 0)
        err = sweep_tickets(link, tickets, count);
    if (err != TG_OK)
        return err;
    store->sweep_ticket = last;
    store->sweeping = rows == STEP_ROWS;
    return TG_OK;
}

/* Events past retention, in order; counters and segments that nobody asks for any more. */
static enum tg_err leave(struct tg_postgres *store, int64_t now_us)
{
    struct tg_pg_link *link = &store->side;
    PGresult *results[TG_PG_QUEUED_MAX];
    tg_pg_queue(link, TG_PG_BEGIN);
    tg_pg_int8(link, now_us - store->retention_us);
    tg_pg_int8(link, STEP_EVENTS);
    tg_pg_queue(link, TG_PG_EVENTS_LEAVE);
    enum tg_err err = tg_pg_sync(link, results);
    if (err != TG_OK)
        return err;
    int64_t events = tg_pg_get_int(results[1], 0, 0);
    PQclear(results[0]);
    PQclear(results[1]);
    if (events > 0) {
        tg_pg_int8(link, events);
        tg_pg_queue(link, TG_PG_EVENTS_LEFT);
    }
    store->leaving = events > 0;
    if (!store->leaving) { /* once a pass */
        tg_pg_int4(link, (int32_t)(now_us / DAY_US) - 2); /* late settles and time zones of clocks included */
        tg_pg_queue(link, TG_PG_COUNTERS_LEAVE);
        tg_pg_int8(link, now_us - store->retention_us);
        tg_pg_queue(link, TG_PG_SEGMENTS_LEAVE);
    }
    tg_pg_queue(link, TG_PG_COMMIT);
    return tg_pg_flush(link);
}

static enum tg_err measure(struct tg_postgres *store)
{
    PGresult *result = NULL;
    if (store->side.absent[TG_PG_SIZE])
        return TG_OK;
    enum tg_err err = tg_pg_run(&store->side, TG_PG_SIZE, &result);
    if (err == TG_OK && PQntuples(result) == 1)
        atomic_store(&store->bytes, (uint64_t)tg_pg_get_int(result, 0, 0));
    if (err == TG_OK)
        PQclear(result);
    return err == TG_ERR_DENIED ? TG_OK : err; /* one that has the function and lets us not call it: not known */
}

static enum tg_err step(struct tg_postgres *store, int64_t clock_us, int64_t now_us)
{
    enum tg_err err = TG_OK;
    size_t living = 0;
    if (clock_us - store->look_us >= LOOK_US) {
        store->look_us = clock_us;
        err = tg_postgres_takeover_gone(store, &store->side, &living);
    }
    if (err == TG_OK && clock_us - store->size_us >= SIZE_US) {
        store->size_us = clock_us;
        err = measure(store);
    }
    if (err != TG_OK || now_us == 0)
        return err;
    if (!store->sweeping && !store->leaving && (store->pass_us == 0 || clock_us - store->pass_us >= PASS_US)) {
        store->sweeping = store->leaving = true;
        store->sweep_ticket = 0;
        store->pass_us = clock_us;
    }
    if (store->sweeping)
        err = sweep(store, now_us);
    if (err == TG_OK && store->leaving)
        err = leave(store, now_us);
    return err;
}

bool tg_postgres_checkpoint(struct tg_store *base)
{
    struct tg_postgres *store = tg_postgres_of(base);
    int64_t clock_us = tg_postgres_clock_us();
    if (atomic_load(&store->side_failed) || clock_us - store->sweep_us < STEP_US)
        return false;
    store->sweep_us = clock_us;
    if (run_again(&store->side, step(store, clock_us, atomic_load(&store->now_us))) != TG_OK) {
        tg_postgres_log(store, "the second session with the server broke off: the store stops");
        atomic_store(&store->side_failed, true);
    }
    return false;
}
