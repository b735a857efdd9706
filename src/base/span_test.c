/*
 * span_test.c - borrowed bytes are looked at inside their bounds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

static void test_equality(void **state)
{
    (void)state;
    struct tg_span empty = {NULL, 0};
    assert_true(tg_span_equal(TG_SPAN("abc"), tg_span_string("abc")));
    assert_false(tg_span_equal(TG_SPAN("abc"), TG_SPAN("abd")));
    assert_false(tg_span_equal(TG_SPAN("abc"), TG_SPAN("ab")));
    assert_true(tg_span_equal(empty, TG_SPAN("")));
    assert_true(tg_span_equal_nocase(TG_SPAN("Content-Type"), TG_SPAN("content-tYPE")));
    /* '@' and '`' differ from letters by the case bit only. */
    assert_false(tg_span_equal_nocase(TG_SPAN("@"), TG_SPAN("`")));
    assert_false(tg_span_equal_nocase(TG_SPAN("\xc4"), TG_SPAN("\xe4")));
    assert_int_equal(tg_span_string(NULL).len, 0);
}

/* Every length around a word's, a byte that differs at every place, and the bytes whose case bit means nothing. */
static void test_nocase_at_every_place(void **state)
{
    (void)state;
    static const char upper[] = "IDEMPOTENCY-KEY_OF@SOME[LENGTH";
    static const char mixed[] = "idempotency-Key_oF@sOme[leNgth";
    char other[sizeof(mixed)];
    for (size_t len = 0; len < sizeof(mixed); len++) {
        assert_true(tg_span_equal_nocase(tg_span(upper, len), tg_span(mixed, len)));
        for (size_t i = 0; i < len; i++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memcpy(other, mixed, sizeof(other));
                other[i] = (char)byte;
                bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
                bool same = (uint8_t)mixed[i] == byte || (letter && ((uint8_t)mixed[i] ^ byte) == 0x20);
                assert_int_equal(tg_span_equal_nocase(tg_span(upper, len), tg_span(other, len)), same);
            }
        }
    }
}

static void test_parts(void **state)
{
    (void)state;
    struct tg_span text = TG_SPAN("payment");
    assert_true(tg_span_starts(text, TG_SPAN("pay")));
    assert_true(tg_span_starts(text, (struct tg_span){NULL, 0}));
    assert_false(tg_span_starts(TG_SPAN("pa"), TG_SPAN("pay")));
    assert_true(tg_span_equal(tg_span_sub(text, 3, 2), TG_SPAN("me")));
    assert_true(tg_span_equal(tg_span_sub(text, 3, SIZE_MAX), TG_SPAN("ment")));
    assert_int_equal(tg_span_sub(text, 7, 1).len, 0);
    assert_int_equal(tg_span_sub(text, SIZE_MAX, SIZE_MAX).len, 0);
    assert_int_equal(tg_span_sub((struct tg_span){NULL, 0}, 3, 1).len, 0);
    assert_int_equal(tg_span_find(text, 'm'), 3);
    assert_int_equal(tg_span_find(text, 'z'), 7);
    assert_int_equal(tg_span_find((struct tg_span){NULL, 0}, 'z'), 0);
}

static void test_trim_and_order(void **state)
{
    (void)state;
    assert_true(tg_span_equal(tg_span_trim(TG_SPAN(" \t a b\t ")), TG_SPAN("a b")));
    assert_int_equal(tg_span_trim(TG_SPAN(" \t ")).len, 0);
    assert_int_equal(tg_span_trim((struct tg_span){NULL, 0}).len, 0);
    /* RFC 9110 5.6.3: a line end is no OWS. */
    assert_int_equal(tg_span_trim(TG_SPAN("\r\n")).len, 2);
    assert_true(tg_span_compare(TG_SPAN("ab"), TG_SPAN("b")) < 0);
    assert_true(tg_span_compare(TG_SPAN("ab"), TG_SPAN("a")) > 0);
    assert_true(tg_span_compare(TG_SPAN("\xff"), TG_SPAN("a")) > 0);
    assert_int_equal(tg_span_compare(TG_SPAN("a"), TG_SPAN("a")), 0);
    assert_int_equal(tg_span_compare((struct tg_span){NULL, 0}, TG_SPAN("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_nocase_at_every_place),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_trim_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
