/*
 * testkit.c - see testkit.h.
 *
 * Promises: a failure inside a helper fails the test that called it. Does not: clean up after a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/endian.h"
#include "store/postgres.h"
#include "store/testkit.h"

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* One statement on a session of its own; the first number of the answer, if any. */
static int64_t ask_server(const char *connection, const char *sql, int column)
{
    PGconn *conn = PQconnectdb(connection);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    PGresult *result = PQexec(conn, sql);
    assert_true(PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK);
    int64_t number = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, column), NULL, 10) : 0;
    PQclear(result);
    PQfinish(conn);
    return number;
}

static void make_schema(struct kit *kit, const char *server)
{
    static unsigned made;
    char sql[128];
    (void)snprintf(kit->path, sizeof(kit->path), "kit_%d_%u", (int)getpid(), ++made);
    (void)snprintf(sql, sizeof(sql), "SET client_min_messages = error; CREATE SCHEMA %s", kit->path);
    (void)ask_server(server, sql, 0);
    int len = snprintf(kit->connection, sizeof(kit->connection), "%s options='-csearch_path=%s'", server, kit->path);
    assert_true(len > 0 && (size_t)len < sizeof(kit->connection));
    kit->options.connection = kit->connection;
}

static void drop_schema(struct kit *kit)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "SET client_min_messages = error; DROP SCHEMA %s CASCADE", kit->path);
    (void)ask_server(kit->connection, sql, 0);
}

void kit_own_database(struct kit *kit)
{
    const char *server = getenv(KIT_POSTGRES);
    char sql[128], own[512];
    assert_non_null(server);
    tg_store_close(kit->store);
    drop_schema(kit);
    (void)snprintf(kit->database, sizeof(kit->database), "own_%.40s", kit->path);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", kit->database);
    (void)ask_server(server, sql, 0);
    int len = snprintf(own, sizeof(own), "%s dbname=%s", server, kit->database); /* the last one counts */
    assert_true(len > 0 && (size_t)len < sizeof(own));
    make_schema(kit, own);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
}

void kit_sql(const struct kit *kit, const char *sql)
{
    (void)ask_server(kit->connection, sql, 0);
}

int kit_setup(void **state)
{
    struct kit *kit = calloc(1, sizeof(*kit));
    assert_non_null(kit);
    const char *server = getenv(KIT_POSTGRES);
    if (server != NULL) {
        make_schema(kit, server);
    } else {
        (void)snprintf(kit->path, sizeof(kit->path), "/tmp/tollgate-store-XXXXXX");
        assert_non_null(mkdtemp(kit->path));
        kit->options = (struct tg_store_options){.path = kit->path};
    }
    kit->now_us = KIT_START;
    kit->arena = tg_arena(kit->block, sizeof(kit->block));
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
    *state = kit;
    return 0;
}

static void drop_database(const struct kit *kit)
{
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", kit->database);
    (void)ask_server(getenv(KIT_POSTGRES), sql, 0);
}

int kit_teardown(void **state)
{
    struct kit *kit = *state;
    tg_store_close(kit->store);
    if (kit->connection[0] != '\0') {
        if (kit->database[0] == '\0')
            drop_schema(kit);
        else
            drop_database(kit);
    } else {
        (void)nftw(kit->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    free(kit);
    return 0;
}

bool kit_skip(const struct kit *kit)
{
    if (kit->connection[0] != '\0')
        print_message("# a test of the embedded store only\n");
    return kit->connection[0] != '\0';
}

void kit_need_server(const struct kit *kit)
{
    if (kit->connection[0] == '\0') {
        print_message("# needs a PostgreSQL server: " KIT_POSTGRES "\n");
        skip();
    }
}

struct tg_store *kit_second(struct kit *kit)
{
    struct tg_store *store = NULL;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &store), TG_OK);
    return store;
}

void kit_commit_to(struct kit *kit, struct tg_store *store, struct tg_work *work)
{
    tg_arena_reset(&kit->arena);
    assert_int_equal(tg_store_commit(store, kit->now_us, &work, 1, &kit->arena), TG_OK);
}

void kit_break(struct kit *kit, struct tg_store *store)
{
    const struct tg_postgres *postgres = tg_postgres_of(store);
    const int pids[] = {PQbackendPID(postgres->link.conn), PQbackendPID(postgres->side.conn)};
    for (size_t i = 0; i < 2; i++) {
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", pids[i]);
        (void)ask_server(kit->connection, sql, 0);
    }
}

void kit_forget_recent(struct kit *kit)
{
    struct tg_recent *recent = kit->connection[0] != '\0' ? &tg_postgres_of(kit->store)->recent : &kit->store->recent;
    memset(recent->sets, 0, TG_RECENT_SETS * sizeof(struct tg_recent_set));
}

void kit_counter(struct kit *kit, int32_t day, int64_t *ret_reserved, int64_t *ret_committed)
{
    if (kit->connection[0] != '\0') {
        char sql[160];
        (void)snprintf(sql, sizeof(sql), "SELECT reserved, committed FROM tollgate_counter WHERE partner = 7 AND "
                       "day = %d AND environment = %d AND currency = 'EUR'", day, TG_ENVIRONMENT_TEST);
        *ret_reserved = ask_server(kit->connection, sql, 0);
        *ret_committed = ask_server(kit->connection, sql, 1);
        return;
    }
    struct tg_quota_key key = {7, day, TG_ENVIRONMENT_TEST, {'E', 'U', 'R'}};
    const struct tg_quota_counter *counter = tg_quota_counter(&kit->store->quota, &key);
    assert_non_null(counter);
    *ret_reserved = counter->reserved;
    *ret_committed = counter->committed;
}

void kit_reopen(struct kit *kit)
{
    tg_store_close(kit->store);
    kit->store = NULL;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
}

void kit_commit(struct kit *kit, struct tg_work *work)
{
    tg_arena_reset(&kit->arena);
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, &work, 1, &kit->arena), TG_OK);
}

void kit_rotate(struct kit *kit, int64_t now_us)
{
    uint32_t fresh = 0, destroy[8];
    size_t count = 0;
    kit->now_us = now_us;
    assert_int_equal(tg_store_rotate(kit->store, now_us, &fresh, destroy, 8, &count), TG_OK);
}

void kit_bytes(uint8_t *to, size_t len, uint8_t what, uint64_t number)
{
    uint64_t x = number * 256 + what;
    for (size_t i = 0; i < len; i++) {
        x += 0x9e3779b97f4a7c15u;
        uint64_t y = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        to[i] = (uint8_t)(y >> 56);
    }
    if (len >= 16) /* no two numbers alike, whatever the mixing does */
        tg_be64_write(to + 8, number);
}

struct tg_work kit_admit(const struct kit *kit, uint64_t request, uint64_t key, uint64_t print)
{
    struct tg_work work = {.kind = TG_WORK_ADMIT};
    struct tg_admit_work *admit = &work.admit;
    admit->row = (struct tg_verdict_row){.at_us = kit->now_us, .flags = TG_FLAG_HAS_AMOUNT | TG_FLAG_MONEY_MOVING,
                                         .environment = TG_ENVIRONMENT_TEST, .partner = 7, .credential = 9,
                                         .amount_minor = 100, .currency = {'E', 'U', 'R'}, .route = TG_SPAN("psp"),
                                         .operation = TG_SPAN("payment.create"), .method = TG_SPAN("POST"),
                                         .path_template = TG_SPAN("/v1/payments")};
    kit_bytes(admit->row.request_id, sizeof(admit->row.request_id), 1, request);
    kit_bytes(admit->claim_key, sizeof(admit->claim_key), 2, key);
    kit_bytes(admit->fingerprint, sizeof(admit->fingerprint), 3, print);
    kit_bytes(admit->row.payee, sizeof(admit->row.payee), 4, 1);
    admit->expires_us = kit->now_us + KIT_DAY;
    admit->owner = 1;
    return work;
}

struct tg_work kit_settle(const struct kit *kit, uint64_t request, uint64_t ticket, uint8_t outcome, uint16_t status)
{
    struct tg_work work = {.kind = TG_WORK_SETTLE};
    struct tg_settle_work *settle = &work.settle;
    settle->at_us = kit->now_us;
    kit_bytes(settle->request_id, sizeof(settle->request_id), 1, request);
    settle->ticket = ticket;
    settle->owner = 1;
    settle->outcome = outcome;
    settle->upstream_status = status;
    settle->caller_status = status;
    settle->seal_segment = tg_store_segment(kit->store);
    if (outcome == TG_OUTCOME_FINAL)
        settle->sealed = TG_SPAN("sealed answer");
    return work;
}

struct tg_work kit_lost(const struct kit *kit, uint64_t owner)
{
    struct tg_work work = {.kind = TG_WORK_LOST};
    work.lost.owner = owner;
    work.lost.at_us = kit->now_us;
    return work;
}

struct tg_work kit_resolve(const struct kit *kit, uint64_t request, bool executed)
{
    struct tg_work work = {.kind = TG_WORK_RESOLVE};
    work.resolve.at_us = kit->now_us;
    kit_bytes(work.resolve.request_id, TG_REQUEST_ID_BYTES, 1, request);
    work.resolve.executed = executed;
    work.resolve.status = executed ? 201 : 0;
    work.resolve.actor = TG_SPAN("uid=0 login=alice");
    work.resolve.note = TG_SPAN("asked the \"processor\"");
    return work;
}

uint64_t kit_pair(struct kit *kit, uint64_t request, uint64_t key, const char *answer)
{
    struct tg_work work = kit_admit(kit, request, key, key);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_TAKEN);
    uint64_t ticket = work.admit.ticket;
    work = kit_settle(kit, request, ticket, TG_OUTCOME_FINAL, 201);
    work.settle.sealed = tg_span_string(answer);
    kit_commit(kit, &work);
    assert_int_equal(work.settle.result, TG_OK);
    return ticket;
}

enum tg_claim_result kit_ask(struct kit *kit, uint64_t request, uint64_t key, uint64_t print)
{
    struct tg_work work = kit_admit(kit, request, key, print);
    kit_commit(kit, &work);
    return work.admit.result;
}

void kit_small_segments(struct kit *kit, uint64_t rows)
{
    kit->options.segment_rows_max = rows;
    kit->options.retention_us = 30 * KIT_DAY;
    kit_reopen(kit);
}

/* Ten settled pairs and one unknown a segment, five segments. */
void kit_fill(struct kit *kit)
{
    kit_small_segments(kit, 21);
    for (uint64_t segment = 0; segment < 5; segment++) {
        for (uint64_t i = 0; i < 10; i++)
            (void)kit_pair(kit, segment * 100 + i, segment * 100 + i, "answer");
        assert_int_equal(kit_ask(kit, segment * 100 + 50, segment * 100 + 50, 1), TG_CLAIM_TAKEN);
        kit->now_us += KIT_SECOND;
        kit_rotate(kit, kit->now_us);
        assert_int_equal(tg_store_segment(kit->store), segment + 2);
    }
}
