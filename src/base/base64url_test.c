/*
 * base64url_test.c - the vectors of RFC 4648 10, and one text for one value.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base64url.h"

static void expect_pair(struct tg_span bytes, struct tg_span text)
{
    uint8_t room[64];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    tg_base64url_write(&buf, bytes);
    assert_int_equal(tg_buf_done(&buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), text));
    buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base64url_read(text, &buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), bytes));
}

static void expect_refused(struct tg_span text)
{
    uint8_t room[64];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base64url_read(text, &buf), TG_ERR_INPUT);
}

static void test_base64url(void **state)
{
    (void)state;
    expect_pair(TG_SPAN(""), TG_SPAN(""));
    expect_pair(TG_SPAN("f"), TG_SPAN("Zg"));
    expect_pair(TG_SPAN("fo"), TG_SPAN("Zm8"));
    expect_pair(TG_SPAN("foo"), TG_SPAN("Zm9v"));
    expect_pair(TG_SPAN("foobar"), TG_SPAN("Zm9vYmFy"));
    expect_pair(TG_SPAN("\xfb\xff\xbf"), TG_SPAN("-_-_"));
    expect_refused(TG_SPAN("Zg=="));
    expect_refused(TG_SPAN("Zh")); /* stray bit */
    expect_refused(TG_SPAN("Z"));
    expect_refused(TG_SPAN("A"));
    expect_refused(TG_SPAN("Zm9vA"));
    expect_refused(TG_SPAN("+/+/"));
    expect_refused(TG_SPAN("Zm 9"));
    expect_refused(TG_SPAN("Zm9\n"));
}

static void test_room(void **state)
{
    (void)state;
    uint8_t room[2];
    struct tg_buf buf = tg_buf(room, sizeof(room));
    assert_int_equal(tg_base64url_read(TG_SPAN("Zm9v"), &buf), TG_ERR_ROOM);
    buf = tg_buf(room, sizeof(room));
    tg_base64url_write(&buf, TG_SPAN("foo"));
    assert_int_equal(tg_buf_done(&buf), TG_ERR_ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
