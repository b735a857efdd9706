/*
 * hex_test.c - exactly the asked number of bytes, zeroed when they are not there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hex.h"

static void test_read(void **state)
{
    (void)state;
    uint8_t bytes[3] = {1, 1, 1};
    assert_int_equal(tg_hex_read(TG_SPAN("00aFfE"), bytes, 3), TG_OK);
    assert_memory_equal(bytes, "\x00\xaf\xfe", 3);
    assert_int_equal(tg_hex_read(TG_SPAN("00affe00"), bytes, 3), TG_ERR_INPUT);
    assert_int_equal(bytes[1], 0);
    assert_int_equal(tg_hex_read(TG_SPAN("00aff"), bytes, 3), TG_ERR_INPUT);
    assert_int_equal(tg_hex_read(TG_SPAN("11223g"), bytes, 3), TG_ERR_INPUT);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(tg_hex_read(TG_SPAN("+11223"), bytes, 3), TG_ERR_INPUT);
    assert_int_equal(tg_hex_read(TG_SPAN(""), bytes, 0), TG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
