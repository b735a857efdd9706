/*
 * compare_test.c - equality of secrets and forgetting them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crypto/crypto.h"

static void test_equal(void **state)
{
    (void)state;
    assert_true(tg_equal_secret("abc", "abc", 3));
    assert_false(tg_equal_secret("abc", "abd", 3));
    assert_false(tg_equal_secret("abc", "bbc", 3));
    assert_true(tg_equal_secret(NULL, NULL, 0));
}

static void test_wipe(void **state)
{
    (void)state;
    uint8_t bytes[4] = {1, 2, 3, 4};
    tg_wipe(bytes, 3);
    assert_memory_equal(bytes, "\0\0\0\4", 4);
    tg_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
