/* postgres_test.c - two stores on one database: the unique key decides, a limit is refused by what is there now, and a
 * close leaves nothing in flight. */
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

static struct tg_work limited(const struct kit *kit, uint64_t number)
{
    struct tg_work work = kit_admit(kit, number, number, 1);
    work.admit.has_quota = true;
    work.admit.quota_day_minor = 150;
    work.admit.quota_day = KIT_QUOTA_DAY;
    return work;
}

/* What one keeper remembers of a counter is old as soon as the other gives back: nobody is refused by that. */
static void test_what_the_other_gives_back_may_be_spent(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    for (uint64_t i = 0; i < 200; i += 2) {
        struct tg_work mine = limited(kit, 1000 + i), theirs = limited(kit, 2000 + i);
        kit_commit_to(kit, kit->store, &mine);
        kit_commit_to(kit, other, &theirs);
        assert_int_equal(mine.admit.result, TG_CLAIM_TAKEN);
        assert_int_equal(theirs.admit.result, TG_CLAIM_OVER_QUOTA);
        struct tg_work end = kit_settle(kit, 1000 + i, mine.admit.ticket, TG_OUTCOME_NOT_EXECUTED, 402);
        kit_commit_to(kit, kit->store, &end);
        theirs = limited(kit, 2001 + i);
        kit_commit_to(kit, other, &theirs);
        assert_int_equal(theirs.admit.result, TG_CLAIM_TAKEN);
        end = kit_settle(kit, 2001 + i, theirs.admit.ticket, TG_OUTCOME_NOT_EXECUTED, 402);
        kit_commit_to(kit, other, &end);
    }
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_of_two, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_what_the_other_gives_back_may_be_spent, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
