/* template_test.c - paths that fit, and paths that two servers would read as two. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/http/template.h"

static void templates_match_whole_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path_template, *path;
        bool fits;
    } rows[] = {
        {"/v1/payments", "/v1/payments", true},
        {"/v1/payments", "/v1/payment", false},
        {"/v1/payments", "/v1/paymentsx", false},
        {"/v1/payments", "/v1/payments/x", false},
        {"/v1/payments", "/v1/Payments", false},
        {"/v1/payments", "/v1", false},
        {"/v1/payments/{id}", "/v1/payments/p_1", true},
        {"/v1/payments/{id}", "/v1/payments/a%20b", true},
        {"/v1/payments/{id}", "/v1/payments", false},
        {"/v1/payments/{id}", "/v1/payments/a/b", false},
        {"/v1/payments/{id}/capture", "/v1/payments/p1/capture", true},
        {"/v1/payments/{id}/capture", "/v1/payments/p1/captur", false},
        {"/v1/payments/{id}/capture", "/v1/payments/capture", false},
        {"/{a}/{b}", "/x/y", true},
        {"/{a}/{b}", "/x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tg_span path = tg_span_string(rows[i].path);
        assert_true(tg_path_ok(path));
        assert_int_equal(tg_template_matches(tg_span_string(rows[i].path_template), path), rows[i].fits);
    }
}

static void unsafe_paths_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/",
                                      "v1",
                                      "/v1/",
                                      "//v1",
                                      "/v1//x",
                                      "/v1/./x",
                                      "/v1/../x",
                                      "/.",
                                      "/..",
                                      "/v1/..",
                                      "/v1/%2Fx",
                                      "/v1/%2fx",
                                      "/v1/%5Cx",
                                      "/v1/%5cx",
                                      "/v1/%00",
                                      "/v1/%2e%2e/x",
                                      "/v1/%2E",
                                      "/v1/a%3Bb",
                                      "/v1/..;/x",
                                      "/v1/a;b",
                                      "/v1/%25%32%46",
                                      "/v1/%0a",
                                      "/v1/%73earch",
                                      "/v1/%2D",
                                      "/v1/%7e",
                                      "/v1/%c0%af",
                                      "/v1/%c3",
                                      "/v1/%c3a9",
                                      "/v1/%e0%80%af",
                                      "/v1/%ed%a0%80",
                                      "/v1/%ff",
                                      "/v1/%7f",
                                      "/v1/%",
                                      "/v1/%2",
                                      "/v1/%g0",
                                      "/v1/%0",
                                      "/v1/a\\b",
                                      "/v1/a b",
                                      "/v1/a?b",
                                      "/v1/a#b",
                                      "/v1/\x01",
                                      "/v1/caf\xc3\xa9",
                                      "/v1/\"",
                                      "/v1/<",
                                      "/v1/{id}",
                                      "/v1/^",
                                      "/v1/|",
                                      "/v1/`"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(tg_path_ok(tg_span_string(bad[i])));
    }
    assert_false(tg_path_ok(tg_span("/v1\0x", 5)));
    assert_true(tg_path_ok(TG_SPAN("/v1/a-._~!$&'()*+,=:@%20")));
    assert_true(tg_path_ok(TG_SPAN("/v1/caf%C3%A9%20%f0%9f%98%80%40")));
    assert_true(tg_path_ok(TG_SPAN("/v1/...")));
}

static void templates_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"/v1", "/v1/{id}", "/{a}/{b}/c"};
    static const char *const bad[] = {"",        "/",       "v1",        "/v1/",      "/v1//x",
                                      "/v1/{}",  "/v1/{id", "/v1/x{id}", "/v1/{id}x", "/v1/{a}{b}",
                                      "/v1/%20", "/v1/..",  "/v1/a b",   "/v1/{..}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(tg_template_ok(tg_span_string(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(tg_template_ok(tg_span_string(bad[i])));
    }
}

static void literals_go_before_variables(void **state)
{
    (void)state;
    assert_true(tg_template_compare(TG_SPAN("/v1/search"), TG_SPAN("/v1/{id}")) < 0);
    assert_true(tg_template_compare(TG_SPAN("/v1/{id}"), TG_SPAN("/v1/search")) > 0);
    assert_true(tg_template_compare(TG_SPAN("/a/{x}/c"), TG_SPAN("/{x}/b/c")) < 0);
    assert_int_equal(tg_template_compare(TG_SPAN("/a/{x}"), TG_SPAN("/a/{y}")), 0);
    assert_int_not_equal(tg_template_compare(TG_SPAN("/a/{x}"), TG_SPAN("/a/{y}/b")), 0);
    assert_int_not_equal(tg_template_compare(TG_SPAN("/a"), TG_SPAN("/b")), 0);
}

static void queries_are_uri_bytes(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a=b&c=d", "expand[]=x&created[gte]=1", "a=%20c+d&&e", "/?:@!$'()*,;=~-._"};
    static const char *const bad[] = {"%", "a=%4", "%zz", "a b", "#", "\"",   "<",    ">", "\\",
                                      "^", "`",    "{",   "|",   "}", "\x7f", "\xff", "\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(tg_query_ok(tg_span_string(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(tg_query_ok(tg_span_string(bad[i])));
    }
    assert_false(tg_query_ok(tg_span("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_uri_bytes),        cmocka_unit_test(templates_match_whole_paths),
        cmocka_unit_test(unsafe_paths_are_refused),     cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(literals_go_before_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
