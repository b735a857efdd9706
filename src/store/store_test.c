/* store_test.c - the seam: which options name a store, and that a call reaches the one that was opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/testkit.h"

static void test_options(void **state)
{
    (void)state;
    const struct tg_store_options none = {0}, both = {.path = "/", .connection = "host=/"};
    struct tg_store *store = NULL;
    assert_int_equal(tg_store_open(&none, KIT_START, &store), TG_ERR_INPUT);
    assert_int_equal(tg_store_open(&both, KIT_START, &store), TG_ERR_INPUT);
    assert_null(store);
    tg_store_close(NULL);
}

static void test_reaches(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(tg_store_segment(kit->store), 1);
    assert_int_equal(tg_store_last_event(kit->store), 0);
    assert_false(tg_store_setup_changed(kit->store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test_setup_teardown(test_reaches, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
