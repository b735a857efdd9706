/*
 * buf_test.c - writers stop at the cap and readers at the end, for good.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void test_puts(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct tg_buf buf = tg_buf(bytes, sizeof(bytes));
    tg_buf_put_u8(&buf, 0x01);
    tg_buf_put_u16(&buf, 0x0203);
    tg_buf_put_u32(&buf, 0x04050607);
    tg_buf_put_u64(&buf, UINT64_C(0x08090a0b0c0d0e0f));
    tg_buf_put_string(&buf, "x");
    tg_buf_put(&buf, (struct tg_span){NULL, 0});
    tg_buf_put_hex(&buf, TG_SPAN("\x00\xaf"));
    assert_int_equal(tg_buf_done(&buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), TG_SPAN("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                                                         "x00af")));
}

static void test_over_is_for_good(void **state)
{
    (void)state;
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct tg_buf buf = tg_buf(bytes, 3);
    tg_buf_put_u16(&buf, 0x0102);
    tg_buf_put_u16(&buf, 0x0304);
    assert_true(buf.over);
    assert_int_equal(buf.len, 2);
    /* A byte would fit; after a gap it must not be written. */
    tg_buf_put_u8(&buf, 5);
    assert_int_equal(buf.len, 2);
    assert_int_equal(bytes[2], 9);
    assert_int_equal(bytes[3], 9);
    assert_int_equal(tg_buf_done(&buf), TG_ERR_ROOM);
    buf = tg_buf(NULL, 0);
    tg_buf_put(&buf, (struct tg_span){NULL, 0});
    assert_int_equal(tg_buf_done(&buf), TG_OK);
    tg_buf_put_u8(&buf, 1);
    assert_int_equal(tg_buf_done(&buf), TG_ERR_ROOM);
    buf = tg_buf(bytes, sizeof(bytes));
    tg_buf_put(&buf, tg_span(bytes, SIZE_MAX));
    tg_buf_put_hex(&buf, tg_span(bytes, SIZE_MAX));
    assert_int_equal(tg_buf_done(&buf), TG_ERR_ROOM);
}

static void expect_decimal(int64_t value, const char *text)
{
    uint8_t bytes[20];
    struct tg_buf buf = tg_buf(bytes, sizeof(bytes));
    tg_buf_put_decimal(&buf, value);
    assert_int_equal(tg_buf_done(&buf), TG_OK);
    assert_true(tg_span_equal(tg_buf_span(&buf), tg_span_string(text)));
}

static void test_decimals(void **state)
{
    (void)state;
    expect_decimal(0, "0");
    expect_decimal(-1, "-1");
    expect_decimal(1050, "1050");
    expect_decimal(INT64_MAX, "9223372036854775807");
    expect_decimal(INT64_MIN, "-9223372036854775808");
}

static void test_cursor(void **state)
{
    (void)state;
    struct tg_span bytes = TG_SPAN("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0fxyz");
    struct tg_cursor cursor = tg_cursor(bytes);
    uint8_t copy[2];
    assert_int_equal(tg_cursor_u8(&cursor), 1);
    assert_int_equal(tg_cursor_u16(&cursor), 0x0203);
    assert_int_equal(tg_cursor_u32(&cursor), 0x04050607);
    assert_true(tg_cursor_u64(&cursor) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(tg_cursor_done(&cursor), TG_ERR_INPUT); /* something is left */
    assert_true(tg_span_equal(tg_cursor_span(&cursor, 1), TG_SPAN("x")));
    tg_cursor_copy(&cursor, copy, 2);
    assert_memory_equal(copy, "yz", 2);
    assert_int_equal(tg_cursor_done(&cursor), TG_OK);
    assert_int_equal(tg_cursor_span(&cursor, 0).len, 0);
    assert_int_equal(tg_cursor_done(&cursor), TG_OK);
}

static void test_bad_is_for_good(void **state)
{
    (void)state;
    struct tg_cursor cursor = tg_cursor(TG_SPAN("\x01\x02\x03"));
    uint8_t copy[4] = {7, 7, 7, 7};
    tg_cursor_copy(&cursor, copy, sizeof(copy));
    assert_int_equal(copy[0], 0);
    assert_int_equal(tg_cursor_u8(&cursor), 0); /* although a byte is there */
    assert_int_equal(tg_cursor_span(&cursor, 1).len, 0);
    assert_int_equal(tg_cursor_done(&cursor), TG_ERR_INPUT);
    cursor = tg_cursor((struct tg_span){NULL, 0});
    assert_int_equal(tg_cursor_done(&cursor), TG_OK);
    assert_int_equal(tg_cursor_span(&cursor, SIZE_MAX).len, 0);
    assert_int_equal(tg_cursor_done(&cursor), TG_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts),   cmocka_unit_test(test_over_is_for_good), cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_cursor), cmocka_unit_test(test_bad_is_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
