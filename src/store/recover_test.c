/* recover_test.c - a start from key files, from rows where they are missing or damaged, and from both. */
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

static void check_fill(struct kit *kit)
{
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_live, 55);
    assert_int_equal(counts.claims_unknown, 5);
    for (uint64_t segment = 0; segment < 5; segment++) {
        for (uint64_t i = 0; i < 10; i++)
            assert_int_equal(kit_ask(kit, 9000 + i, segment * 100 + i, segment * 100 + i), TG_CLAIM_REPLAY);
        assert_int_equal(kit_ask(kit, 9999, segment * 100 + 50, 1), TG_CLAIM_UNKNOWN);
    }
}

static void test_start_from_keys(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    kit_reopen(kit);
    for (uint32_t segment = 1; segment <= 5; segment++)
        assert_true(there(kit, segment, "keys"));
    check_fill(kit);
    kit_reopen(kit);
    check_fill(kit);
}

static void damage(const struct kit *kit, uint32_t number)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, number, "keys", path), TG_OK);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\xff", 1, 70), 1);
    assert_int_equal(close(fd), 0);
}

static void test_start_without_keys(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    char path[TG_STORE_PATH_BYTES_MAX];
    for (unsigned missing = 0; missing < 32; missing++) {
        kit_reopen(kit);
        tg_store_close(kit->store);
        kit->store = NULL;
        for (uint32_t i = 0; i < 5; i++)
            if ((missing >> i & 1u) != 0) {
                if (i == 3) {
                    damage(kit, i + 1);
                    continue;
                }
                assert_int_equal(tg_segment_path(kit->path, i + 1, "keys", path), TG_OK);
                assert_int_equal(unlink(path), 0);
            }
        assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
        check_fill(kit);
        tg_store_close(kit->store); /* writes what was missing again */
        kit->store = NULL;
        for (uint32_t i = 1; i <= 5; i++)
            assert_true(there(kit, i, "keys"));
        assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
    }
}

static void test_late_settle_across_segments(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    struct tg_work work = kit_settle(kit, 50, 0, TG_OUTCOME_UNKNOWN, 504);
    work.settle.reason = 182;
    kit_commit(kit, &work);
    work = kit_settle(kit, 150, 0, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &work);
    for (uint64_t i = 0; i < 10; i++) /* enough rows to seal the segment that holds these settlements */
        (void)kit_pair(kit, 700 + i, 700 + i, "answer");
    kit_rotate(kit, kit->now_us);
    assert_int_equal(tg_store_segment(kit->store), 7);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 9000, 150, 1), TG_CLAIM_REPLAY);
    assert_int_equal(kit_ask(kit, 50, 50, 1), TG_CLAIM_UNKNOWN); /* told, so its own retry is not sent again */
    struct tg_pending_claim *claim = tg_pending_request(&kit->store->pending, work.settle.request_id);
    assert_null(claim);
    kit_bytes(work.settle.request_id, TG_REQUEST_ID_BYTES, 1, 50);
    claim = tg_pending_request(&kit->store->pending, work.settle.request_id);
    assert_non_null(claim);
    assert_int_equal(claim->upstream_status, 504);
    assert_int_equal(claim->reason, 182);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_from_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_start_without_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_late_settle_across_segments, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
