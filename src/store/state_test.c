/* state_test.c - which segment holds a number, more segments than connections, and a key that shares another's tag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/testkit.h"

static void test_which_segment(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    assert_null(tg_state_info_of(kit->store, 0));
    for (uint64_t sequence = 1; sequence <= 5 * 21; sequence++)
        assert_int_equal(tg_state_info_of(kit->store, sequence)->number, 1 + (sequence - 1) / 21);
    assert_int_equal(tg_state_info_of(kit->store, 1000000)->number, 6);
    assert_null(tg_state_info(kit->store, 0));
    assert_null(tg_state_info(kit->store, 7));
    assert_int_equal(tg_state_info(kit->store, 3)->number, 3);
}

static void test_more_segments_than_connections(void **state)
{
    struct kit *kit = *state;
    kit_small_segments(kit, 2);
    for (uint64_t i = 1; i <= 3 * TG_STORE_READERS; i++) {
        (void)kit_pair(kit, i, i, "answer");
        kit_rotate(kit, kit->now_us);
    }
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 1; i <= 3 * TG_STORE_READERS; i++) {
            assert_int_equal(kit_ask(kit, 1000 + i, i, i), TG_CLAIM_REPLAY);
            struct tg_segment *segment = NULL;
            assert_int_equal(tg_state_reader(kit->store, tg_state_info(kit->store, (uint32_t)i), &segment), TG_OK);
            assert_int_equal(segment->number, i);
        }
}

/* Eight bytes alike, eight not: as good as never by chance, and still another claim. */
static void test_shared_tag(void **state)
{
    struct kit *kit = *state;
    for (uint64_t i = 1; i <= 3; i++) {
        struct tg_work work = kit_admit(kit, i, i, i);
        memset(work.admit.claim_key, 0x55, 8);
        kit_commit(kit, &work);
        assert_int_equal(work.admit.result, TG_CLAIM_TAKEN);
        struct tg_work settle = kit_settle(kit, i, work.admit.ticket, TG_OUTCOME_FINAL, 200);
        kit_commit(kit, &settle);
    }
    for (uint64_t i = 1; i <= 4; i++) {
        struct tg_work work = kit_admit(kit, 10 + i, i, i);
        memset(work.admit.claim_key, 0x55, 8);
        kit_commit(kit, &work);
        assert_int_equal(work.admit.result, i == 4 ? TG_CLAIM_TAKEN : TG_CLAIM_REPLAY);
        uint8_t first[TG_REQUEST_ID_BYTES];
        kit_bytes(first, sizeof(first), 1, i);
        if (i < 4)
            assert_memory_equal(work.admit.original_id, first, sizeof(first));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_which_segment, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_more_segments_than_connections, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_shared_tag, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
