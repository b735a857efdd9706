/* shipped_test.c - the profiles that come along, read as the gate reads them, with calls of each dialect. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/payment/profile_sample.h"

#ifndef TG_SOURCE_ROOT
#define TG_SOURCE_ROOT "."
#endif

static const struct tg_profile *shipped(const char *path)
{
    static char text[64 * 1024];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    struct tg_profile_error why;
    const struct tg_profile *profile = profile_sample_text(text, &why);
    if (profile == NULL) {
        print_message("# %s: %s\n", path, why.text);
    }
    assert_non_null(profile);
    return profile;
}

static const struct tg_operation *operation_at(const struct tg_profile *profile, const char *method, const char *path,
                                               const char *name)
{
    bool known = false;
    const struct tg_operation *operation =
        tg_profile_match(profile, tg_span_string(method), tg_span_string(path), &known);
    assert_non_null(operation);
    assert_true(tg_span_equal(operation->name, tg_span_string(name)));
    return operation;
}

static enum tg_reason call(const struct tg_profile *profile, const struct tg_operation *operation, const char *type,
                           const char *body, struct tg_facts *facts)
{
    static uint8_t block[65536];
    struct tg_arena arena = tg_arena(block, sizeof block);
    struct tg_pointer where;
    return tg_facts_read(profile, operation, tg_span_string(type), TG_SPAN(""), tg_span_string(body), &arena, facts,
                         &where);
}

static void money_needs_a_key(const struct tg_profile *profile)
{
    size_t moving = 0;
    for (size_t i = 0; i < profile->operation_count; i++) {
        moving += profile->operations[i].money_moving;
        assert_true(!profile->operations[i].money_moving || profile->operations[i].idempotency == 2);
        bool reads = tg_span_equal(profile->operations[i].method, TG_SPAN("GET"));
        assert_true(!reads || (profile->operations[i].body == TG_BODY_NONE && !profile->operations[i].money_moving));
    }
    assert_true(moving >= 4);
    assert_false(profile->upstream_idempotent);
    assert_false(profile->card_numbers_allowed);
    assert_int_equal(profile->ttl_s, 86400);
    assert_int_equal(profile->idempotency_key_bytes_max, 255);
}

static void generic_json(void **state)
{
    (void)state;
    const struct tg_profile *profile = shipped(TG_SOURCE_ROOT "/profiles/generic-json.json");
    struct tg_facts facts;
    money_needs_a_key(profile);
    assert_true(tg_span_equal(profile->name, TG_SPAN("generic-json")));
    assert_int_equal(profile->status_meaning[500], TG_STATUS_UNKNOWN);
    const struct tg_operation *create = operation_at(profile, "POST", "/v1/payments", "payment.create");
    assert_int_equal(
        call(profile, create, "application/json",
             "{\"amount\":1050,\"currency\":\"EUR\",\"payee\":{\"account\":\"a\"},\"payer\":{\"id\":\"b\"},"
             "\"instrument\":{\"token\":\"c\"}}",
             &facts),
        TG_REASON_OK);
    assert_true(facts.payee.len == 1 && facts.payer.len == 1 && facts.instrument.len == 1);
    const struct tg_operation *capture = operation_at(profile, "POST", "/v1/payments/p1/capture", "payment.capture");
    assert_int_equal(call(profile, capture, "application/json", "{\"amount\":50}", &facts), TG_REASON_OK);
    assert_true(facts.has_amount && facts.currency[0] == '\0');
    assert_int_equal(call(profile, capture, "", "", &facts), TG_REASON_OK);
    assert_false(facts.has_amount);
    (void)operation_at(profile, "POST", "/v1/payments/p1/refund", "payment.refund");
    const struct tg_operation *cancel = operation_at(profile, "POST", "/v1/payments/p1/void", "payment.void");
    assert_int_equal(call(profile, cancel, "", "", &facts), TG_REASON_OK);
    (void)operation_at(profile, "GET", "/v1/payments/p1", "payment.read");
    (void)operation_at(profile, "GET", "/v1/payments", "payment.list");
    assert_false(operation_at(profile, "POST", "/v1/notes", "note.create")->money_moving);
    assert_true(tg_span_equal(profile->probe_query, TG_SPAN("request_id")));
}

static void stripe(void **state)
{
    (void)state;
    const struct tg_profile *profile = shipped(TG_SOURCE_ROOT "/profiles/stripe.json");
    const char *form = "application/x-www-form-urlencoded";
    struct tg_facts facts;
    money_needs_a_key(profile);
    assert_int_equal(profile->problem_shape, TG_PROBLEM_STRIPE);
    assert_int_equal(profile->status_meaning[500], TG_STATUS_FINAL);
    assert_int_equal(profile->status_meaning[502], TG_STATUS_UNKNOWN);
    assert_int_equal(profile->status_meaning[409], TG_STATUS_NOT_EXECUTED);
    const struct tg_operation *create = operation_at(profile, "POST", "/v1/payment_intents", "payment_intent.create");
    assert_int_equal(call(profile, create, form,
                          "amount=1050&currency=usd&payment_method=pm_card_visa&customer=cus_1&"
                          "automatic_payment_methods[enabled]=true&metadata[a%20b]=1",
                          &facts),
                     TG_REASON_OK);
    assert_int_equal(facts.amount_minor, 1050);
    assert_string_equal(facts.currency, "USD");
    assert_true(tg_span_equal(facts.instrument, TG_SPAN("pm_card_visa")));
    assert_false(facts.card_number_in_clear);
    assert_int_equal(call(profile, create, form,
                          "amount=1&currency=usd&payment_method_data[card][number]=4242"
                          "424242424242",
                          &facts),
                     TG_REASON_OK);
    assert_true(facts.card_number_in_clear);
    const struct tg_operation *capture =
        operation_at(profile, "POST", "/v1/payment_intents/pi_1/capture", "payment_intent.capture");
    assert_int_equal(call(profile, capture, form, "amount_to_capture=500", &facts), TG_REASON_OK);
    assert_int_equal(facts.amount_minor, 500);
    assert_int_equal(call(profile, capture, form, "", &facts), TG_REASON_OK);
    const struct tg_operation *refund = operation_at(profile, "POST", "/v1/refunds", "refund.create");
    assert_int_equal(call(profile, refund, form, "payment_intent=pi_1&amount=5", &facts), TG_REASON_OK);
    assert_true(facts.has_amount);
    assert_int_equal(call(profile, refund, form, "payment_intent=pi_1", &facts), TG_REASON_OK);
    (void)operation_at(profile, "POST", "/v1/payment_intents/pi_1/confirm", "payment_intent.confirm");
    (void)operation_at(profile, "POST", "/v1/payment_intents/pi_1/cancel", "payment_intent.cancel");
    (void)operation_at(profile, "GET", "/v1/payment_intents/pi_1", "payment_intent.read");
    (void)operation_at(profile, "GET", "/v1/refunds/re_1", "refund.read");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generic_json), cmocka_unit_test(stripe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
