/* move_sum_test.c - the same store sums up the same, a changed one does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/move.h"
#include "store/testkit.h"

static void test_folder(void **state)
{
    struct kit *kit = *state;
    struct tg_move_sum one, two;
    if (kit_skip(kit))
        return;
    (void)kit_pair(kit, 1, 1, "answer");
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &one), TG_OK);
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &two), TG_OK);
    assert_memory_equal(&one, &two, sizeof(one));
    assert_int_equal(one.events, 2);
    assert_int_equal(one.claims, 1);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY); /* an event, and no claim */
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us, &two), TG_OK);
    assert_memory_not_equal(one.event_digest, two.event_digest, TG_DIGEST_BYTES);
    assert_memory_equal(one.claim_digest, two.claim_digest, TG_DIGEST_BYTES);
    assert_int_equal(tg_move_sum_folder(kit->store, kit->now_us + 2 * KIT_DAY, &two), TG_OK);
    assert_int_equal(two.claims, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
