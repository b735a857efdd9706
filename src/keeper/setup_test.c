/*
 * setup_test.c - tables in memory: found again, replaced, in order, however they came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/setup.h"

static void hash_of(uint32_t id, uint8_t hash[TG_DIGEST_BYTES])
{
    memset(hash, 0, TG_DIGEST_BYTES);
    /* Many share a slot, so that probing is met. */
    hash[0] = (uint8_t)(id % 7);
    memcpy(hash + 8, &id, sizeof(id));
}

static void keys_are_found_by_hash_and_id(void **state)
{
    (void)state;
    struct tg_setup setup = {0};
    uint8_t hash[TG_DIGEST_BYTES];
    hash_of(1, hash);
    assert_null(tg_setup_key_hashed(&setup, hash));
    for (uint32_t i = 0; i < 1000; i++) {
        struct tg_credential row = {.id = 1 + (i * 7919) % 1000, .partner = i, .operations = "*"};
        hash_of(row.id, row.hash);
        assert_int_equal(tg_setup_add_key(&setup, &row), TG_OK);
    }
    assert_int_equal(setup.keys.count, 1000);
    for (uint32_t id = 1; id <= 1000; id++) {
        hash_of(id, hash);
        assert_int_equal(tg_setup_key_hashed(&setup, hash)->id, id);
        assert_int_equal(tg_setup_key(&setup, id)->id, id);
    }
    hash_of(1001, hash);
    assert_null(tg_setup_key_hashed(&setup, hash));
    assert_null(tg_setup_key(&setup, 1001));
    tg_setup_free(&setup);
}

static void the_same_is_replaced(void **state)
{
    (void)state;
    struct tg_setup setup = {0};
    struct tg_limit limit = {1, 1, "EUR", 10, 0};
    assert_int_equal(tg_setup_add_limit(&setup, &limit), TG_OK);
    limit.payment_minor_max = 20;
    assert_int_equal(tg_setup_add_limit(&setup, &limit), TG_OK);
    assert_int_equal(setup.limits.count, 1);
    assert_int_equal(tg_setup_limit(&setup, 1, 1, (const uint8_t *)"EUR")->payment_minor_max, 20);
    assert_null(tg_setup_limit(&setup, 1, 2, (const uint8_t *)"EUR"));
    struct tg_route_credential route = {.route = "r", .sealed = TG_SPAN("one")};
    assert_int_equal(tg_setup_add_route(&setup, &route), TG_OK);
    route.sealed = TG_SPAN("second");
    assert_int_equal(tg_setup_add_route(&setup, &route), TG_OK);
    assert_int_equal(setup.routes.count, 1);
    assert_int_equal(tg_setup_route(&setup, TG_SPAN("r"))->sealed_len, 6);
    tg_setup_free(&setup);
}

static void names(void **state)
{
    (void)state;
    struct tg_setup setup = {0};
    const struct tg_partner rows[] = {{2, "two"}, {1, "one"}};
    assert_int_equal(tg_setup_add_partner(&setup, &rows[0]), TG_OK);
    assert_int_equal(tg_setup_add_partner(&setup, &rows[1]), TG_OK);
    assert_int_equal(tg_setup_partner_named(&setup, TG_SPAN("two"))->id, 2);
    assert_string_equal(tg_setup_partner(&setup, 1)->name, "one");
    assert_null(tg_setup_partner_named(&setup, TG_SPAN("tw")));
    assert_null(tg_setup_route(&setup, TG_SPAN("")));
    tg_setup_free(&setup);
}

static void operation_lists(void **state)
{
    (void)state;
    assert_true(tg_setup_operation_allowed("*", TG_SPAN("any")));
    assert_true(tg_setup_operation_allowed("a b c", TG_SPAN("c")));
    assert_true(tg_setup_operation_allowed("a b c", TG_SPAN("a")));
    assert_false(tg_setup_operation_allowed("a b c", TG_SPAN("b c")));
    assert_false(tg_setup_operation_allowed("a b c", TG_SPAN("")));
    assert_false(tg_setup_operation_allowed("", TG_SPAN("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_hash_and_id),
        cmocka_unit_test(the_same_is_replaced),
        cmocka_unit_test(names),
        cmocka_unit_test(operation_lists),
    };
    return cmocka_run_group_tests_name("setup", tests, NULL, NULL);
}
