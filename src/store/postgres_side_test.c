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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_expired_go, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_session_that_ends, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_one_wrongly_taken_for_gone_stops, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
