/*
 * bits_test.c - bytes of every length come back through both widths, and cut texts are refused or shorter.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/bits.h"

/* Digits are their own values: what is tested is the regrouping. */
static int digit(uint8_t byte)
{
    return byte < 64 ? byte : -1;
}

static void expect_width(unsigned width)
{
    char alphabet[64];
    uint8_t bytes[40];
    uint8_t text[80];
    uint8_t again[40];
    for (size_t i = 0; i < sizeof(alphabet); i++) {
        alphabet[i] = (char)i;
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        memset(bytes, (int)(0xa5 + len), sizeof(bytes));
        struct tg_buf out = tg_buf(text, sizeof(text));
        struct tg_buf back = tg_buf(again, sizeof(again));
        tg_bits_write(&out, tg_span(bytes, len), alphabet, width);
        assert_int_equal(tg_buf_done(&out), TG_OK);
        assert_int_equal(out.len, (len * 8 + width - 1) / width);
        assert_int_equal(tg_bits_read(tg_buf_span(&out), &back, digit, width), TG_OK);
        assert_true(tg_span_equal(tg_buf_span(&back), tg_span(bytes, len)));
    }
}

static void test_widths(void **state)
{
    (void)state;
    expect_width(5);
    expect_width(6);
}

static void test_stray_digit(void **state)
{
    (void)state;
    uint8_t again[4];
    struct tg_buf back = tg_buf(again, sizeof(again));
    assert_int_equal(tg_bits_read(TG_SPAN("\x01\x41"), &back, digit, 6), TG_ERR_INPUT);
    assert_int_equal(tg_bits_read(TG_SPAN("\x00"), &back, digit, 6), TG_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_stray_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
