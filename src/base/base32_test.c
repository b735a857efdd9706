/*
 * base32_test.c - the vectors of RFC 4648 10 in lower case, and one text for one value.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base32.h"

static void expect_pair(struct tg_span bytes, struct tg_span text)
{
    uint8_t room[64];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    tg_base32_write(&buf, bytes);
    assert_int_equal(tg_buf_done(&buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), text));
    buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base32_read(text, &buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), bytes));
}

static void expect_refused(struct tg_span text)
{
    uint8_t room[64];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base32_read(text, &buf), TG_ERR_INPUT);
}

static void test_base32(void **state)
{
    (void)state;
    expect_pair(TG_SPAN("f"), TG_SPAN("my"));
    expect_pair(TG_SPAN("fo"), TG_SPAN("mzxq"));
    expect_pair(TG_SPAN("foo"), TG_SPAN("mzxw6"));
    expect_pair(TG_SPAN("foob"), TG_SPAN("mzxw6yq"));
    expect_pair(TG_SPAN("foobar"), TG_SPAN("mzxw6ytboi"));
    expect_refused(TG_SPAN("MY"));
    expect_refused(TG_SPAN("mz")); /* stray bit */
    expect_refused(TG_SPAN("a"));
    expect_refused(TG_SPAN("aaa"));
    expect_refused(TG_SPAN("m0"));
}

static void test_room(void **state)
{
    (void)state;
    uint8_t room[2];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base32_read(TG_SPAN("mzxw6"), &buf), TG_ERR_ROOM);
    buf = tg_buf(room, sizeof(room));
    tg_base32_write(&buf, TG_SPAN("foo"));
    assert_int_equal(tg_buf_done(&buf), TG_ERR_ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base32),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
