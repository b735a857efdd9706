/* postgres_sealer_test.c - of two keepers' sealers the first stands; a database of the first schema learns its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static const uint8_t first[TG_STORE_SEALER_BYTES] = {1}, other[TG_STORE_SEALER_BYTES] = {2};

static void test_second_keeper(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *second = kit_second(kit);
    assert_int_equal(tg_store_sealer(second, other), TG_OK);
    assert_int_equal(tg_store_sealer(kit->store, first), TG_ERR_DENIED);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_OK);
    tg_store_close(second);
}

/* A database that an older program made: the table comes at the next start. */
static void test_first_schema(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    PGconn *conn = PQconnectdb(kit->connection);
    PGresult *result = PQexec(conn, "DROP TABLE tollgate_sealer; UPDATE tollgate_state SET schema_version = 1");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(conn);
    kit_reopen(kit);
    assert_int_equal(tg_store_sealer(kit->store, first), TG_OK);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_second_keeper, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_first_schema, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
