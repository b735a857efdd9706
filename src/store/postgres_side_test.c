/* postgres_side_test.c - what expired goes; a keeper whose session ends loses what it had in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_expired_go(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store_counts counts;
    for (uint64_t i = 0; i < 10; i++)
        (void)kit_pair(kit, i, i, "answer");
    assert_int_equal(kit_ask(kit, 50, 50, 1), TG_CLAIM_TAKEN);
    kit_rotate(kit, kit->now_us + 2 * KIT_DAY);
    (void)tg_store_checkpoint(kit->store);
    kit_rotate(kit, kit->now_us);
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_live, 1); /* in flight: it may still charge */
    assert_int_equal(kit_ask(kit, 60, 3, 3), TG_CLAIM_TAKEN);
    assert_int_equal(kit_ask(kit, 61, 50, 1), TG_CLAIM_IN_FLIGHT);
}

static void test_a_session_that_ends(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    struct tg_work work = kit_admit(kit, 1, 1, 1);
    kit_commit_to(kit, other, &work);
    kit_break(kit, other);
    size_t living = 1;
    for (unsigned i = 0; i < 500 && living > 0; i++) {
        (void)usleep(10000);
        struct tg_postgres *store = tg_postgres_of(kit->store);
        assert_int_equal(tg_postgres_takeover_gone(store, &store->side, &living), TG_OK);
    }
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_UNKNOWN);
    assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_SAME); /* its gate came here */
    struct tg_work *again = &work;
    assert_int_equal(tg_store_commit(other, kit->now_us, &again, 1, &kit->arena), TG_ERR_DOWN);
    tg_store_close(other);
}

/* As on a server without advisory locks: declared gone while it lives, it must not commit on top. */
static void test_one_wrongly_taken_for_gone_stops(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    struct tg_work work = kit_admit(kit, 1, 1, 1), *again = &work;
    kit_commit_to(kit, other, &work);
    assert_int_equal(tg_postgres_takeover(&tg_postgres_of(kit->store)->side, tg_postgres_of(other)->instance), TG_OK);
    work = kit_settle(kit, 1, work.admit.ticket, TG_OUTCOME_FINAL, 201);
    assert_int_equal(tg_store_commit(other, kit->now_us, &again, 1, &kit->arena), TG_ERR_DOWN);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_UNKNOWN);
    tg_store_close(other);
}

/* A server without advisory locks, and a keeper that hangs: its sessions stand, its heart does not beat. */
static void test_a_keeper_that_hangs(void **state)
{
    struct kit *kit = *state;
    size_t living = 0;
    kit_need_server(kit);
    kit_own_database(kit);
    kit_sql(kit, "ALTER FUNCTION pg_catalog.pg_try_advisory_lock(int4, int4) RENAME TO away_lock");
    kit_reopen(kit);
    struct tg_postgres *store = tg_postgres_of(kit->store);
    struct tg_store *other = kit_second(kit);
    struct tg_work work = kit_admit(kit, 1, 1, 1), *again = &work;
    kit_commit_to(kit, other, &work);
    assert_true(store->heartbeats_only);
    store->silent_s = 1;
    assert_int_equal(tg_postgres_takeover_gone(store, &store->side, &living), TG_OK);
    assert_int_equal(living, 1); /* its heart has just beaten */
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_IN_FLIGHT);
    for (unsigned i = 0; i < 500 && living > 0; i++) {
        (void)usleep(20000);
        assert_int_equal(tg_postgres_takeover_gone(store, &store->side, &living), TG_OK);
    }
    assert_int_equal(living, 0);
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_UNKNOWN);
    work = kit_settle(kit, 1, work.admit.ticket, TG_OUTCOME_FINAL, 201); /* it wakes, and cannot commit on top */
    assert_int_equal(tg_store_commit(other, kit->now_us, &again, 1, &kit->arena), TG_ERR_DOWN);
    assert_int_equal(kit_ask(kit, 4, 1, 1), TG_CLAIM_UNKNOWN);
    tg_store_close(other);
}

/* Functions that fit our arguments better than the server's own, in a schema where others may create. */
static void test_functions_of_others_are_not_called(void **state)
{
    static const char *const sql[] = {
        "CREATE FUNCTION unnest(int8[]) RETURNS SETOF int8 LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called''; END'",
        "CREATE FUNCTION unnest(uuid[]) RETURNS SETOF uuid LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''called''; END'",
        "CREATE FUNCTION pg_total_relation_size(text) RETURNS int8 LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''called''; END'",
        "CREATE FUNCTION often(int8, interval) RETURNS interval LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''called''; END'",
        "CREATE OPERATOR * (LEFTARG = int8, RIGHTARG = interval, PROCEDURE = often)",
    };
    struct kit *kit = *state;
    kit_need_server(kit);
    PGconn *conn = PQconnectdb(kit->connection);
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
        PGresult *result = PQexec(conn, sql[i]);
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
    }
    PQfinish(conn);
    uint64_t ticket = kit_pair(kit, 1, 1, "answer");
    struct tg_store *store = kit_second(kit);
    struct tg_work by_ticket = kit_settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201);
    struct tg_work by_request = kit_resolve(kit, 2, true);
    struct tg_store_counts counts;
    struct tg_postgres *other = tg_postgres_of(store);
    uint32_t fresh, destroy[4];
    size_t count;
    kit_commit_to(kit, store, &by_ticket);
    kit_commit_to(kit, store, &by_request);
    assert_int_equal(tg_store_rotate(store, kit->now_us, &fresh, destroy, 4, &count), TG_OK);
    (void)tg_store_checkpoint(store);
    tg_store_count(store, &counts);
    assert_true(counts.bytes > 0);
    PGresult *result = NULL;
    tg_pg_int4(&other->side, other->instance);
    tg_pg_int8(&other->side, 15);
    assert_int_equal(tg_pg_run(&other->side, TG_PG_INSTANCE_OLD, &result), TG_OK);
    assert_int_equal(PQntuples(result), 0);
    PQclear(result);
    tg_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_expired_go, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_session_that_ends, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_keeper_that_hangs, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_functions_of_others_are_not_called, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_one_wrongly_taken_for_gone_stops, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
