/* postgres_decide_test.c - works of one batch are decided in order, as the embedded store does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void commit_all(struct kit *kit, struct tg_work *works, size_t count)
{
    struct tg_work *pointers[8];
    for (size_t i = 0; i < count; i++)
        pointers[i] = &works[i];
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, pointers, count, &kit->arena), TG_OK);
}

static void test_in_order(void **state)
{
    struct kit *kit = *state; /* on both stores */
    struct tg_work works[5] = {kit_admit(kit, 1, 1, 1), kit_admit(kit, 2, 1, 1),
                               kit_settle(kit, 1, 0, TG_OUTCOME_NOT_EXECUTED, 400), kit_admit(kit, 3, 1, 1),
                               kit_settle(kit, 3, 0, TG_OUTCOME_FINAL, 201)};
    commit_all(kit, works, 5);
    assert_int_equal(works[0].admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(works[1].admit.result, TG_CLAIM_IN_FLIGHT);
    assert_int_equal(works[2].settle.result, TG_OK);
    assert_int_equal(works[3].admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(works[4].settle.result, TG_OK);
    assert_int_equal(kit_ask(kit, 4, 1, 1), TG_CLAIM_REPLAY);
    struct tg_work lost[3] = {kit_admit(kit, 5, 5, 5), kit_lost(kit, 1), kit_admit(kit, 6, 5, 5)};
    commit_all(kit, lost, 3);
    assert_int_equal(lost[2].admit.result, TG_CLAIM_UNKNOWN);
    struct tg_work limited[3] = {kit_admit(kit, 7, 7, 7), kit_admit(kit, 8, 8, 8), kit_admit(kit, 9, 8, 8)};
    for (size_t i = 0; i < 3; i++) {
        limited[i].admit.has_quota = true;
        limited[i].admit.quota_day_minor = 150;
        limited[i].admit.quota_day = KIT_QUOTA_DAY;
    }
    limited[2].admit.quota_day_minor = 1000;
    commit_all(kit, limited, 3);
    assert_int_equal(limited[1].admit.result, TG_CLAIM_OVER_QUOTA);
    assert_int_equal(limited[2].admit.result, TG_CLAIM_TAKEN);
    int64_t reserved = 0, committed = 0;
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
