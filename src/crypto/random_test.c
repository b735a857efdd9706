/*
 * random_test.c - bytes differ, and nothing is asked for nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "crypto/crypto.h"

static void test_random(void **state)
{
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_int_equal(tg_random(a, sizeof(a)), TG_OK);
    assert_int_equal(tg_random(b, sizeof(b)), TG_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(tg_random(NULL, 0), TG_OK);
    assert_int_equal(tg_random(a, (size_t)INT_MAX + 1), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
