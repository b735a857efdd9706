/* postgres_link_test.c - sessions: what a fault means, arrays there and back, a server that has not all functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_faults(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_pg_link *link = &tg_postgres_of(kit->store)->side;
    tg_pg_queue(link, TG_PG_BEGIN); /* a guard: no such row */
    tg_pg_array(link, TG_PG_UUID, 1);
    tg_pg_put_bytes(link, TG_SPAN("0123456789abcdef"));
    tg_pg_array(link, TG_PG_INT8, 1);
    tg_pg_put_int(link, 1);
    tg_pg_array(link, TG_PG_INT2, 1);
    tg_pg_put_int(link, 1);
    tg_pg_int8(link, 1);
    tg_pg_queue(link, TG_PG_CLAIM_DROP);
    tg_pg_queue(link, TG_PG_COMMIT);
    assert_int_equal(tg_pg_flush(link), TG_ERR_DENIED);
    assert_int_equal(link->fault, TG_PG_FAULT_AGAIN);
    assert_int_equal(tg_pg_rollback(link), TG_OK);
    PGresult *result = NULL;
    tg_pg_array(link, TG_PG_INT8, 0);
    assert_int_equal(tg_pg_run(link, TG_PG_SWEEP, &result), TG_OK);
    assert_int_equal(tg_pg_get_int(result, 0, 0), 0);
    PQclear(result);
}

static void keep(void *user, const char *text)
{
    char *said = user;
    size_t len = strlen(said);
    (void)snprintf(said + len, 2048 - len, "%s\n", text);
}

/* What only PostgreSQL has: the size of a table, advisory locks. Without them the store serves, and says so. */
static void test_functions_that_are_not_needed(void **state)
{
    struct kit *kit = *state;
    struct tg_store_counts counts;
    char said[2048] = "";
    kit_need_server(kit);
    kit_own_database(kit);
    kit_rotate(kit, kit->now_us);
    (void)tg_store_checkpoint(kit->store);
    tg_store_count(kit->store, &counts);
    assert_true(counts.bytes > 0);
    kit_sql(kit, "ALTER FUNCTION pg_catalog.pg_total_relation_size(regclass) RENAME TO away_size");
    kit_sql(kit, "ALTER FUNCTION pg_catalog.pg_try_advisory_lock(int4, int4) RENAME TO away_lock");
    kit_sql(kit, "ALTER FUNCTION pg_catalog.pg_try_advisory_xact_lock(int4, int4) RENAME TO away_try");
    kit->options.log = keep;
    kit->options.log_user = said;
    kit_reopen(kit);
    (void)kit_pair(kit, 1, 1, "answer");
    kit_rotate(kit, kit->now_us);
    (void)tg_store_checkpoint(kit->store);
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.bytes, 0); /* not known */
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
    assert_true(tg_postgres_of(kit->store)->heartbeats_only);
    assert_non_null(strstr(said, "advisory locks"));
    assert_non_null(strstr(said, "size is not known"));
}

/* Functions that are there and not for us. */
static void test_functions_that_may_not_be_called(void **state)
{
    struct kit *kit = *state;
    struct tg_store_counts counts;
    char connection[600], sql[256];
    kit_need_server(kit);
    kit_own_database(kit);
    (void)snprintf(sql, sizeof(sql), "DO $$ BEGIN CREATE ROLE modest LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    kit_sql(kit, sql);
    (void)snprintf(sql, sizeof(sql), "GRANT ALL ON SCHEMA %s TO modest", kit->path);
    kit_sql(kit, sql);
    (void)snprintf(sql, sizeof(sql), "GRANT ALL ON ALL TABLES IN SCHEMA %s TO modest", kit->path);
    kit_sql(kit, sql);
    kit_sql(kit, "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_total_relation_size(regclass) FROM PUBLIC");
    kit_sql(kit, "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_try_advisory_lock(int4, int4) FROM PUBLIC");
    (void)snprintf(connection, sizeof(connection), "%s user=modest", kit->connection);
    kit->options.connection = connection;
    kit_reopen(kit);
    kit_rotate(kit, kit->now_us);
    (void)tg_store_checkpoint(kit->store);
    (void)kit_pair(kit, 1, 1, "answer");
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.bytes, 0);
    assert_true(tg_postgres_of(kit->store)->heartbeats_only);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
    kit->options.connection = kit->connection;
    kit_sql(kit, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_try_advisory_lock(int4, int4) TO PUBLIC");
    kit_reopen(kit);
    kit_sql(kit, "DROP OWNED BY modest");
    kit_sql(kit, "DROP ROLE modest");
}

/* A function that is needed: the start fails, and says of which statement, by which SQLSTATE. */
static void test_a_function_that_is_needed(void **state)
{
    struct kit *kit = *state;
    struct tg_store *second = NULL;
    char said[2048] = "";
    kit_need_server(kit);
    kit_own_database(kit);
    kit_sql(kit, "ALTER FUNCTION pg_catalog.length(bytea) RENAME TO away_length");
    kit->options.log = keep;
    kit->options.log_user = said;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &second), TG_ERR_DOWN);
    assert_non_null(strstr(said, "SQLSTATE 42883"));
    assert_non_null(strstr(said, "SELECT c.claim_key"));
}

/* Tables that we may not read: why, in one line. */
static void test_tables_of_others(void **state)
{
    struct kit *kit = *state;
    struct tg_store *second = NULL;
    char said[2048] = "", connection[600];
    kit_need_server(kit);
    kit_own_database(kit);
    kit_sql(kit, "DO $$ BEGIN CREATE ROLE stranger LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    char sql[128];
    (void)snprintf(sql, sizeof(sql), "GRANT USAGE ON SCHEMA %s TO stranger", kit->path);
    kit_sql(kit, sql);
    (void)snprintf(connection, sizeof(connection), "%s user=stranger", kit->connection);
    kit->options.connection = connection;
    kit->options.log = keep;
    kit->options.log_user = said;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &second), TG_ERR_DOWN);
    assert_non_null(strstr(said, "SQLSTATE 42501"));
    kit->options.connection = kit->connection;
    kit_sql(kit, "DROP OWNED BY stranger");
    kit_sql(kit, "DROP ROLE stranger");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_faults, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_functions_that_are_not_needed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_functions_that_may_not_be_called, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_function_that_is_needed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_tables_of_others, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
