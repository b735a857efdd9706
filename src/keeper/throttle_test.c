/*
 * throttle_test.c - budgets: spent, given back, kept apart, bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/throttle.h"

static struct tg_throttle *fresh(void)
{
    struct tg_throttle *throttle = calloc(1, sizeof(*throttle));
    assert_non_null(throttle);
    throttle->seed = 42;
    return throttle;
}

static void ten_then_wait(void **state)
{
    (void)state;
    struct tg_throttle *throttle = fresh();
    struct tg_span name = TG_SPAN("a name");
    for (int i = 0; i < TG_THROTTLE_FAILURES; i++) {
        assert_int_equal(tg_throttle_wait_s(throttle, 1, name, 1000), 0);
        tg_throttle_fail(throttle, 1, name, 1000);
    }
    assert_int_equal(tg_throttle_wait_s(throttle, 1, name, 1000), 6);
    assert_int_equal(tg_throttle_wait_s(throttle, 1, name, 6999), 1);
    assert_int_equal(tg_throttle_wait_s(throttle, 1, name, 7000), 0);
    free(throttle);
}

static void names_and_kinds_are_apart(void **state)
{
    (void)state;
    struct tg_throttle *throttle = fresh();
    for (int i = 0; i < 100; i++) {
        tg_throttle_fail(throttle, 1, TG_SPAN("a"), 5);
    }
    assert_int_not_equal(tg_throttle_wait_s(throttle, 1, TG_SPAN("a"), 5), 0);
    assert_int_equal(tg_throttle_wait_s(throttle, 2, TG_SPAN("a"), 5), 0);
    assert_int_equal(tg_throttle_wait_s(throttle, 1, TG_SPAN("b"), 5), 0);
    free(throttle);
}

/* However often it failed, one window later a name is as good as new. */
static void debt_is_one_window(void **state)
{
    (void)state;
    struct tg_throttle *throttle = fresh();
    for (int i = 0; i < 100000; i++) {
        tg_throttle_fail(throttle, 1, TG_SPAN("a"), 0);
    }
    assert_true(tg_throttle_wait_s(throttle, 1, TG_SPAN("a"), 0) <= TG_THROTTLE_WINDOW_MS / 1000);
    assert_int_equal(tg_throttle_wait_s(throttle, 1, TG_SPAN("a"), TG_THROTTLE_WINDOW_MS), 0);
    free(throttle);
}

/* A flood of other names may make it forget, never make it wait for a name that did nothing. */
static void flood_locks_nobody_out(void **state)
{
    (void)state;
    struct tg_throttle *throttle = fresh();
    for (uint32_t i = 0; i < 200000; i++) {
        tg_throttle_fail(throttle, 1, tg_span(&i, sizeof(i)), 10);
    }
    assert_int_equal(tg_throttle_wait_s(throttle, 1, TG_SPAN("innocent"), 10), 0);
    free(throttle);
}

static void addresses_are_cut(void **state)
{
    (void)state;
    uint8_t four[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5};
    assert_int_equal(tg_throttle_address(four).len, 16);
    assert_int_equal(tg_throttle_address(six).len, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_then_wait),         cmocka_unit_test(names_and_kinds_are_apart),
        cmocka_unit_test(debt_is_one_window),    cmocka_unit_test(flood_locks_nobody_out),
        cmocka_unit_test(addresses_are_cut),
    };
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
