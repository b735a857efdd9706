/* postgres_test.c - two stores on one database: the unique key decides, and a close leaves nothing in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_one_of_two(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    for (uint64_t key = 0; key < 20; key++) {
        struct tg_work mine = kit_admit(kit, 100 + key, key, 1), theirs = kit_admit(kit, 200 + key, key, 1);
        kit_commit_to(kit, key % 2 == 0 ? kit->store : other, &mine);
        kit_commit_to(kit, key % 2 == 0 ? other : kit->store, &theirs);
        assert_int_equal(mine.admit.result, TG_CLAIM_TAKEN);
        assert_int_equal(theirs.admit.result, TG_CLAIM_IN_FLIGHT);
    }
    tg_store_close(other);
    for (uint64_t key = 0; key < 20; key++)
        assert_int_equal(kit_ask(kit, 300 + key, key, 1), key % 2 == 0 ? TG_CLAIM_IN_FLIGHT : TG_CLAIM_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_of_two, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
