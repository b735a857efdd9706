/* events_test.c - the record as operators read it: order, members, escaping, acts between rows, unknowns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/testkit.h"

#define LINES_MAX 64

struct lines {
    char text[LINES_MAX][2048];
    uint64_t sequence[LINES_MAX];
    size_t count, stop_at;
};

static bool take(void *user, uint64_t sequence, struct tg_span json)
{
    struct lines *lines = user;
    assert_true(lines->count < LINES_MAX && json.len < sizeof(lines->text[0]));
    memcpy(lines->text[lines->count], json.ptr, json.len);
    lines->text[lines->count][json.len] = '\0';
    lines->sequence[lines->count++] = sequence;
    return lines->count != lines->stop_at;
}

static struct lines read_from(struct kit *kit, uint64_t from, size_t limit)
{
    struct lines lines = {.count = 0};
    assert_int_equal(tg_store_events(kit->store, from, limit, take, &lines), TG_OK);
    return lines;
}

static bool has(const struct lines *lines, size_t at, const char *part)
{
    if (strstr(lines->text[at], part) != NULL)
        return true;
    print_message("%s\n", lines->text[at]);
    return false;
}

static void act(struct kit *kit, const char *what, const char *before)
{
    struct tg_act row = {.kind = TG_ACT_OTHER, .at_us = kit->now_us + 1, .actor = TG_SPAN("uid=0 login=\"al\\ice\""),
                         .what = tg_span_string(what), .before = tg_span_string(before)};
    assert_int_equal(tg_store_act(kit->store, &row), TG_OK);
}

static void test_order_across_files(void **state)
{
    struct kit *kit = *state;
    kit->options.segment_rows_max = 2;
    kit_reopen(kit);
    for (uint64_t i = 1; i <= 5; i++) {
        (void)kit_pair(kit, i, i, "a");
        act(kit, "init", "");
        kit_rotate(kit, kit->now_us);
        if (i % 2 == 0)
            kit_reopen(kit);
    }
    act(kit, "up", "");
    struct lines all = read_from(kit, 0, LINES_MAX);
    assert_int_equal(all.count, 16);
    for (size_t i = 0; i < all.count; i++) {
        assert_int_equal(all.sequence[i], i + 1);
        assert_true(has(&all, i, i == 15 || i % 3 == 2 ? "\"kind\":\"act\"" : i % 3 == 0 ? "\"kind\":\"admit\"" : "\"kind\":\"settle\""));
    }
    assert_int_equal(tg_store_last_event(kit->store), 16);
    struct lines part = read_from(kit, 6, 4);
    assert_int_equal(part.count, 4);
    assert_int_equal(part.sequence[0], 6);
    assert_int_equal(part.sequence[3], 9);
    struct lines stopped = {.stop_at = 2};
    assert_int_equal(tg_store_events(kit->store, 1, LINES_MAX, take, &stopped), TG_OK);
    assert_int_equal(stopped.count, 2);
    assert_int_equal(read_from(kit, 17, 5).count, 0);
    assert_int_equal(read_from(kit, UINT64_MAX, 5).count, 0);
    assert_int_equal(read_from(kit, 1, 0).count, 0);
}

static void test_members(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "a");
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
    assert_int_equal(kit_ask(kit, 3, 1, 2), TG_CLAIM_MISMATCH);
    struct tg_work work = {.kind = TG_WORK_REFUSAL};
    work.refusal = (struct tg_verdict_row){.at_us = 0, .reason = 102, .status = 401, .route = TG_SPAN("a\"\x01\xff\\\x7f")};
    kit_commit(kit, &work);
    work = kit_admit(kit, 4, 4, 4);
    work.admit.row.flags |= TG_FLAG_OBSERVE;
    kit_commit(kit, &work);
    work = kit_lost(kit, 1);
    kit_commit(kit, &work);
    work = kit_resolve(kit, 4, false);
    kit_commit(kit, &work);
    struct lines all = read_from(kit, 1, LINES_MAX);
    assert_int_equal(all.count, 8);
    assert_true(has(&all, 0, "{\"sequence\":1,\"at\":\"2023-11-14T22:13:20.000000Z\",\"kind\":\"admit\",\"request_id\":\""));
    assert_true(has(&all, 0, "\"verdict\":\"allow\",\"claim\":\"taken\",\"reason\":0,\"reason_name\":\"ok\""));
    assert_true(has(&all, 0, "\"partner\":7,\"credential\":9,\"environment\":\"test\",\"route\":\"psp\",\"operation\":"
                             "\"payment.create\",\"method\":\"POST\",\"path_template\":\"/v1/payments\""));
    assert_true(has(&all, 0, "\"amount_minor\":100,\"currency\":\"EUR\",\"payee\":\""));
    assert_true(has(&all, 0, "\"ticket\":1}"));
    assert_true(has(&all, 1, "\"outcome\":\"final\",\"upstream_status\":201"));
    assert_true(has(&all, 1, "\"answer_kept\":true"));
    assert_true(has(&all, 2, "\"verdict\":\"replay\",\"claim\":\"replay\""));
    assert_true(has(&all, 2, "\"status\":201"));
    assert_true(has(&all, 2, "\"original_request_id\":\""));
    assert_true(has(&all, 3, "\"verdict\":\"refuse\",\"claim\":\"mismatch\",\"reason\":162,\"reason_name\":\"key_reused\",\"status\":422"));
    assert_true(has(&all, 4, "\"kind\":\"refusal\",\"route\":\"a\\\"\\u0001\\ufffd\\\\\\u007f\",\"verdict\":\"refuse\","
                             "\"reason\":102,"));
    assert_true(has(&all, 4, "\"at\":\"1970-01-01T00:00:00.000000Z\""));
    assert_true(has(&all, 5, "\"observed\":true"));
    assert_true(has(&all, 6, "\"kind\":\"lost\""));
    assert_true(has(&all, 6, "\"outcome\":\"unknown\""));
    assert_true(has(&all, 7, "\"kind\":\"resolve\""));
    assert_true(has(&all, 7, "\"outcome\":\"not_executed\""));
    assert_true(has(&all, 7, "\"actor\":\"uid=0 login=alice\",\"note\":\"asked the \\\"processor\\\"\""));
}

static void test_acts(void **state)
{
    struct kit *kit = *state;
    act(kit, "limit.set shop EUR", "{\"payment_max\":1}");
    act(kit, "x", "{\"a\":\n1}"); /* JSON, but with a byte that would break the line */
    act(kit, "x", "{\"a\":1");
    act(kit, "x", "\xff");
    struct lines all = read_from(kit, 1, LINES_MAX);
    assert_int_equal(all.count, 4);
    assert_string_equal(all.text[0], "{\"sequence\":1,\"at\":\"2023-11-14T22:13:20.000001Z\",\"kind\":\"act\","
                                     "\"actor\":\"uid=0 login=\\\"al\\\\ice\\\"\",\"what\":\"limit.set shop EUR\","
                                     "\"result\":\"ok\",\"before\":{\"payment_max\":1}}");
    assert_true(has(&all, 1, "\"before\":\"{\\\"a\\\":\\u000a1}\""));
    assert_true(has(&all, 2, "\"before\":\"{\\\"a\\\":1\""));
    assert_true(has(&all, 3, "\"before\":\"\\ufffd\""));
}

static void make_longest(struct kit *kit)
{
    static char bytes[20000];
    memset(bytes, 1, sizeof(bytes));
    struct tg_span all_ones = tg_span(bytes, sizeof(bytes));
    struct tg_act row = {.kind = TG_ACT_OTHER, .actor = all_ones, .what = all_ones, .before = all_ones, .after = all_ones};
    assert_int_equal(tg_store_act(kit->store, &row), TG_OK);
    struct tg_work work = {.kind = TG_WORK_REFUSAL};
    work.refusal = (struct tg_verdict_row){.route = all_ones, .operation = all_ones, .method = all_ones,
                                           .path_template = all_ones};
    kit_commit(kit, &work);
    struct tg_work held = kit_admit(kit, 1, 1, 1), lost = kit_lost(kit, 1), resolve = kit_resolve(kit, 1, true);
    resolve.resolve.actor = all_ones;
    resolve.resolve.note = all_ones;
    kit_commit(kit, &held);
    kit_commit(kit, &lost);
    kit_commit(kit, &resolve);
    assert_int_equal(resolve.resolve.result, TG_OK);
}

static bool count_one(void *user, uint64_t sequence, struct tg_span json)
{
    (void)sequence;
    assert_true(json.len > 2 && json.ptr[0] == '{' && json.ptr[json.len - 1] == '}');
    (*(size_t *)user)++;
    return true;
}

static void test_longest_are_shown(void **state)
{
    struct kit *kit = *state;
    make_longest(kit);
    size_t count = 0;
    assert_int_equal(tg_store_events(kit->store, 0, LINES_MAX, count_one, &count), TG_OK);
    assert_int_equal(count, 5);
}

struct seen {
    uint64_t tickets[8];
    size_t count;
};

static bool see(void *user, const struct tg_unknown_row *row)
{
    struct seen *seen = user;
    assert_true(tg_span_equal(row->row.operation, TG_SPAN("payment.create")));
    assert_int_equal(row->row.amount_minor, 100);
    seen->tickets[seen->count++] = row->ticket;
    return true;
}

static void test_unknowns(void **state)
{
    struct kit *kit = *state;
    for (uint64_t i = 1; i <= 4; i++)
        assert_int_equal(kit_ask(kit, i, i, i), TG_CLAIM_TAKEN);
    struct seen seen = {.count = 0};
    assert_int_equal(tg_store_unknowns(kit->store, 8, see, &seen), TG_OK);
    assert_int_equal(seen.count, 0);
    kit_reopen(kit);
    assert_int_equal(tg_store_unknowns(kit->store, 3, see, &seen), TG_OK);
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen.tickets[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_across_files, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_members, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_acts, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_longest_are_shown, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_unknowns, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
