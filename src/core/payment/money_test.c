/* money_test.c - currencies, minor units and decimals; everything that is not exactly an amount. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/payment/money.h"

static void currencies_have_their_exponent(void **state)
{
    (void)state;
    static const struct {
        const char *code, *upper;
        uint8_t exponent;
    } rows[] = {{"EUR", "EUR", 2}, {"usd", "USD", 2}, {"JPY", "JPY", 0}, {"jpy", "JPY", 0},
                {"BHD", "BHD", 3}, {"KWD", "KWD", 3}, {"AED", "AED", 2}, {"ZWG", "ZWG", 2},
                {"XCG", "XCG", 2}, {"XOF", "XOF", 0}, {"HUF", "HUF", 2}, {"ISK", "ISK", 0},
                {"MRU", "MRU", 2}, {"TND", "TND", 3}, {"uGx", "UGX", 0}, {"SLE", "SLE", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char code[4];
        uint8_t exponent = 9;
        assert_int_equal(tg_currency_find(tg_span_string(rows[i].code), code, &exponent), TG_OK);
        assert_string_equal(code, rows[i].upper);
        assert_int_equal(exponent, rows[i].exponent);
    }
}

static void what_one_cannot_pay_in(void **state)
{
    (void)state;
    static const char *const none[] = {"",    "EU",  "EURO",      "XXX", "XTS", "XAU", "XAG", "XDR", "XSU", "BOV",
                                       "CHE", "CLF", "USN",       "UYI", "UYW", "MXV", "COU", "DEM", "HRK", "ZWL",
                                       "ANG", "E R", "E\xc3\xa9", "eu1", "UR ", "AAA", "ZZZ", "EDA", "DAF"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        char code[4] = "old";
        uint8_t exponent = 9;
        assert_int_equal(tg_currency_find(tg_span_string(none[i]), code, &exponent), TG_ERR_ABSENT);
        assert_string_equal(code, "");
        assert_int_equal(exponent, 0);
    }
}

static void minor_units(void **state)
{
    (void)state;
    int64_t amount = -1;
    assert_int_equal(tg_amount_minor_parse(TG_SPAN("0"), &amount), TG_OK);
    assert_int_equal(amount, 0);
    assert_int_equal(tg_amount_minor_parse(TG_SPAN("1050"), &amount), TG_OK);
    assert_int_equal(amount, 1050);
    assert_int_equal(tg_amount_minor_parse(TG_SPAN("999999999999999"), &amount), TG_OK);
    assert_true(amount == TG_AMOUNT_MINOR_MAX);
    static const char *const bad[] = {"",
                                      "-1",
                                      "-0",
                                      "+1",
                                      "1e2",
                                      "1E2",
                                      "1.0",
                                      "10.",
                                      "0x10",
                                      " 100",
                                      "100 ",
                                      "1,000",
                                      "1_000",
                                      "01",
                                      "00",
                                      "NaN",
                                      "Infinity",
                                      "true",
                                      "1000000000000000",
                                      "9007199254740993",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "18446744073709551617",
                                      "1e308",
                                      "\xef\xbc\x91\xef\xbc\x90"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        amount = 7;
        assert_int_equal(tg_amount_minor_parse(tg_span_string(bad[i]), &amount), TG_ERR_INPUT);
        assert_int_equal(amount, 0);
    }
    assert_int_equal(tg_amount_minor_parse(tg_span("100\0", 4), &amount), TG_ERR_INPUT);
}

static void decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t exponent;
        int64_t amount; /* -1: refused */
    } rows[] = {{"10.50", 2, 1050},
                {"10.5", 2, 1050},
                {"10", 2, 1000},
                {"0.01", 2, 1},
                {"0", 2, 0},
                {"0.00", 2, 0},
                {"100", 0, 100},
                {"1.234", 3, 1234},
                {"1.2", 3, 1200},
                {"10.505", 2, -1},
                {"1.005", 2, -1},
                {"10.", 2, -1},
                {".5", 2, -1},
                {"1.5", 0, -1},
                {"1.", 0, -1},
                {"-1.00", 2, -1},
                {"-0", 2, -1},
                {"+1", 2, -1},
                {"01.00", 2, -1},
                {"1e2", 2, -1},
                {"1.5e1", 2, -1},
                {"1.2.3", 2, -1},
                {"1,50", 2, -1},
                {"", 2, -1},
                {".", 2, -1},
                {" 1", 2, -1},
                {"1 ", 2, -1},
                {"9999999999999.99", 2, 999999999999999},
                {"10000000000000.00", 2, -1},
                {"10000000000000", 2, -1},
                {"999999999999999", 0, 999999999999999},
                {"1000000000000000", 0, -1},
                {"99999999999999999999999", 2, -1},
                {"1", 5, -1},
                {"1.0000", 4, 10000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t amount = 7;
        enum tg_err err = tg_amount_decimal_parse(tg_span_string(rows[i].text), rows[i].exponent, &amount);
        assert_int_equal(err, rows[i].amount < 0 ? TG_ERR_INPUT : TG_OK);
        assert_true(amount == (rows[i].amount < 0 ? 0 : rows[i].amount));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_their_exponent),
        cmocka_unit_test(what_one_cannot_pay_in),
        cmocka_unit_test(minor_units),
        cmocka_unit_test(decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
