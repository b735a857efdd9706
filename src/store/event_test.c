/* event_test.c - times and texts at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/event.h"

static void check_time(int64_t at_us, const char *expected)
{
    char bytes[2048];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    struct tg_row row = {.kind = TG_ROW_REFUSAL, .verdict = {.at_us = at_us}};
    tg_event_row_write(&out, &row);
    tg_buf_put_u8(&out, 0);
    assert_int_equal(tg_buf_done(&out), TG_OK);
    if (strstr(bytes, expected) == NULL)
        fail_msg("%s", bytes);
}

static void test_times(void **state)
{
    (void)state;
    check_time(0, "\"at\":\"1970-01-01T00:00:00.000000Z\"");
    check_time(951782400123456, "\"at\":\"2000-02-29T00:00:00.123456Z\"");
    check_time(253402300799999999, "\"at\":\"9999-12-31T23:59:59.999999Z\"");
    check_time(253402300800000000, "\"at\":null");
    check_time(-1, "\"at\":null");
    check_time(INT64_MAX, "\"at\":null");
}

static void test_no_room(void **state)
{
    (void)state;
    char bytes[64];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    struct tg_row row = {.kind = TG_ROW_ADMIT};
    tg_event_row_write(&out, &row);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
}

static void test_utf8_stays(void **state)
{
    (void)state;
    char bytes[512];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    struct tg_event_act act = {.sequence = 1, .what = TG_SPAN("caf\xc3\xa9 \xf0\x9f\x92\xb3"), .result = TG_ERR_DENIED};
    tg_event_act_write(&out, &act);
    tg_buf_put_u8(&out, 0);
    assert_string_equal(bytes, "{\"sequence\":1,\"at\":\"1970-01-01T00:00:00.000000Z\",\"kind\":\"act\","
                               "\"what\":\"caf\xc3\xa9 \xf0\x9f\x92\xb3\",\"result\":\"denied\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_no_room),
                                       cmocka_unit_test(test_utf8_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
