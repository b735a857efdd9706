/* recent_test.c - outcomes are found, told anew, and crowded out four at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "store/recent.h"

static void test_four_ways(void **state)
{
    (void)state;
    struct tg_recent recent;
    assert_int_equal(tg_recent_init(&recent), TG_OK);
    uint8_t id[6][TG_REQUEST_ID_BYTES] = {{0}};
    for (uint8_t i = 0; i < 6; i++) { /* the same set: both halves carry the same mark */
        id[i][0] = id[i][8] = i;
        assert_int_equal(tg_recent_get(&recent, id[i]), 0);
        tg_recent_put(&recent, id[i], (uint8_t)(i + 1));
    }
    assert_int_equal(tg_recent_get(&recent, id[0]), 0);
    assert_int_equal(tg_recent_get(&recent, id[1]), 0);
    for (uint8_t i = 2; i < 6; i++)
        assert_int_equal(tg_recent_get(&recent, id[i]), i + 1);
    tg_recent_put(&recent, id[5], 3);
    assert_int_equal(tg_recent_get(&recent, id[5]), 3);
    assert_int_equal(tg_recent_get(&recent, id[2]), 3);
    tg_recent_free(&recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_four_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
