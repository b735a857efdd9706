/*
 * err_test.c - every error has a name of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"

static void test_names(void **state)
{
    (void)state;
    for (int err = TG_ERR_BUG; err <= TG_OK; err++) {
        assert_string_not_equal(tg_err_name((enum tg_err)err), "unknown");
    }
    assert_string_equal(tg_err_name((enum tg_err)1), "unknown");
    assert_string_equal(tg_err_name(TG_ERR_LIMIT), "limit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
