/* leave_test.c - segments past retention are removed, and what lived in them is carried on again and again. */
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

static bool there(const struct kit *kit, uint32_t number, const char *suffix)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, number, suffix, path), TG_OK);
    return access(path, F_OK) == 0;
}

static void work_off(struct kit *kit)
{
    while (tg_store_checkpoint(kit->store))
        continue;
}

static void test_leave_carries_on(void **state)
{
    struct kit *kit = *state;
    kit_small_segments(kit, 22);
    struct tg_work work = kit_admit(kit, 5555, 5555, 1); /* a claim that outlives its segment */
    work.admit.expires_us = kit->now_us + 100 * KIT_DAY;
    kit_commit(kit, &work);
    uint64_t ticket = work.admit.ticket;
    work = kit_settle(kit, 5555, ticket, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &work);
    kit_reopen(kit);
    kit_fill(kit);
    kit_reopen(kit);
    uint64_t unknown = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 40; i++) {
            kit_rotate(kit, kit->now_us + (i == 0 ? 31 * KIT_DAY : 1));
            work_off(kit);
        }
        for (uint32_t segment = 1; segment <= 5; segment++) {
            assert_false(there(kit, segment, "sqlite"));
            assert_false(there(kit, segment, "keys"));
        }
        assert_int_equal(kit_ask(kit, 9999, 5555, 1), TG_CLAIM_REPLAY);
        assert_int_equal(kit_ask(kit, 9999, 50, 1), TG_CLAIM_UNKNOWN);
        assert_int_equal(kit_ask(kit, 9999, 450, 1), TG_CLAIM_UNKNOWN);
        kit_reopen(kit);
        struct tg_store_counts counts;
        tg_store_count(kit->store, &counts);
        assert_int_equal(counts.claims_unknown, 5);
        assert_int_equal(counts.claims_live, 6);
        /* more rows: what was carried is carried again from segment to segment */
        for (uint64_t i = 0; i < 12; i++)
            (void)kit_pair(kit, 20000 + round * 100 + i, 20000 + round * 100 + i, "x");
        unknown++;
    }
    work = kit_settle(kit, 50, 0, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &work);
    assert_int_equal(work.settle.result, TG_OK);
    assert_int_equal(unknown, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_leave_carries_on, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
