/* postgres_rotate_test.c - segments are one keeper's to seal and everybody's to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_shared_segments(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    kit_small_segments(kit, 5);
    struct tg_store *other = kit_second(kit);
    for (uint64_t i = 0; i < 3; i++)
        (void)kit_pair(kit, i, i, "answer");
    kit_rotate(kit, kit->now_us);
    assert_int_equal(tg_store_segment(kit->store), 2);
    uint32_t fresh = 0, destroy[4];
    size_t count = 0;
    assert_int_equal(tg_store_rotate(other, kit->now_us, &fresh, destroy, 4, &count), TG_OK);
    assert_int_equal(fresh, 2);
    assert_int_equal(count, 0);
    kit->now_us += 2 * KIT_DAY;
    assert_int_equal(tg_store_rotate(other, kit->now_us, &fresh, destroy, 4, &count), TG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(destroy[0], 1);
    assert_int_equal(tg_store_purged(other, 1), TG_OK);
    assert_int_equal(tg_store_purged(other, 77), TG_ERR_ABSENT);
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 4, &count), TG_OK);
    assert_int_equal(count, 0);
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shared_segments, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
