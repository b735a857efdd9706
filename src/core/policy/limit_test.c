/* limit_test.c - within, over, closed, and without a currency. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/policy/limit.h"

static const struct tg_limit_rule rules[] = {{"EUR", 100000}, {"JPY", 0}};

static void judged_by_the_rule_of_the_currency(void **state)
{
    (void)state;
    assert_int_equal(tg_limit_check(rules, 2, "EUR", 100000), TG_REASON_OK);
    assert_int_equal(tg_limit_check(rules, 2, "EUR", 100001), TG_REASON_AMOUNT_OVER_LIMIT);
    assert_int_equal(tg_limit_check(rules, 2, "EUR", INT64_MAX), TG_REASON_AMOUNT_OVER_LIMIT);
    assert_int_equal(tg_limit_check(rules, 2, "JPY", 1), TG_REASON_AMOUNT_OVER_LIMIT);
    assert_int_equal(tg_limit_check(rules, 2, "JPY", 0), TG_REASON_OK);
    assert_int_equal(tg_limit_check(rules, 2, "USD", 1), TG_REASON_CURRENCY_NOT_ALLOWED);
}

static void no_rules_and_no_currency_pass(void **state)
{
    (void)state;
    assert_int_equal(tg_limit_check(NULL, 0, "USD", INT64_MAX), TG_REASON_OK);
    assert_int_equal(tg_limit_check(rules, 2, "\0\0\0", 999999999), TG_REASON_OK);
}

static void negative_is_over(void **state)
{
    (void)state;
    assert_int_equal(tg_limit_check(NULL, 0, "USD", -1), TG_REASON_AMOUNT_OVER_LIMIT);
    assert_int_equal(tg_limit_check(rules, 2, "EUR", INT64_MIN), TG_REASON_AMOUNT_OVER_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judged_by_the_rule_of_the_currency),
        cmocka_unit_test(no_rules_and_no_currency_pass),
        cmocka_unit_test(negative_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
