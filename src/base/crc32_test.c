/*
 * crc32_test.c - the check value of the common CRC-32.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crc32.h"

static void test_crc32(void **state)
{
    (void)state;
    /* The check value of the catalogue of CRCs, and of nothing. */
    assert_true(tg_crc32(TG_SPAN("123456789")) == 0xcbf43926u);
    assert_true(tg_crc32(TG_SPAN("")) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
