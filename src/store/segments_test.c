/* segments_test.c - the list of segments is what tollgate.sqlite says, and a list that cannot be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "store/sqlite.h"
#include "store/testkit.h"

static void refuse(struct kit *kit, const char *sql)
{
    kit_fill(kit);
    assert_int_equal(tg_sqlite_exec(kit->store->setup, sql), TG_OK);
    tg_store_close(kit->store);
    kit->store = NULL;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_ERR_CORRUPT);
}

static void test_none_open(void **state)
{
    refuse(*state, "UPDATE segment SET sealed_us = 1, last_sequence = 9999 WHERE number = 6");
}

static void test_two_open(void **state)
{
    refuse(*state, "UPDATE segment SET sealed_us = 0 WHERE number = 2");
}

static void test_overlap(void **state)
{
    refuse(*state, "UPDATE segment SET last_sequence = 50 WHERE number = 2");
}

static void test_save_and_forget(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    struct tg_segment_info *info = tg_state_info(kit->store, 2);
    info->answers_end_us = 1234;
    assert_int_equal(tg_segments_save(kit->store, info), TG_OK);
    assert_int_equal(tg_segments_forget(kit->store, 9), TG_ERR_ABSENT);
    kit_reopen(kit);
    assert_int_equal(tg_state_info(kit->store, 2)->answers_end_us, 1234);
    assert_int_equal(tg_segments_forget(kit->store, 1), TG_OK);
    kit_reopen(kit);
    assert_null(tg_state_info(kit->store, 1));
    assert_int_equal(kit->store->info_count, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_none_open, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_two_open, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_overlap, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_save_and_forget, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
