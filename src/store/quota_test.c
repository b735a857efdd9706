/* quota_test.c - sums at the edge of the limit and of 64 bits; forgetting; growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "store/quota.h"

static void test_edges(void **state)
{
    (void)state;
    struct tg_quota quota;
    assert_int_equal(tg_quota_init(&quota), TG_OK);
    struct tg_quota_key key = {1, 10, 1, {'E', 'U', 'R'}};
    struct tg_quota_counter *counter = tg_quota_counter(&quota, &key);
    assert_true(tg_quota_reserve(&quota, counter, 60, 100));
    assert_false(tg_quota_reserve(&quota, counter, 41, 100));
    assert_true(tg_quota_reserve(&quota, counter, 40, 100));
    tg_quota_end(&quota, counter, 60, true);
    tg_quota_end(&quota, counter, 40, false);
    assert_int_equal(counter->reserved, 0);
    assert_int_equal(counter->committed, 60);
    assert_false(tg_quota_reserve(&quota, counter, INT64_MAX, INT64_MAX));
    assert_true(tg_quota_reserve(&quota, counter, INT64_MAX - 60, INT64_MAX));
    assert_false(tg_quota_reserve(&quota, counter, 1, INT64_MAX));
    assert_false(tg_quota_reserve(&quota, counter, -1, INT64_MAX));
    assert_true(tg_quota_reserve(&quota, counter, 0, INT64_MAX));
    assert_ptr_equal(quota.marked, counter);
    tg_quota_free(&quota);
}

static void test_many_and_forget(void **state)
{
    (void)state;
    struct tg_quota quota;
    assert_int_equal(tg_quota_init(&quota), TG_OK);
    for (uint32_t partner = 1; partner <= 10000; partner++) {
        struct tg_quota_key key = {partner, (int32_t)(partner % 3), 1, {'E', 'U', 'R'}};
        struct tg_quota_counter *counter = tg_quota_counter(&quota, &key);
        assert_non_null(counter);
        counter->reserved = partner % 6 == 0; /* still held: partner % 3 == 0, day 0 */
        counter->committed = partner;
    }
    tg_quota_forget(&quota, 1);
    assert_int_equal(quota.count, 10000 - 3333 + 1666);
    struct tg_quota_key key = {6, 0, 1, {'E', 'U', 'R'}};
    assert_int_equal(tg_quota_counter(&quota, &key)->committed, 6);
    key.partner = 3;
    assert_int_equal(tg_quota_counter(&quota, &key)->committed, 0);
    tg_quota_free(&quota);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edges), cmocka_unit_test(test_many_and_forget)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
