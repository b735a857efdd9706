/* sealer_test.c - the first sealer is written down; another one is refused, after a start too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/testkit.h"

static const uint8_t first[TG_STORE_SEALER_BYTES] = {1}, other[TG_STORE_SEALER_BYTES] = {2};

static void test_first_stands(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(tg_store_sealer(kit->store, first), TG_OK);
    assert_int_equal(tg_store_sealer(kit->store, first), TG_OK);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_ERR_DENIED);
    kit_reopen(kit);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_ERR_DENIED);
    assert_int_equal(tg_store_sealer(kit->store, first), TG_OK);
}

/* What was refused has left the session as it was. */
static void test_goes_on(void **state)
{
    struct kit *kit = *state;
    assert_int_equal(tg_store_sealer(kit->store, first), TG_OK);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_ERR_DENIED);
    (void)kit_pair(kit, 1, 1, "an answer");
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_first_stands, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_goes_on, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
