/*
 * conf_scan_test.c - words, quotes, comments, blocks, and texts that end in the middle.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/conf_scan.h"

static void test_directives(void **state)
{
    (void)state;
    struct tg_conf_scan scan = {.rest = TG_SPAN("# listen 1;\nhttp {\n  listen 127.0.0.1:8443 ssl # tls\n http2;\n"
                                                "  log_format x \"a;b {\" 'c\\'d';\n}\nuser www-data")};
    assert_true(tg_conf_scan_next(&scan));
    assert_true(tg_conf_scan_is(&scan, "http") && scan.count == 1);
    assert_true(tg_conf_scan_next(&scan));
    assert_true(tg_conf_scan_is(&scan, "listen") && scan.count == 4);
    assert_string_equal(scan.words[1], "127.0.0.1:8443");
    assert_string_equal(scan.words[3], "http2");
    assert_true(tg_conf_scan_next(&scan));
    assert_string_equal(scan.words[2], "a;b {");
    assert_string_equal(scan.words[3], "c'd");
    assert_true(tg_conf_scan_next(&scan));
    assert_true(tg_conf_scan_is(&scan, "user") && scan.count == 2);
    assert_false(tg_conf_scan_next(&scan));
    assert_false(tg_conf_scan_is(&scan, "user"));
}

static void test_bounds(void **state)
{
    (void)state;
    static char text[4096];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i < 1000 || i % 3 != 0 ? 'x' : ' ';
    }
    struct tg_conf_scan scan = {.rest = tg_span(text, sizeof(text))};
    assert_true(tg_conf_scan_next(&scan));
    assert_int_equal(scan.count, TG_CONF_WORDS_MAX);
    assert_int_equal(scan.words[0][TG_CONF_WORD_BYTES_MAX - 1], '\0');
    assert_false(tg_conf_scan_next(&scan));
    struct tg_conf_scan open = {.rest = TG_SPAN("a \"never closed \\")};
    assert_true(tg_conf_scan_next(&open));
    assert_int_equal(open.count, 2);
    assert_false(tg_conf_scan_next(&open));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directives),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
