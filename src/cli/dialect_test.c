/*
 * dialect_test.c - bodies, paths and amounts made from a profile.
 */
#include "cli/dialect.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const struct tg_operation json_operation = {.body = TG_BODY_JSON,
                                                   .path = {(const uint8_t *)"/v1/p/{id}/x", 12},
                                                   .amount_kind = TG_AMOUNT_MINOR,
                                                   .amount = {(const uint8_t *)"/amount", 7},
                                                   .currency = {(const uint8_t *)"/money/currency", 15},
                                                   .payee = {(const uint8_t *)"/payee/account", 14}};

static void assert_text(const struct tg_buf *buf, const char *text)
{
    assert_true(tg_span_equal(tg_buf_span(buf), tg_span_string(text)));
}

static void test_json(void **state)
{
    struct tg_dialect_wish wish = {.amount = "1050", .currency = "EUR", .payee = "a \"b\""};
    char bytes[400];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(tg_dialect_body(&json_operation, &wish, &out), TG_OK);
    assert_text(&out, "{\"amount\":1050,\"money\":{\"currency\":\"EUR\"},\"payee\":{\"account\":\"a \\\"b\\\"\"}}");
    wish = (struct tg_dialect_wish){.amount = "1e2", .amount_raw = true};
    out.len = 0;
    assert_int_equal(tg_dialect_body(&json_operation, &wish, &out), TG_OK);
    assert_text(&out, "{\"amount\":1e2}");
}

static void test_form(void **state)
{
    struct tg_operation operation = json_operation;
    const struct tg_dialect_wish wish = {.amount = "5", .currency = "eur", .payee = "a&b"};
    char bytes[400];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));

    (void)state;
    operation.body = TG_BODY_FORM;
    assert_int_equal(tg_dialect_body(&operation, &wish, &out), TG_OK);
    assert_text(&out, "amount=5&money[currency]=eur&payee[account]=a%26b");
    operation.body = TG_BODY_NONE;
    out.len = 0;
    assert_int_equal(tg_dialect_body(&operation, &wish, &out), TG_OK);
    assert_int_equal(out.len, 0);
}

static void test_path(void **state)
{
    char bytes[100];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(tg_dialect_path(&json_operation, "pay_1", &out), TG_OK);
    assert_text(&out, "/v1/p/pay_1/x");
    assert_int_equal(tg_dialect_path(&json_operation, NULL, &out), TG_ERR_INPUT);
    assert_int_equal(tg_dialect_path(&json_operation, "a/b", &out), TG_ERR_INPUT);
}

static void test_amount(void **state)
{
    struct tg_operation operation = json_operation;
    char bytes[40];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(tg_dialect_amount(&operation, 1005, 2, &out), TG_OK);
    assert_text(&out, "1005");
    operation.amount_kind = TG_AMOUNT_DECIMAL;
    out.len = 0;
    assert_int_equal(tg_dialect_amount(&operation, 1005, 2, &out), TG_OK);
    assert_text(&out, "10.05");
    out.len = 0;
    assert_int_equal(tg_dialect_amount(&operation, 5, 3, &out), TG_OK);
    assert_text(&out, "0.005");
    out.len = 0;
    assert_int_equal(tg_dialect_amount(&operation, 500, 0, &out), TG_OK);
    assert_text(&out, "500");
}

static void test_broken_profile(void **state)
{
    struct tg_dialect dialect;
    struct tg_profile_error why = {.text = ""};

    (void)state;
    assert_int_not_equal(tg_dialect_parse(TG_SPAN("{}"), &dialect, &why), TG_OK);
    assert_null(dialect.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json), cmocka_unit_test(test_form),
                                       cmocka_unit_test(test_path), cmocka_unit_test(test_amount),
                                       cmocka_unit_test(test_broken_profile)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
