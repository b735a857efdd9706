/* segment_test.c - rows and counters of one file, read back by number and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "store/sqlite.h"
#include "store/testkit.h"

static enum tg_err add_up(void *user, const struct tg_row *row, struct tg_span sealed)
{
    uint64_t *sum = user;
    *sum += row->sequence + sealed.len;
    return row->sequence == 4 ? TG_ERR_LIMIT : TG_OK;
}

static void put_row(struct tg_segment *segment, uint64_t sequence, const char *answer)
{
    struct tg_row row = {.kind = TG_ROW_FINAL, .sequence = sequence, .has_answer = answer[0] != '\0'};
    assert_int_equal(tg_segment_insert(segment, &row, tg_span_string(answer)), TG_OK);
}

static void test_rows(void **state)
{
    struct kit *kit = *state;
    struct tg_segment segment;
    assert_int_equal(tg_segment_open(kit->path, 50, true, &segment), TG_OK);
    assert_int_equal(tg_segment_begin(&segment), TG_OK);
    put_row(&segment, 1, "");
    put_row(&segment, 2, "ab");
    assert_int_equal(tg_segment_commit(&segment), TG_OK);
    assert_int_equal(tg_segment_begin(&segment), TG_OK);
    put_row(&segment, 3, "lost");
    tg_segment_rollback(&segment);
    struct tg_row_held held;
    struct tg_span sealed;
    assert_int_equal(tg_segment_read(&segment, 1, &held, &kit->arena, &sealed), TG_OK);
    assert_int_equal(sealed.len, 0);
    assert_int_equal(tg_segment_read(&segment, 2, &held, &kit->arena, &sealed), TG_OK);
    assert_true(tg_span_equal(sealed, TG_SPAN("ab")));
    assert_int_equal(tg_segment_read(&segment, 3, &held, NULL, NULL), TG_ERR_ABSENT);
    struct tg_arena none = tg_arena(NULL, 0);
    assert_int_equal(tg_segment_read(&segment, 2, &held, &none, &sealed), TG_ERR_ROOM);
    uint64_t last = 0, sum = 0;
    assert_int_equal(tg_segment_last(&segment, &last), TG_OK);
    assert_int_equal(last, 2);
    put_row(&segment, 4, "");
    put_row(&segment, 5, "");
    assert_int_equal(tg_segment_scan(&segment, 2, UINT64_MAX, SIZE_MAX, true, add_up, &sum), TG_ERR_LIMIT);
    assert_int_equal(sum, 2 + 2 + 4);
    sum = 0;
    assert_int_equal(tg_segment_scan(&segment, 1, 2, 1, true, add_up, &sum), TG_OK);
    assert_int_equal(sum, 1);
    tg_segment_close(&segment);
    tg_segment_close(&segment); /* a closed one is fine */
}

static void test_lost_file(void **state)
{
    struct kit *kit = *state;
    struct tg_segment segment;
    assert_int_equal(tg_segment_open(kit->path, 50, false, &segment), TG_ERR_CORRUPT);
    assert_int_equal(tg_segment_open(kit->path, 50, true, &segment), TG_OK);
    tg_segment_close(&segment);
    assert_int_equal(tg_segment_open(kit->path, 50, false, &segment), TG_OK);
    tg_segment_close(&segment);
}

static void test_counters(void **state)
{
    struct kit *kit = *state;
    struct tg_segment segment;
    struct tg_quota quota, read;
    assert_int_equal(tg_segment_open(kit->path, 50, true, &segment), TG_OK);
    assert_int_equal(tg_quota_init(&quota), TG_OK);
    assert_int_equal(tg_quota_init(&read), TG_OK);
    struct tg_quota_key key = {7, 19000, 2, {'J', 'P', 'Y'}};
    struct tg_quota_counter *counter = tg_quota_counter(&quota, &key);
    assert_true(tg_quota_reserve(&quota, counter, 5, 10));
    assert_int_equal(tg_segment_write_counters(&segment, &quota), TG_OK);
    assert_null(quota.marked);
    tg_quota_end(&quota, counter, 5, true);
    assert_int_equal(tg_segment_write_counters(&segment, &quota), TG_OK);
    assert_int_equal(tg_segment_read_counters(&segment, &read), TG_OK);
    assert_int_equal(read.count, 1);
    assert_int_equal(tg_quota_counter(&read, &key)->committed, 5);
    assert_int_equal(tg_quota_counter(&read, &key)->reserved, 0);
    assert_int_equal(tg_segment_write_all_counters(&segment, &read), TG_OK);
    tg_quota_free(&read);
    /* More than one row holds, and a row that is not whole counters is not believed. */
    for (uint32_t partner = 1; partner <= 1300; partner++) {
        key.partner = partner;
        assert_true(tg_quota_reserve(&quota, tg_quota_counter(&quota, &key), partner, INT64_MAX));
    }
    assert_int_equal(tg_segment_write_all_counters(&segment, &quota), TG_OK);
    assert_int_equal(tg_quota_init(&read), TG_OK);
    assert_int_equal(tg_segment_read_counters(&segment, &read), TG_OK);
    assert_int_equal(read.count, 1300);
    for (uint32_t partner = 1; partner <= 1300; partner++) {
        key.partner = partner;
        assert_int_equal(tg_quota_counter(&read, &key)->reserved, partner);
    }
    assert_int_equal(tg_sqlite_exec(segment.db, "INSERT INTO counter_change (body) VALUES (x'0102')"), TG_OK);
    assert_int_equal(tg_segment_read_counters(&segment, &read), TG_ERR_CORRUPT);
    tg_quota_free(&quota);
    tg_quota_free(&read);
    tg_segment_close(&segment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_rows, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_lost_file, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_counters, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
