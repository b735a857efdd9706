/* rotate_test.c - segments are sealed, leave the index and are purged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite.h"
#include "store/testkit.h"

static void test_expired_leave_the_index(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    kit_reopen(kit);
    kit_rotate(kit, kit->now_us + 2 * KIT_DAY);
    for (unsigned i = 0; i < 20; i++)
        kit_rotate(kit, kit->now_us);
    assert_int_equal(kit->store->index.count, 0);
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_unknown, 5);
    assert_int_equal(counts.segments, 6);
    assert_int_equal(counts.events, 5 * 21);
    assert_int_equal(kit_ask(kit, 9999, 50, 1), TG_CLAIM_UNKNOWN);
}

static void test_purge(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    uint32_t fresh = 0, destroy[3] = {0};
    size_t count = 0;
    kit->now_us += 3600 * KIT_SECOND;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 0); /* answers live */
    assert_int_equal(tg_store_purged(kit->store, 2), TG_OK); /* an operator's choice, say */
    assert_int_equal(tg_store_purged(kit->store, 6), TG_ERR_ABSENT); /* open */
    assert_int_equal(kit_ask(kit, 9000, 100, 100), TG_CLAIM_ANSWER_ABSENT);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 9000, 100, 100), TG_CLAIM_ANSWER_ABSENT);
    assert_int_equal(kit_ask(kit, 9000, 1, 1), TG_CLAIM_REPLAY);
    kit->now_us += KIT_DAY;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 3);
    assert_int_equal(destroy[0], 1);
    assert_int_equal(destroy[1], 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(tg_store_purged(kit->store, destroy[i]), TG_OK);
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(destroy[0], 5);
}

static void test_age_and_emptiness(void **state)
{
    struct kit *kit = *state;
    kit_rotate(kit, kit->now_us + 2 * KIT_DAY);
    assert_int_equal(tg_store_segment(kit->store), 1); /* nothing to seal */
    (void)kit_pair(kit, 1, 1, "a");
    uint32_t fresh = 0, destroy[1];
    size_t count = 0;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 1, &count), TG_OK);
    assert_int_equal(fresh, 2);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
}

static void test_leftover_of_a_crash(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "a");
    struct tg_segment stray; /* made, filled with nothing anyone was told of, and never listed */
    assert_int_equal(tg_segment_open(kit->path, 2, true, &stray), TG_OK);
    assert_int_equal(tg_sqlite_exec(stray.db, "INSERT INTO entry VALUES (77, 3, x'00', NULL)"), TG_OK);
    tg_segment_close(&stray);
    kit->options.segment_rows_max = 1;
    kit_reopen(kit);
    kit_rotate(kit, kit->now_us);
    assert_int_equal(tg_store_segment(kit->store), 2);
    (void)kit_pair(kit, 2, 2, "b");
    kit_reopen(kit);
    assert_int_equal(tg_store_last_event(kit->store), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_expired_leave_the_index, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_purge, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_age_and_emptiness, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_leftover_of_a_crash, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
