/* setup_test.c - each act, what it refuses, and that both leave an event; read back after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/testkit.h"

struct seen {
    struct tg_partner partners[4];
    struct tg_credential credentials[4];
    struct tg_limit limits[4];
    struct tg_partner_certificate certificates[4];
    char routes[4][TG_NAME_BYTES_MAX + 1];
    uint8_t sealed[4][16];
    size_t partner_count, credential_count, limit_count, certificate_count, route_count;
};

static void see_partner(void *user, const struct tg_partner *row)
{
    struct seen *seen = user;
    seen->partners[seen->partner_count++] = *row;
}

static void see_credential(void *user, const struct tg_credential *row)
{
    struct seen *seen = user;
    seen->credentials[seen->credential_count++] = *row;
}

static void see_limit(void *user, const struct tg_limit *row)
{
    struct seen *seen = user;
    seen->limits[seen->limit_count++] = *row;
}

static void see_certificate(void *user, const struct tg_partner_certificate *row)
{
    struct seen *seen = user;
    seen->certificates[seen->certificate_count++] = *row;
}

static void see_route(void *user, const struct tg_route_credential *row)
{
    struct seen *seen = user;
    assert_int_equal(row->sealed.len, 16);
    memcpy(seen->sealed[seen->route_count], row->sealed.ptr, 16);
    memcpy(seen->routes[seen->route_count++], row->route, sizeof(row->route));
}

static struct seen read_all(struct kit *kit)
{
    struct seen seen;
    memset(&seen, 0, sizeof(seen));
    struct tg_setup_reader reader = {&seen, see_partner, see_credential, see_limit, see_certificate, see_route};
    assert_int_equal(tg_store_setup_read(kit->store, &reader), TG_OK);
    struct tg_setup_reader deaf = {0};
    assert_int_equal(tg_store_setup_read(kit->store, &deaf), TG_OK);
    return seen;
}

static struct tg_act act_of(enum tg_act_kind kind)
{
    return (struct tg_act){.kind = kind, .at_us = KIT_START, .actor = TG_SPAN("uid=0 login=root"),
                           .what = TG_SPAN("a test")};
}

static enum tg_err add_partner(struct kit *kit, const char *name, uint32_t *ret_id)
{
    struct tg_act act = act_of(TG_ACT_PARTNER_ADD);
    (void)snprintf(act.partner.name, sizeof(act.partner.name), "%s", name);
    enum tg_err err = tg_store_act(kit->store, &act);
    *ret_id = act.partner.id;
    return err;
}

static enum tg_err add_credential(struct kit *kit, uint32_t partner, uint8_t hash, uint32_t *ret_id)
{
    struct tg_act act = act_of(TG_ACT_CREDENTIAL_ADD);
    act.credential = (struct tg_credential){.partner = partner, .environment = 2, .prefix = "tgk_live_abcdefgh",
                                            .operations = "payment.create payment.refund", .created_us = 5,
                                            .expires_us = 6};
    memset(act.credential.hash, hash, sizeof(act.credential.hash));
    enum tg_err err = tg_store_act(kit->store, &act);
    *ret_id = act.credential.id;
    return err;
}

static enum tg_err set_limit(struct kit *kit, uint32_t partner, int64_t day)
{
    struct tg_act act = act_of(TG_ACT_LIMIT_SET);
    act.limit = (struct tg_limit){.partner = partner, .environment = 1, .currency = "EUR", .payment_minor_max = 500,
                                  .day_minor_max = day};
    return tg_store_act(kit->store, &act);
}

static void test_partners_and_keys(void **state)
{
    struct kit *kit = *state;
    uint32_t shop = 0, bank = 0, key = 0, other = 0;
    assert_int_equal(add_partner(kit, "shop", &shop), TG_OK);
    assert_int_equal(add_partner(kit, "bank", &bank), TG_OK);
    assert_int_equal(add_partner(kit, "shop", &other), TG_ERR_DENIED);
    assert_int_equal(add_credential(kit, shop, 1, &key), TG_OK);
    assert_int_equal(add_credential(kit, bank, 1, &other), TG_ERR_DENIED);
    assert_int_equal(add_credential(kit, 99, 2, &other), TG_ERR_ABSENT);
    struct tg_act revoke = act_of(TG_ACT_CREDENTIAL_REVOKE);
    revoke.credential.id = key;
    revoke.credential.revoked_us = 77;
    assert_int_equal(tg_store_act(kit->store, &revoke), TG_OK);
    revoke.credential.revoked_us = 78;
    assert_int_equal(tg_store_act(kit->store, &revoke), TG_OK);
    revoke.credential.id = 99;
    assert_int_equal(tg_store_act(kit->store, &revoke), TG_ERR_ABSENT);
    assert_int_equal(tg_store_last_event(kit->store), 9); /* refused acts too */
    kit_reopen(kit);
    struct seen seen = read_all(kit);
    assert_int_equal(seen.partner_count, 2);
    assert_string_equal(seen.partners[0].name, "shop");
    assert_int_equal(seen.partners[1].id, bank);
    assert_int_equal(seen.credential_count, 1);
    assert_int_equal(seen.credentials[0].revoked_us, 77);
    assert_int_equal(seen.credentials[0].environment, 2);
    assert_string_equal(seen.credentials[0].operations, "payment.create payment.refund");
    assert_int_equal(seen.credentials[0].hash[31], 1);
    assert_int_equal(tg_store_last_event(kit->store), 9);
}

static void test_limits_certificates_routes(void **state)
{
    struct kit *kit = *state;
    uint32_t shop = 0;
    assert_int_equal(add_partner(kit, "shop", &shop), TG_OK);
    assert_int_equal(set_limit(kit, shop, 1000), TG_OK);
    assert_int_equal(set_limit(kit, shop, 2000), TG_OK);
    assert_int_equal(set_limit(kit, 99, 2000), TG_ERR_ABSENT);
    struct tg_act act = act_of(TG_ACT_CERTIFICATE_ADD);
    act.certificate = (struct tg_partner_certificate){.partner = shop, .sha256 = {4}, .not_after_us = 9};
    assert_int_equal(tg_store_act(kit->store, &act), TG_OK);
    act = act_of(TG_ACT_ROUTE_SET);
    (void)snprintf(act.route.route, sizeof(act.route.route), "psp");
    act.route.sealed = TG_SPAN("0123456789abcdef");
    assert_int_equal(tg_store_act(kit->store, &act), TG_OK);
    act.route.sealed = TG_SPAN("fedcba9876543210");
    assert_int_equal(tg_store_act(kit->store, &act), TG_OK);
    kit_reopen(kit);
    struct seen seen = read_all(kit);
    assert_int_equal(seen.limit_count, 1);
    assert_int_equal(seen.limits[0].day_minor_max, 2000);
    assert_string_equal(seen.limits[0].currency, "EUR");
    assert_int_equal(seen.certificate_count, 1);
    assert_int_equal(seen.certificates[0].sha256[0], 4);
    assert_int_equal(seen.route_count, 1);
    assert_memory_equal(seen.sealed[0], "fedcba9876543210", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_partners_and_keys, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_limits_certificates_routes, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
