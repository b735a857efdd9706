/* postgres_act_test.c - an act as bytes and back, and what is no act. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/postgres_act.h"
#include "store/testkit.h"

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[TG_PG_ACT_BYTES_MAX], id[TG_REQUEST_ID_BYTES] = {1, 2};
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    const struct tg_event_act act = {.at_us = 7, .request_id = tg_span(id, sizeof(id)), .actor = TG_SPAN("uid=0"),
                                     .what = TG_SPAN("partner.add"), .before = TG_SPAN("not json"),
                                     .after = TG_SPAN("{\"a\":1}"), .result = TG_ERR_DENIED};
    struct tg_event_act back;
    tg_pg_act_write(&out, &act);
    assert_int_equal(tg_buf_done(&out), TG_OK);
    assert_int_equal(tg_pg_act_read(tg_buf_span(&out), &back), TG_OK);
    assert_int_equal(back.at_us, 7);
    assert_int_equal(back.result, TG_ERR_DENIED);
    assert_true(tg_span_equal(back.what, act.what) && tg_span_equal(back.after, act.after));
    assert_false(back.before_json);
    assert_true(back.after_json);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(tg_pg_act_read(tg_span(bytes, len), &back), TG_ERR_CORRUPT);
}

static void test_longest_fit(void **state)
{
    (void)state;
    static uint8_t bytes[TG_PG_ACT_BYTES_MAX], much[20000];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    struct tg_span all = tg_span(much, sizeof(much));
    const struct tg_event_act act = {.actor = all, .what = all, .before = all, .after = all};
    tg_pg_act_write(&out, &act);
    assert_int_equal(tg_buf_done(&out), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_longest_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
