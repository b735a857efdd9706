/* postgres_apply_test.c - a counter that another keeper changed is seen before COMMIT, and the batch decided again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static struct tg_work limited(const struct kit *kit, uint64_t number)
{
    struct tg_work work = kit_admit(kit, number, number, number);
    work.admit.has_quota = true;
    work.admit.quota_day = KIT_QUOTA_DAY;
    work.admit.quota_day_minor = 1000; /* ten of a hundred */
    return work;
}

static void test_guarded(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    unsigned taken = 0;
    for (uint64_t number = 1; number <= 20; number++) {
        struct tg_work work = limited(kit, number);
        kit_commit_to(kit, number % 3 == 0 ? other : kit->store, &work);
        taken += work.admit.result == TG_CLAIM_TAKEN;
    }
    assert_int_equal(taken, 10);
    struct tg_work back = kit_settle(kit, 3, 0, TG_OUTCOME_NOT_SENT, 0);
    kit_commit_to(kit, other, &back);
    assert_int_equal(back.settle.result, TG_OK);
    struct tg_work again = limited(kit, 30);
    kit_commit(kit, &again); /* what this one saw last is "full" */
    assert_int_equal(again.admit.result, TG_CLAIM_TAKEN);
    int64_t reserved = 0, committed = 0;
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 1000);
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_guarded, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
