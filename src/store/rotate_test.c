/* rotate_test.c - segments are sealed, leave the index, carry on what lives, are purged and removed. */
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

static void small_segments(struct kit *kit, uint64_t rows)
{
    kit->options.segment_rows_max = rows;
    kit->options.retention_us = 30 * KIT_DAY;
    kit_reopen(kit);
}

/* Ten settled pairs and one unknown a segment, five segments. */
static void fill(struct kit *kit)
{
    small_segments(kit, 21);
    for (uint64_t segment = 0; segment < 5; segment++) {
        for (uint64_t i = 0; i < 10; i++)
            (void)kit_pair(kit, segment * 100 + i, segment * 100 + i, "answer");
        assert_int_equal(kit_ask(kit, segment * 100 + 50, segment * 100 + 50, 1), TG_CLAIM_TAKEN);
        kit->now_us += KIT_SECOND;
        kit_rotate(kit, kit->now_us);
        assert_int_equal(tg_store_segment(kit->store), segment + 2);
    }
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
    fill(kit);
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
    fill(kit);
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
    fill(kit);
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

static void test_expired_leave_the_index(void **state)
{
    struct kit *kit = *state;
    fill(kit);
    kit_reopen(kit);
    kit_rotate(kit, kit->now_us + 2 * KIT_DAY);
    for (unsigned i = 0; i < 20; i++)
        kit_rotate(kit, kit->now_us);
    assert_int_equal(kit->store->index.count, 0);
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_unknown, 5);
    assert_int_equal(counts.segments, 6);
    assert_int_equal(counts.events, 5 * 21);
    assert_int_equal(kit_ask(kit, 9999, 50, 1), TG_CLAIM_UNKNOWN);
}

static void test_leave_carries_on(void **state)
{
    struct kit *kit = *state;
    small_segments(kit, 22);
    struct tg_work work = kit_admit(kit, 5555, 5555, 1); /* a claim that outlives its segment */
    work.admit.expires_us = kit->now_us + 100 * KIT_DAY;
    kit_commit(kit, &work);
    uint64_t ticket = work.admit.ticket;
    work = kit_settle(kit, 5555, ticket, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &work);
    kit_reopen(kit);
    fill(kit);
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

static void test_purge(void **state)
{
    struct kit *kit = *state;
    fill(kit);
    uint32_t fresh = 0, destroy[3] = {0};
    size_t count = 0;
    kit->now_us += 3600 * KIT_SECOND;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 0); /* answers live */
    assert_int_equal(tg_store_purged(kit->store, 2), TG_OK); /* an operator's choice, say */
    assert_int_equal(tg_store_purged(kit->store, 6), TG_ERR_ABSENT); /* open */
    assert_int_equal(kit_ask(kit, 9000, 100, 100), TG_CLAIM_ANSWER_ABSENT);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 9000, 100, 100), TG_CLAIM_ANSWER_ABSENT);
    assert_int_equal(kit_ask(kit, 9000, 1, 1), TG_CLAIM_REPLAY);
    kit->now_us += KIT_DAY;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 3);
    assert_int_equal(destroy[0], 1);
    assert_int_equal(destroy[1], 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(tg_store_purged(kit->store, destroy[i]), TG_OK);
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 3, &count), TG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(destroy[0], 5);
}

static void test_age_and_emptiness(void **state)
{
    struct kit *kit = *state;
    kit_rotate(kit, kit->now_us + 2 * KIT_DAY);
    assert_int_equal(tg_store_segment(kit->store), 1); /* nothing to seal */
    (void)kit_pair(kit, 1, 1, "a");
    uint32_t fresh = 0, destroy[1];
    size_t count = 0;
    assert_int_equal(tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 1, &count), TG_OK);
    assert_int_equal(fresh, 2);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
}

static void test_leftover_of_a_crash(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "a");
    struct tg_segment stray; /* made, filled with nothing anyone was told of, and never listed */
    assert_int_equal(tg_segment_open(kit->path, 2, &stray), TG_OK);
    assert_int_equal(tg_sqlite_exec(stray.db, "INSERT INTO entry VALUES (77, 3, x'00', NULL)"), TG_OK);
    tg_segment_close(&stray);
    kit->options.segment_rows_max = 1;
    kit_reopen(kit);
    kit_rotate(kit, kit->now_us);
    assert_int_equal(tg_store_segment(kit->store), 2);
    (void)kit_pair(kit, 2, 2, "b");
    kit_reopen(kit);
    assert_int_equal(tg_store_last_event(kit->store), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_from_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_start_without_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_late_settle_across_segments, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_expired_leave_the_index, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_leave_carries_on, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_purge, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_age_and_emptiness, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_leftover_of_a_crash, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
