/* profile_match_test.c - which operation, 404 or 405, whatever the order of the profile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "core/payment/profile_sample.h"

static struct tg_profile_error why;

#define OPERATION(name, method, path)                                                                                  \
    "{\"name\":\"" name "\",\"method\":\"" method "\",\"path\":\"" path "\",\"body\":\"none\"}"

static void match_is(const struct tg_profile *profile, const char *method, const char *path, const char *name,
                     bool known)
{
    bool path_known = !known;
    const struct tg_operation *operation =
        tg_profile_match(profile, tg_span_string(method), tg_span_string(path), &path_known);
    assert_int_equal(path_known, known);
    if (name == NULL) {
        assert_null(operation);
    } else {
        assert_non_null(operation);
        assert_true(tg_span_equal(operation->name, tg_span_string(name)));
    }
}

static void operations_are_found(void **state)
{
    (void)state;
    const struct tg_profile *profile = profile_sample(
        OPERATION("read", "GET", "/v1/p/{id}") "," OPERATION("search", "GET", "/v1/p/search") "," OPERATION(
            "make", "POST", "/v1/p") "," OPERATION("list", "GET", "/v1/p") "," OPERATION("capture", "POST",
                                                                                         "/v1/p/{id}/capture"),
        "", &why);
    assert_non_null(profile);
    match_is(profile, "GET", "/v1/p/x1", "read", true);
    match_is(profile, "GET", "/v1/p/search", "search", true);
    match_is(profile, "GET", "/v1/p", "list", true);
    match_is(profile, "POST", "/v1/p", "make", true);
    match_is(profile, "POST", "/v1/p/x/capture", "capture", true);
    match_is(profile, "GET", "/v1/p/x/capture", NULL, true);
    match_is(profile, "DELETE", "/v1/p", NULL, true);
    match_is(profile, "get", "/v1/p", NULL, true);
    match_is(profile, "HEAD", "/v1/p/x", NULL, true);
    match_is(profile, "GET", "/v1/q", NULL, false);
    match_is(profile, "GET", "/", NULL, false);
    match_is(profile, "GET", "", NULL, false);
}

static void unsafe_paths_match_nothing(void **state)
{
    (void)state;
    const struct tg_profile *profile = profile_sample(OPERATION("read", "GET", "/v1/p/{id}"), "", &why);
    static const char *const bad[] = {"/v1//p/x",    "/v1/./p/x", "/v1/p/..",     "/v1/p/x/../y", "/v1/p/a%2Fb",
                                      "/v1/p/a%5cb", "/v1/p/%00", "/v1/p/x/",     "/v1/p/",       "/v1/p/x?y",
                                      "/v1/p/\xff",  "/V1/p/x",   "/v1/p/%2e%2e", "/v1/p/..;x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        match_is(profile, "GET", bad[i], NULL, false);
    }
    match_is(profile, "GET", "/v1/p/a%20b", "read", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_found),
        cmocka_unit_test(unsafe_paths_match_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
