/* media_type_test.c - Content-Type values that match, and those that only look alike. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/http/field.h"

static void matches(void **state)
{
    (void)state;
    static const char *const yes[] = {"application/json",
                                      "Application/JSON",
                                      "application/json; charset=utf-8",
                                      "application/json;charset=UTF-8",
                                      "application/json ; Charset=\"utf-8\"",
                                      "application/json; profile=x; charset=utf-8",
                                      "application/json\t;charset=utf-8 "};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(tg_media_type_is(tg_span_string(yes[i]), TG_SPAN("application/json")));
    }
}

static void does_not_match(void **state)
{
    (void)state;
    static const char *const no[] = {"",
                                     "application/jsonp",
                                     "application/json5",
                                     "application/ json",
                                     "text/json",
                                     "application/problem+json",
                                     "application/json, text/html",
                                     "application/json text",
                                     "application/json;",
                                     "application/json;;charset=utf-8",
                                     "application/json; charset",
                                     "application/json; charset=",
                                     "application/json; charset=\"\"",
                                     "application/json; charset=\"utf-8",
                                     "application/json; charset=\"ut\\f-8\"",
                                     "application/json; charset=utf-7",
                                     "application/json; charset=utf-16",
                                     "application/json; charset=iso-8859-1",
                                     "application/json; charset=utf-8; charset=utf-7",
                                     "application/json; charset=utf-8; charset=utf-8",
                                     "application/json; charset=utf-8x",
                                     "application/json; charset = utf-8",
                                     "multipart/form-data"};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(tg_media_type_is(tg_span_string(no[i]), TG_SPAN("application/json")));
    }
    assert_false(tg_media_type_is(TG_SPAN("application/json"), TG_SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches), cmocka_unit_test(does_not_match)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
