/*
 * postgres.c - opening, closing and counting the PostgreSQL store, and the way of a batch through it.
 *
 * Promises: an open takes its keeper's number, holds its lock before anyone can see the number, and calls lost what
 * keepers that are gone had in flight. A clean close does the same for its own.
 * Does not: connect again when a session breaks: the process ends, and a start reads what is durable.
 */
#include "store/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/migrate.h"

#define SEGMENT_ROWS_DEFAULT 1000000u
#define SEGMENT_US_DEFAULT (3600ll * 1000000)
#define RETENTION_US_DEFAULT (397ll * 86400 * 1000000) /* as store_open.c, and this one too: */
#define PURGE_GRACE_US_DEFAULT (60ll * 1000000)
/* How often a batch is tried; another keeper must win each time for it to fail. */
#define BATCH_TRIES 64
/* Batches that lock their counters at once after one found them changed. */
#define LOCKING_BATCHES 64
/* How long a start waits for the session of a keeper that has just died to be gone. */
#define GONE_WAIT_MS 500
#define RECENT_ROWS 65536
/* Without advisory locks a keeper that has been silent so long counts as gone. It finds out before it can commit. */
#define SILENT_S 15

extern const struct tg_schema tg_schema_postgres; /* from schema/postgres/ at build time */

void tg_postgres_log(const struct tg_postgres *store, const char *text)
{
    if (store->log != NULL)
        store->log(store->log_user, text);
}

int64_t tg_postgres_clock_us(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static enum tg_err lowest(void *user, struct tg_pending_claim *claim)
{
    uint64_t *low = user;
    if (claim->ticket < *low)
        *low = claim->ticket;
    return TG_OK;
}

uint64_t tg_postgres_low_ticket(struct tg_postgres *store)
{
    uint64_t low = store->ticket_next;
    return tg_pending_each(&store->pending, lowest, &low) == TG_OK ? low : 0;
}

/* ---- a batch ---- */

static enum tg_err try_batch(struct tg_postgres *store, int64_t now_us, struct tg_work *const *works, size_t count,
                             struct tg_arena *arena, bool again)
{
    enum tg_err err = tg_pg_batch_begin(store, now_us, works, count, arena);
    if (err == TG_OK)
        err = tg_pg_load(store, again);
    if (err == TG_OK)
        err = tg_pg_decide(store);
    if (err == TG_OK)
        err = tg_pg_apply(store);
    return err;
}

/* After a refusal: TG_ERR_DENIED when the batch may be tried again. */
static enum tg_err back_off(struct tg_postgres *store, unsigned tries)
{
    bool again = store->link.fault == TG_PG_FAULT_AGAIN;
    enum tg_err err = tg_pg_rollback(&store->link);
    tg_pg_batch_end(&store->batch);
    if (err != TG_OK || !again)
        return TG_ERR_DOWN;
    tg_quota_free(&store->counters);
    err = tg_quota_init(&store->counters);
    store->locking = LOCKING_BATCHES;
    if (tries > 1) /* keepers that meet again and again part by their numbers */
        (void)usleep(100 * tries * (1 + (unsigned)store->instance % 5));
    return err == TG_OK ? TG_ERR_DENIED : err;
}

enum tg_err tg_postgres_commit(struct tg_store *base, int64_t now_us, struct tg_work *const *works, size_t count,
                               struct tg_arena *arena)
{
    struct tg_postgres *store = tg_postgres_of(base);
    if (store->failed || atomic_load(&store->side_failed))
        return TG_ERR_DOWN;
    if (count == 0)
        return TG_OK;
    size_t used = arena->used;
    enum tg_err err = TG_ERR_DENIED;
    for (unsigned tries = 0; err == TG_ERR_DENIED && tries < BATCH_TRIES; tries++) {
        arena->used = used;
        err = try_batch(store, now_us, works, count, arena, tries > 0);
        if (err == TG_ERR_DENIED)
            err = back_off(store, tries);
    }
    if (err == TG_OK)
        err = tg_pg_adopt(store);
    tg_pg_batch_end(&store->batch);
    if (err != TG_OK) {
        char text[96];
        store->failed = true;
        (void)snprintf(text, sizeof(text), "a batch could not be made durable: the store stops (%s, SQLSTATE %s)",
                       tg_err_name(err), store->link.sqlstate);
        tg_postgres_log(store, text);
        return err == TG_ERR_DENIED ? TG_ERR_DOWN : err;
    }
    if (store->locking > 0)
        store->locking--;
    return TG_OK;
}

/* ---- opening ---- */

static void log_refusal(const struct tg_postgres *store, const char *what, const char *sqlstate)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "%s (SQLSTATE %.5s)", what, sqlstate[0] == '\0' ? "none" : sqlstate);
    tg_postgres_log(store, text);
}

/* The version that stands in the database; 0: none. */
static enum tg_err schema_version(const struct tg_postgres *store, int *ret)
{
    PGresult *result = PQexec(store->link.conn, "SELECT schema_version FROM tollgate_state");
    enum tg_err err = TG_OK;
    *ret = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        *ret = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    } else if (!tg_span_equal(tg_span_string(tg_pg_sqlstate(result)), TG_SPAN("42P01"))) { /* undefined_table */
        log_refusal(store, "the schema's version cannot be read", tg_pg_sqlstate(result));
        err = TG_ERR_DOWN;
    }
    PQclear(result);
    return err;
}

/* Each step is one transaction: a simple query of many statements. Two that start at once: one fails, and looks again. */
static enum tg_err migrate(struct tg_postgres *store)
{
    char sqlstate[6] = "";
    for (unsigned tries = 0; tries < 8; tries++) {
        int version = 0;
        enum tg_err err = schema_version(store, &version);
        if (err != TG_OK)
            return err;
        if (version > tg_schema_postgres.version) {
            tg_postgres_log(store, "the database is newer than this program");
            return TG_ERR_DENIED;
        }
        if (version == tg_schema_postgres.version)
            return TG_OK;
        PGresult *result = PQexec(store->link.conn, tg_schema_postgres.steps[version]);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            (void)snprintf(sqlstate, sizeof(sqlstate), "%.5s", tg_pg_sqlstate(result));
        PQclear(result);
        /* What is sealed cannot be compressed; a server that does not know the setting stores it all the same. */
        PQclear(PQexec(store->link.conn, "ALTER TABLE tollgate_settlement ALTER COLUMN sealed SET STORAGE EXTERNAL"));
    }
    log_refusal(store, "the tables could not be made: may this user create tables in the database?", sqlstate);
    return TG_ERR_DENIED;
}

static enum tg_err take_number(struct tg_postgres *store)
{
    PGresult *result = NULL;
    enum tg_err err = tg_pg_run(&store->link, TG_PG_INSTANCE_NUMBER, &result);
    if (err != TG_OK)
        return err;
    store->instance = (int32_t)tg_pg_get_int(result, 0, 0);
    PQclear(result);
    store->heartbeats_only = store->link.absent[TG_PG_INSTANCE_LOCK];
    if (store->heartbeats_only)
        return TG_OK;
    tg_pg_int4(&store->link, TG_PG_LOCK_CLASS);
    tg_pg_int4(&store->link, store->instance);
    err = tg_pg_run(&store->link, TG_PG_INSTANCE_LOCK, &result);
    store->heartbeats_only = err == TG_ERR_DENIED;
    if (err != TG_OK)
        return store->heartbeats_only ? TG_OK : err;
    bool taken = tg_pg_get_int(result, 0, 0) != 0;
    PQclear(result);
    return taken ? TG_OK : TG_ERR_DOWN;
}

/* What this server is without. A lock that a second session can take too is none. */
static enum tg_err check_means(struct tg_postgres *store)
{
    PGresult *result = NULL;
    enum tg_err err = TG_OK;
    store->heartbeats_only = store->heartbeats_only || store->side.absent[TG_PG_INSTANCE_TRY];
    if (!store->heartbeats_only) {
        tg_pg_int4(&store->side, TG_PG_LOCK_CLASS);
        tg_pg_int4(&store->side, store->instance);
        err = tg_pg_run(&store->side, TG_PG_INSTANCE_TRY, &result);
        if (err != TG_OK && err != TG_ERR_DENIED)
            return err;
        store->heartbeats_only = err == TG_ERR_DENIED || tg_pg_get_int(result, 0, 0) != 0;
        PQclear(result);
    }
    if (store->heartbeats_only)
        tg_postgres_log(store, "the server has no advisory locks: keepers are told gone by their heartbeats");
    if (store->side.absent[TG_PG_SIZE])
        tg_postgres_log(store, "the server cannot say how much room its tables take: the store's size is not known");
    return TG_OK;
}

static enum tg_err enter(struct tg_postgres *store)
{
    enum tg_err err = take_number(store);
    if (err == TG_OK)
        err = check_means(store);
    if (err != TG_OK)
        return err;
    tg_pg_int4(&store->link, store->instance);
    tg_pg_int8(&store->link, 0);
    err = tg_pg_run(&store->link, TG_PG_INSTANCE_ADD, NULL);
    size_t living = 0;
    for (unsigned waited_ms = 0; err == TG_OK; waited_ms += 10) {
        err = tg_postgres_takeover_gone(store, &store->side, &living);
        if (living == 0 || store->heartbeats_only || waited_ms >= GONE_WAIT_MS)
            break;
        (void)usleep(10000);
    }
    return err;
}

static enum tg_err load_takeovers(struct tg_postgres *store)
{
    PGresult *result = NULL;
    tg_pg_int4(&store->link, store->instance);
    enum tg_err err = tg_pg_run(&store->link, TG_PG_TAKEOVERS, &result);
    if (err != TG_OK)
        return err;
    store->takeovers = tg_pg_get_int(result, 0, 0);
    PQclear(result);
    return TG_OK;
}

static enum tg_err load_recent(struct tg_postgres *store)
{
    PGresult *result = NULL;
    tg_pg_int8(&store->link, RECENT_ROWS);
    enum tg_err err = tg_pg_run(&store->link, TG_PG_RECENT, &result);
    if (err != TG_OK)
        return err;
    for (int i = PQntuples(result) - 1; i >= 0; i--) { /* the newest last: it stays */
        uint8_t id[TG_REQUEST_ID_BYTES];
        if (tg_pg_get_copy(result, i, 0, id, sizeof(id)))
            tg_recent_put(&store->recent, id, (uint8_t)tg_pg_get_int(result, i, 1));
    }
    PQclear(result);
    return TG_OK;
}

/* The first segment, when there is none: sealing number 0, which never was, would find no row. */
static enum tg_err first_segment(struct tg_postgres *store, int64_t now_us)
{
    char sql[256];
    int len = snprintf(sql, sizeof(sql),
                       "INSERT INTO tollgate_segment SELECT 1, %lld, 0, 1, 0, false WHERE NOT EXISTS (SELECT 1 FROM "
                       "tollgate_segment) ON CONFLICT (number) DO NOTHING",
                       (long long)now_us);
    if (len <= 0 || (size_t)len >= sizeof(sql))
        return TG_ERR_BUG;
    PGresult *result = PQexec(store->link.conn, sql);
    enum tg_err err = PQresultStatus(result) == PGRES_COMMAND_OK ? TG_OK : TG_ERR_DOWN;
    if (err != TG_OK)
        log_refusal(store, "the first segment could not be made", tg_pg_sqlstate(result));
    PQclear(result);
    return err;
}

static enum tg_err begin(struct tg_postgres *store)
{
    enum tg_err err = enter(store);
    if (err == TG_OK)
        err = load_takeovers(store);
    if (err == TG_OK)
        err = load_recent(store);
    if (err == TG_OK)
        err = tg_postgres_poll(store);
    if (err != TG_OK)
        log_refusal(store, "the store could not begin on this server",
                    store->link.sqlstate[0] != '\0' ? store->link.sqlstate : store->side.sqlstate);
    return err;
}

static enum tg_err open_all(struct tg_postgres *store, const char *connection, int64_t now_us)
{
    store->event_bytes = malloc(TG_EVENT_BYTES_MAX);
    if (store->event_bytes == NULL)
        return TG_ERR_DOWN;
    enum tg_err err = tg_pending_init(&store->pending);
    if (err == TG_OK)
        err = tg_recent_init(&store->recent);
    if (err == TG_OK)
        err = tg_quota_init(&store->counters);
    if (err == TG_OK)
        err = tg_pg_connect(connection, &store->link, store->log, store->log_user);
    if (err == TG_OK) {
        store->way = tg_pg_way(store->link.conn);
        err = migrate(store);
    }
    if (err == TG_OK)
        err = first_segment(store, now_us);
    if (err == TG_OK)
        err = tg_pg_prepare(&store->link, store->log, store->log_user);
    if (err == TG_OK)
        err = tg_pg_connect(connection, &store->side, store->log, store->log_user);
    if (err == TG_OK)
        err = tg_pg_prepare(&store->side, store->log, store->log_user);
    return err == TG_OK ? begin(store) : err;
}

/* Nothing of ours is in flight once we are gone. A session that is broken says so to others by its lock. */
static void leave(struct tg_postgres *store)
{
    if (store->instance == 0 || store->link.failed || store->link.conn == NULL)
        return;
    for (unsigned i = 0; i < 8 && tg_postgres_takeover(&store->link, store->instance) == TG_ERR_DENIED; i++)
        if (tg_pg_rollback(&store->link) != TG_OK)
            return;
}

static void postgres_close(struct tg_store *base)
{
    struct tg_postgres *store = tg_postgres_of(base);
    leave(store);
    tg_pg_batch_free(&store->batch);
    tg_pg_close(&store->link);
    tg_pg_close(&store->side);
    tg_pending_free(&store->pending);
    tg_recent_free(&store->recent);
    tg_quota_free(&store->counters);
    free(store->event_bytes);
    free(store);
}

static uint32_t postgres_segment(const struct tg_store *base)
{
    return tg_postgres_of_const(base)->segment;
}

static void postgres_count(const struct tg_store *base, struct tg_store_counts *ret)
{
    const struct tg_postgres *store = tg_postgres_of_const(base);
    *ret = (struct tg_store_counts){
        .claims_live = atomic_load(&store->live),
        .claims_in_flight = atomic_load(&store->in_flight),
        .claims_unknown = atomic_load(&store->unknown),
        .events = atomic_load(&store->events),
        .segments = atomic_load(&store->segments),
        .bytes = atomic_load(&store->bytes),
    };
}

static const char *postgres_way(const struct tg_store *base)
{
    return tg_postgres_of_const(base)->way;
}

static const struct tg_store_backend postgres = {
    .close = postgres_close,
    .commit = tg_postgres_commit,
    .segment = postgres_segment,
    .rotate = tg_postgres_rotate,
    .purged = tg_postgres_purged,
    .checkpoint = tg_postgres_checkpoint,
    .count = postgres_count,
    .unknowns = tg_postgres_unknowns,
    .events = tg_postgres_events,
    .last_event = tg_postgres_last_event,
    .setup_read = tg_postgres_setup_read,
    .setup_changed = tg_postgres_setup_changed,
    .act = tg_postgres_act,
    .sealer = tg_postgres_sealer,
    .way = postgres_way,
};

enum tg_err tg_postgres_open(const struct tg_store_options *options, int64_t now_us, struct tg_store **ret)
{
    struct tg_postgres *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return TG_ERR_DOWN;
    store->head.backend = &postgres;
    store->silent_s = SILENT_S;
    store->log = options->log;
    store->log_user = options->log_user;
    store->segment_rows_max = options->segment_rows_max != 0 ? options->segment_rows_max : SEGMENT_ROWS_DEFAULT;
    store->segment_us_max = options->segment_us_max != 0 ? options->segment_us_max : SEGMENT_US_DEFAULT;
    store->retention_us = options->retention_us != 0 ? options->retention_us : RETENTION_US_DEFAULT;
    store->purge_grace_us = options->purge_grace_us != 0 ? options->purge_grace_us : PURGE_GRACE_US_DEFAULT;
    enum tg_err err = open_all(store, options->connection, now_us);
    if (err != TG_OK) {
        postgres_close((struct tg_store *)(void *)store);
        return err;
    }
    *ret = (struct tg_store *)(void *)store;
    return TG_OK;
}
