/*
 * policy_test.c - who may do what: keys, certificates, operations, limits, routes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/policy.h"

#define NOW INT64_C(1000000000000)

static struct tg_setup setup;

static void add_key(uint32_t id, uint32_t partner, const char *operations, int64_t expires_us)
{
    struct tg_credential row = {.id = id, .partner = partner, .environment = TG_ENVIRONMENT_TEST,
                                .expires_us = expires_us};
    memset(row.hash, (int)id, sizeof(row.hash));
    memcpy(row.operations, operations, strlen(operations));
    assert_int_equal(tg_setup_add_key(&setup, &row), TG_OK);
}

static int begin(void **state)
{
    (void)state;
    setup = (struct tg_setup){0};
    add_key(1, 7, "*", 0);
    add_key(2, 7, "payment.create payment.read", 0);
    add_key(3, 7, "*", NOW - 1);
    add_key(4, 8, "*", 0);
    tg_setup_key(&setup, 3)->revoked_us = 0;
    const struct tg_limit limit = {7, TG_ENVIRONMENT_TEST, "EUR", 1000, 5000};
    assert_int_equal(tg_setup_add_limit(&setup, &limit), TG_OK);
    struct tg_route_credential route = {.route = "main", .sealed = TG_SPAN("sealed")};
    assert_int_equal(tg_setup_add_route(&setup, &route), TG_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tg_setup_free(&setup);
    return 0;
}

static struct tg_admit payment(uint32_t partner, uint32_t credential, int64_t amount_minor)
{
    struct tg_admit admit = {
        .flags = TG_FLAG_MONEY_MOVING | TG_FLAG_HAS_AMOUNT,
        .environment = TG_ENVIRONMENT_TEST,
        .partner = partner,
        .credential = credential,
        .amount_minor = amount_minor,
        .currency = {'E', 'U', 'R'},
        .route = TG_SPAN("main"),
        .operation = TG_SPAN("payment.create"),
    };
    return admit;
}

static enum tg_reason judge(const struct tg_admit *admit)
{
    struct tg_policy_quota quota;
    return tg_policy_admit(&setup, admit, NOW, &quota);
}

static void a_payment_within_limits(void **state)
{
    (void)state;
    struct tg_admit admit = payment(7, 1, 1000);
    struct tg_policy_quota quota;
    assert_int_equal(tg_policy_admit(&setup, &admit, NOW, &quota), TG_REASON_OK);
    assert_true(quota.has_quota);
    assert_int_equal(quota.day_minor, 5000);
}

static void amounts(void **state)
{
    (void)state;
    struct tg_admit admit = payment(7, 1, 1001);
    assert_int_equal(judge(&admit), TG_REASON_AMOUNT_OVER_LIMIT);
    admit = payment(7, 1, -1);
    assert_int_equal(judge(&admit), TG_REASON_AMOUNT_OVER_LIMIT);
    admit = payment(7, 1, 1);
    memcpy(admit.currency, "USD", 3);
    assert_int_equal(judge(&admit), TG_REASON_CURRENCY_NOT_ALLOWED);
    admit = payment(8, 4, 1);
    assert_int_equal(judge(&admit), TG_REASON_CURRENCY_NOT_ALLOWED);
    admit.flags = TG_FLAG_MONEY_MOVING;
    assert_int_equal(judge(&admit), TG_REASON_OK);
    admit = payment(7, 1, 1001);
    memset(admit.currency, 0, sizeof(admit.currency)); /* a capture: the payment was judged when it was made */
    assert_int_equal(judge(&admit), TG_REASON_OK);
}

static void keys(void **state)
{
    (void)state;
    struct tg_admit admit = payment(7, 3, 1);
    assert_int_equal(judge(&admit), TG_REASON_CREDENTIAL_UNKNOWN);
    admit = payment(8, 1, 1);
    assert_int_equal(judge(&admit), TG_REASON_CREDENTIAL_UNKNOWN);
    admit = payment(7, 99, 1);
    assert_int_equal(judge(&admit), TG_REASON_CREDENTIAL_UNKNOWN);
    admit = payment(7, 1, 1);
    admit.environment = TG_ENVIRONMENT_LIVE;
    assert_int_equal(judge(&admit), TG_REASON_CREDENTIAL_UNKNOWN);
    tg_setup_key(&setup, 1)->revoked_us = NOW;
    admit = payment(7, 1, 1);
    assert_int_equal(judge(&admit), TG_REASON_CREDENTIAL_UNKNOWN);
}

static void operations(void **state)
{
    (void)state;
    struct tg_admit admit = payment(7, 2, 1);
    assert_int_equal(judge(&admit), TG_REASON_OK);
    admit.operation = TG_SPAN("payment.refund");
    assert_int_equal(judge(&admit), TG_REASON_OPERATION_FORBIDDEN);
    admit.operation = TG_SPAN("payment.creat");
    assert_int_equal(judge(&admit), TG_REASON_OPERATION_FORBIDDEN);
    admit.operation = TG_SPAN("payment.create payment.read");
    assert_int_equal(judge(&admit), TG_REASON_OPERATION_FORBIDDEN);
}

static void routes(void **state)
{
    (void)state;
    struct tg_admit admit = payment(7, 1, 1);
    struct tg_policy_quota quota;
    admit.route = TG_SPAN("other");
    assert_int_equal(judge(&admit), TG_REASON_ROUTE_CREDENTIAL_ABSENT);
    admit.flags |= TG_FLAG_OBSERVE;
    assert_int_equal(tg_policy_admit(&setup, &admit, NOW, &quota), TG_REASON_OK);
    assert_false(quota.has_quota);
}

static void certificates(void **state)
{
    (void)state;
    struct tg_auth auth = {0};
    const struct tg_setup_key *key;
    memset(auth.key_hash, 1, sizeof(auth.key_hash));
    assert_int_equal(tg_policy_authenticate(&setup, &auth, NOW, &key), TG_REASON_OK);
    assert_int_equal(key->id, 1);
    struct tg_partner_certificate row = {.partner = 7, .not_after_us = NOW + 1};
    memset(row.sha256, 9, sizeof(row.sha256));
    assert_int_equal(tg_setup_add_certificate(&setup, &row), TG_OK);
    assert_int_equal(tg_policy_authenticate(&setup, &auth, NOW, &key), TG_REASON_CERTIFICATE_MISMATCH);
    assert_null(key);
    memset(auth.certificate, 9, sizeof(auth.certificate));
    assert_int_equal(tg_policy_authenticate(&setup, &auth, NOW, &key), TG_REASON_CERTIFICATE_MISMATCH);
    auth.has_certificate = true;
    assert_int_equal(tg_policy_authenticate(&setup, &auth, NOW, &key), TG_REASON_OK);
    assert_int_equal(tg_policy_authenticate(&setup, &auth, NOW + 1, &key), TG_REASON_CERTIFICATE_MISMATCH);
}

static void days(void **state)
{
    (void)state;
    assert_int_equal(tg_policy_day(0), 0);
    assert_int_equal(tg_policy_day(INT64_C(86399999999)), 0);
    assert_int_equal(tg_policy_day(INT64_C(86400000000)), 1);
    assert_int_equal(tg_policy_day(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_payment_within_limits, begin, end),
        cmocka_unit_test_setup_teardown(amounts, begin, end),
        cmocka_unit_test_setup_teardown(keys, begin, end),
        cmocka_unit_test_setup_teardown(operations, begin, end),
        cmocka_unit_test_setup_teardown(routes, begin, end),
        cmocka_unit_test_setup_teardown(certificates, begin, end),
        cmocka_unit_test(days),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
