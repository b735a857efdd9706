/* move_sum_test.c - the same store sums up the same, a changed one does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/move.h"
#include "store/testkit.h"

static void keep(void *user, const char *what, uint64_t count)
{
    uint64_t *told = user;
    if (strcmp(what, "events") == 0)
        *told = count;
}

static void test_folder(void **state)
{
    struct kit *kit = *state;
    struct tg_move_sum one, two;
    uint64_t told = 0;
    if (kit_skip(kit))
        return;
    (void)kit_pair(kit, 1, 1, "answer");
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &one, keep, &told), TG_OK);
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &two, keep, &told), TG_OK);
    assert_memory_equal(&one, &two, sizeof(one));
    assert_int_equal(one.counts[TG_MOVE_EVENTS], 2);
    assert_int_equal(one.counts[TG_MOVE_CLAIMS], 1);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY); /* an event, and no claim */
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &two, keep, &told), TG_OK);
    assert_false(tg_move_sum_equal(&one, &two, TG_MOVE_EVENTS));
    assert_true(tg_move_sum_equal(&one, &two, TG_MOVE_CLAIMS));
    assert_int_equal(told, 3);
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us + 2 * KIT_DAY, &two, keep, &told), TG_OK);
    assert_int_equal(two.counts[TG_MOVE_CLAIMS], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
