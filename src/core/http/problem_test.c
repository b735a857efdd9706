/* problem_test.c - refusals in both shapes; hostile pointers; what a client's retries are told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/http/problem.h"
#include "core/json/json.h"
#include "core/payment/profile.h"

#define ID "0123456789abcdef0123456789abcdef"

static uint8_t memory[2 * TG_PROBLEM_BYTES_MAX];
static uint8_t block[65536];

static const struct tg_value *written(uint8_t shape, uint16_t reason, struct tg_span pointer)
{
    struct tg_buf out = tg_buf(memory, sizeof memory);
    struct tg_problem problem = {reason, shape, TG_SPAN(ID), pointer};
    assert_int_equal(tg_problem_write(&out, &problem), TG_OK);
    assert_true(out.len <= TG_PROBLEM_BYTES_MAX);
    struct tg_arena arena = tg_arena(block, sizeof block);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    assert_int_equal(tg_json_parse(tg_buf_span(&out), &arena, &root, &place), TG_REASON_OK);
    return root;
}

static void member_is(const struct tg_value *root, const char *pointer, const char *text)
{
    const struct tg_value *value = tg_value_at(root, tg_span_string(pointer));
    assert_non_null(value);
    assert_true(tg_span_equal(value->text, tg_span_string(text)));
}

static void plain_has_the_members_of_rfc_9457(void **state)
{
    (void)state;
    const struct tg_value *root = written(TG_PROBLEM_PLAIN, TG_REASON_AMOUNT_MALFORMED, TG_SPAN("/amount"));
    member_is(root, "/type", "urn:tollgate:reason:amount_malformed");
    member_is(root, "/title", "The amount is not well formed");
    member_is(root, "/status", "400");
    member_is(root, "/reason", "amount_malformed");
    member_is(root, "/code", "153");
    member_is(root, "/retry", "never");
    member_is(root, "/request_id", ID);
    member_is(root, "/pointer", "/amount");
    assert_null(tg_value_at(written(TG_PROBLEM_PLAIN, 162, TG_SPAN("")), TG_SPAN("/pointer")));
}

static void unknown_outcomes_share_a_type(void **state)
{
    (void)state;
    for (uint16_t reason = 181; reason <= 184; reason++) {
        member_is(written(TG_PROBLEM_PLAIN, reason, TG_SPAN("")), "/type", "urn:tollgate:reason:outcome_unknown");
    }
    const struct tg_value *root = written(TG_PROBLEM_PLAIN, 185, TG_SPAN(""));
    member_is(root, "/type", "urn:tollgate:reason:outcome_unknown_status");
    assert_null(tg_value_at(root, TG_SPAN("/status")));
}

static void stripe_errors_raise_the_documented_class(void **state)
{
    (void)state;
    static const struct {
        uint16_t reason;
        uint16_t status;
        const char *type;
    } rows[] = {
        {TG_REASON_CREDENTIAL_UNKNOWN, 401, "invalid_request_error"},
        {TG_REASON_OPERATION_FORBIDDEN, 403, "invalid_request_error"},
        {TG_REASON_AUTHENTICATION_THROTTLED, 429, "invalid_request_error"},
        {TG_REASON_RATE_LIMITED, 429, "invalid_request_error"},
        {TG_REASON_AMOUNT_MALFORMED, 400, "invalid_request_error"},
        {TG_REASON_OPERATION_UNKNOWN, 404, "invalid_request_error"},
        {TG_REASON_KEY_MISSING, 400, "invalid_request_error"},
        {TG_REASON_KEY_REUSED, 400, "idempotency_error"},
        {TG_REASON_KEY_IN_FLIGHT, 409, "idempotency_error"},
        {TG_REASON_KEY_OUTCOME_UNKNOWN, 409, "idempotency_error"},
        {TG_REASON_UPSTREAM_UNREACHABLE, 502, "api_error"},
        {TG_REASON_KEEPER_UNAVAILABLE, 503, "api_error"},
        {TG_REASON_OUTCOME_UNKNOWN_STATUS, 0, "api_error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tg_value *root = written(TG_PROBLEM_STRIPE, rows[i].reason, TG_SPAN(""));
        member_is(root, "/error/type", rows[i].type);
        member_is(root, "/error/code", tg_reason_entry(rows[i].reason)->name);
        member_is(root, "/error/request_id", ID);
        assert_int_equal(tg_problem_status(TG_PROBLEM_STRIPE, rows[i].reason), rows[i].status);
    }
    assert_int_equal(tg_problem_status(TG_PROBLEM_PLAIN, TG_REASON_KEY_REUSED), 422);
}

static void stripe_parameters_have_brackets(void **state)
{
    (void)state;
    member_is(written(TG_PROBLEM_STRIPE, 152, TG_SPAN("/amount")), "/error/param", "amount");
    member_is(written(TG_PROBLEM_STRIPE, 152, TG_SPAN("/a/b/0")), "/error/param", "a[b][0]");
    member_is(written(TG_PROBLEM_STRIPE, 152, TG_SPAN("/a~1b/~0")), "/error/param", "a/b[~]");
    /* No escape, and the half of a character behind it must not be lost. */
    member_is(written(TG_PROBLEM_STRIPE, 152, TG_SPAN("/a~\xc3\xa9")), "/error/param", "a~\xc3\xa9");
    assert_null(tg_value_at(written(TG_PROBLEM_STRIPE, 152, TG_SPAN("")), TG_SPAN("/error/param")));
}

static void pointers_cannot_break_out(void **state)
{
    (void)state;
    static const char *const pointers[] = {"/a\"b", "/a\\b", "/\n\t\x01\x7f", "/\"},{\"title\":\"x", "/caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        member_is(written(TG_PROBLEM_PLAIN, 152, tg_span_string(pointers[i])), "/pointer", pointers[i]);
        (void)written(TG_PROBLEM_STRIPE, 152, tg_span_string(pointers[i]));
    }
    assert_null(tg_value_at(written(TG_PROBLEM_PLAIN, 152, TG_SPAN("/\xff")), TG_SPAN("/pointer")));
}

static void a_pointer_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    uint8_t text[255];
    memset(text, 1, sizeof text); /* six characters each when escaped */
    text[0] = '/';
    assert_null(tg_value_at(written(TG_PROBLEM_PLAIN, 152, tg_span(text, sizeof text)), TG_SPAN("/pointer")));
    assert_null(tg_value_at(written(TG_PROBLEM_STRIPE, 152, tg_span(text, sizeof text)), TG_SPAN("/pointer")));
    struct tg_buf out = tg_buf(memory, 20);
    struct tg_problem problem = {152, TG_PROBLEM_PLAIN, TG_SPAN(ID), TG_SPAN("/a")};
    assert_int_equal(tg_problem_write(&out, &problem), TG_ERR_ROOM);
}

static void every_reason_can_be_written(void **state)
{
    (void)state;
    size_t count = 0;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    for (size_t i = 0; i < count; i++) {
        (void)written(TG_PROBLEM_PLAIN, entries[i].code, TG_SPAN("/a"));
        (void)written(TG_PROBLEM_STRIPE, entries[i].code, TG_SPAN("/a"));
    }
}

static void only_what_is_safe_is_retried(void **state)
{
    (void)state;
    static const uint16_t yes[] = {104, 105, 163, 180, 200, 201, 202, 203, 204, 205};
    size_t count = 0;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    for (size_t i = 0; i < count; i++) {
        bool retry = false;
        for (size_t j = 0; j < sizeof yes / sizeof yes[0]; j++) {
            retry = retry || yes[j] == entries[i].code;
        }
        struct tg_span expected = retry ? TG_SPAN("true") : TG_SPAN("false");
        expected = entries[i].code == 0 ? TG_SPAN("") : expected;
        assert_true(tg_span_equal(tg_problem_should_retry(TG_PROBLEM_STRIPE, entries[i].code), expected));
        assert_int_equal(tg_problem_should_retry(TG_PROBLEM_PLAIN, entries[i].code).len, 0);
    }
}

static void content_types(void **state)
{
    (void)state;
    assert_true(tg_span_equal(tg_problem_content_type(TG_PROBLEM_PLAIN), TG_SPAN("application/problem+json")));
    assert_true(tg_span_equal(tg_problem_content_type(TG_PROBLEM_STRIPE), TG_SPAN("application/json")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_has_the_members_of_rfc_9457),
        cmocka_unit_test(unknown_outcomes_share_a_type),
        cmocka_unit_test(stripe_errors_raise_the_documented_class),
        cmocka_unit_test(stripe_parameters_have_brackets),
        cmocka_unit_test(pointers_cannot_break_out),
        cmocka_unit_test(a_pointer_that_does_not_fit_is_left_out),
        cmocka_unit_test(every_reason_can_be_written),
        cmocka_unit_test(only_what_is_safe_is_retried),
        cmocka_unit_test(content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
