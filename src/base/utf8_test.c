/*
 * utf8_test.c - every code point there and back, and the malformed forms of RFC 3629 refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"

static void test_all_characters(void **state)
{
    (void)state;
    for (uint32_t character = 0; character <= 0x10ffff; character++) {
        uint8_t bytes[4];
        uint32_t again = 0;
        struct tg_buf buf = tg_buf(bytes, sizeof(bytes));
        tg_utf8_put(&buf, character);
        if (character >= 0xd800 && character <= 0xdfff) {
            assert_true(buf.over);
            continue;
        }
        if (tg_utf8_next(tg_buf_span(&buf), &again) != buf.len || again != character || buf.len == 0) {
            fail_msg("U+%04X", character);
        }
    }
    struct tg_buf none = tg_buf(NULL, 0);
    tg_utf8_put(&none, 0x110000);
    assert_true(none.over);
}

static void test_malformed(void **state)
{
    (void)state;
    const struct tg_span bad[] = {
        TG_SPAN("\x80"),
        TG_SPAN("\xc0\x80"),
        TG_SPAN("\xc1\xbf"),
        TG_SPAN("\xc2"),
        TG_SPAN("\xc2\x20"),
        TG_SPAN("\xe0\x9f\xbf"),
        TG_SPAN("\xed\xa0\x80"),
        TG_SPAN("\xed\xbf\xbf"),
        TG_SPAN("\xe2\x82"),
        TG_SPAN("\xf0\x8f\xbf\xbf"),
        TG_SPAN("\xf4\x90\x80\x80"),
        TG_SPAN("\xf5\x80\x80\x80"),
        TG_SPAN("\xf0\x9f\x98"),
        TG_SPAN("\xff"),
        TG_SPAN("\xfe"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t character = 7;
        assert_int_equal(tg_utf8_next(bad[i], &character), 0);
        assert_int_equal(character, 0);
        assert_int_equal(tg_utf8_check(bad[i]), 0);
    }
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(tg_utf8_check(TG_SPAN("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")), 11);
    assert_int_equal(tg_utf8_check(TG_SPAN("ab\xc3")), 2);
    assert_int_equal(tg_utf8_check(TG_SPAN("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_characters),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
