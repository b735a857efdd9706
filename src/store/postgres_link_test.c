/* postgres_link_test.c - sessions: what a fault means, arrays there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_faults, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
