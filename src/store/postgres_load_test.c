/* postgres_load_test.c - what is loaded of a claim of another keeper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_foreign(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    struct tg_work work = kit_admit(kit, 1, 1, 1);
    kit_commit_to(kit, other, &work);
    uint64_t ticket = work.admit.ticket;
    assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_IN_FLIGHT); /* the same request: its own keeper answers for it */
    assert_int_equal(kit_ask(kit, 2, 1, 9), TG_CLAIM_MISMATCH);
    struct tg_work settle = kit_settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &settle);
    assert_int_equal(settle.settle.result, TG_ERR_ABSENT);
    kit_commit_to(kit, other, &settle);
    assert_int_equal(settle.settle.result, TG_OK);
    work = kit_admit(kit, 3, 1, 1);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_REPLAY);
    assert_true(tg_span_equal(work.admit.sealed, TG_SPAN("sealed answer")));
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_foreign, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
