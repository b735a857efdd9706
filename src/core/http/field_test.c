/* field_test.c - names, values, trust, lengths, trace and request ids. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/http/field.h"

static void names_are_tokens(void **state)
{
    (void)state;
    assert_true(tg_field_name_ok(TG_SPAN("Idempotency-Key")));
    assert_true(tg_field_name_ok(TG_SPAN("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(tg_field_name_ok(TG_SPAN("")));
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t name[3] = {'a', (uint8_t)byte, 'b'};
        bool token =
            byte != 0 && byte < 0x80 &&
            strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", (int)byte) != NULL;
        assert_int_equal(tg_field_name_ok(tg_span(name, 3)), token);
    }
}

static void values_hold_no_controls(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t value[3] = {'a', (uint8_t)byte, 'b'};
        bool ok = (byte >= 0x20 && byte != 0x7f) || byte == '\t';
        assert_int_equal(tg_field_value_ok(tg_span(value, 3)), ok);
    }
    assert_true(tg_field_value_ok(TG_SPAN("")));
    assert_false(tg_field_value_ok(TG_SPAN(" a")));
    assert_false(tg_field_value_ok(TG_SPAN("a\t")));
    assert_false(tg_field_value_ok(TG_SPAN("a\r\n b")));
}

static void overrides_are_among_the_trust_fields(void **state)
{
    (void)state;
    static const char *const yes[] = {"X-HTTP-Method-Override", "x_http_method", "X-Method-Override", "X-Original-URL",
                                      "X-Rewrite-Url"};
    static const char *const no[] = {"X-Forwarded-For", "Tollgate-Request-Id", "X-Method", "X-Method-Overrides"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(tg_field_is_override(tg_span_string(yes[i])) && tg_field_is_trust(tg_span_string(yes[i])));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(tg_field_is_override(tg_span_string(no[i])));
    }
}

static void trust_fields_are_known_in_every_spelling(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "Forwarded",         "X-Forwarded-For",     "x_forwarded_for",   "X-FORWARDED_Proto", "X-Real-IP",
        "x_real_ip",         "Client-Cert",         "client_cert_chain", "X-SSL-Client-S",    "x-ssl_verify",
        "X-Tollgate-Id",     "tollgate_request_id", "X-Forwarded",       "X-HTTP-Method",     "x-http-method-override",
        "X_Method_Override", "X-Original-URL",      "X-Rewrite-URL"};
    static const char *const no[] = {
        "",         "Forward", "X-Real-IPs",     "Forwarded-By",   "X-Request-Id", "Authorization",
        "tollgate", "x-ssl",   "xforwarded-for", "Idempotency-Key"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(tg_field_is_trust(tg_span_string(yes[i])));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(tg_field_is_trust(tg_span_string(no[i])));
    }
}

static void content_length_is_digits(void **state)
{
    (void)state;
    uint64_t length = 0;
    assert_int_equal(tg_content_length_parse(TG_SPAN("0"), &length), TG_OK);
    assert_int_equal(length, 0);
    assert_int_equal(tg_content_length_parse(TG_SPAN("00230"), &length), TG_OK);
    assert_int_equal(length, 230);
    assert_int_equal(tg_content_length_parse(TG_SPAN("18446744073709551615"), &length), TG_OK);
    assert_true(length == UINT64_MAX);
    assert_int_equal(tg_content_length_parse(TG_SPAN("18446744073709551616"), &length), TG_ERR_LIMIT);
    static const char *const bad[] = {
        "", "+5", "-5", "5,5", "5, 5", " 5", "5 ", "0x5", "5a", "1e2", "99999999999999999999x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(tg_content_length_parse(tg_span_string(bad[i]), &length), TG_ERR_INPUT);
    }
}

static void traceparent_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false},
        {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(tg_traceparent_ok(tg_span_string(rows[i].text)), rows[i].ok);
    }
}

static void client_request_ids_are_plain(void **state)
{
    (void)state;
    assert_true(tg_client_request_id_ok(TG_SPAN("req_1.A-z")));
    uint8_t text[65];
    memset(text, 'a', sizeof text);
    assert_true(tg_client_request_id_ok(tg_span(text, 64)));
    assert_false(tg_client_request_id_ok(tg_span(text, 65)));
    static const char *const bad[] = {"", "a b", "a\"b", "a\nb", "a/b", "\xc3\xa9", "a;b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(tg_client_request_id_ok(tg_span_string(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_hold_no_controls),
        cmocka_unit_test(trust_fields_are_known_in_every_spelling),
        cmocka_unit_test(overrides_are_among_the_trust_fields),
        cmocka_unit_test(content_length_is_digits),
        cmocka_unit_test(traceparent_is_checked),
        cmocka_unit_test(client_request_ids_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
