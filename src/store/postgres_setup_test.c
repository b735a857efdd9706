/* postgres_setup_test.c - what one keeper sets up is seen by the other, and numbers are given once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/postgres.h"
#include "store/testkit.h"

static enum tg_err add(struct tg_store *store, const char *name, uint32_t *ret)
{
    struct tg_act act = {.kind = TG_ACT_PARTNER_ADD, .what = TG_SPAN("partner.add")};
    memcpy(act.partner.name, name, strlen(name));
    enum tg_err err = tg_store_act(store, &act);
    *ret = act.partner.id;
    return err;
}

static void look(struct kit *kit, struct tg_store *store)
{
    uint32_t fresh = 0, destroy[1];
    size_t count = 0;
    assert_int_equal(tg_store_rotate(store, kit->now_us, &fresh, destroy, 1, &count), TG_OK);
}

static void test_shared(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    const struct tg_setup_reader nothing = {0};
    uint32_t one = 0, two = 0, none = 0;
    assert_int_equal(tg_store_setup_read(kit->store, &nothing), TG_OK);
    assert_int_equal(tg_store_setup_read(other, &nothing), TG_OK);
    assert_int_equal(add(kit->store, "one", &one), TG_OK);
    look(kit, kit->store);
    look(kit, other);
    assert_false(tg_store_setup_changed(kit->store)); /* its own act */
    assert_true(tg_store_setup_changed(other));
    assert_int_equal(add(other, "two", &two), TG_OK);
    assert_int_equal(two, one + 1);
    assert_int_equal(add(other, "one", &none), TG_ERR_DENIED);
    assert_int_equal(tg_store_setup_read(other, &nothing), TG_OK);
    assert_false(tg_store_setup_changed(other));
    look(kit, kit->store);
    assert_true(tg_store_setup_changed(kit->store));
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shared, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
