/* idempotency_key_test.c - raw and quoted keys, and keys that must stay two. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/http/field.h"

static struct tg_span parsed(const char *text, uint8_t *unquoted)
{
    struct tg_span key = {0};
    assert_int_equal(tg_idempotency_key_parse(tg_span_string(text), 255, unquoted, &key), TG_OK);
    return key;
}

static void raw_and_quoted_are_one_key(void **state)
{
    (void)state;
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    assert_true(tg_span_equal(parsed("abc-1", unquoted), TG_SPAN("abc-1")));
    assert_true(tg_span_equal(parsed("\"abc-1\"", unquoted), TG_SPAN("abc-1")));
    assert_true(tg_span_equal(parsed("\"a b\"", unquoted), TG_SPAN("a b")));
    assert_true(tg_span_equal(parsed("a\"b", unquoted), TG_SPAN("a\"b")));
    assert_true(tg_span_equal(parsed("\"a\\\"b\\\\\"", unquoted), TG_SPAN("a\"b\\")));
    assert_true(tg_span_equal(parsed("\" \"", unquoted), TG_SPAN(" ")));
}

static void nothing_is_folded(void **state)
{
    (void)state;
    uint8_t one[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    uint8_t two[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    assert_false(tg_span_equal(parsed("Key", one), parsed("key", two)));
    assert_false(tg_span_equal(parsed("\"key \"", one), parsed("\"key\"", two)));
    assert_false(tg_span_equal(parsed("a\\\"b", one), parsed("\"a\\\"b\"", two)));
}

static void bad_keys_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "\"",          "\"\"",         "\"a",       "\"a\"b",      "\"a\\\"", "\"a\\n\"",
        "\"a\\",    " a",          "a ",           "a\tb",      "a\nb",        "a\x7f",   "\x01",
        "\"a\tb\"", "caf\xc3\xa9", "\"\xc3\xa9\"", "\"a\";p=1", "\"a\",\"b\"", "\"a\" "};
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tg_span key = TG_SPAN("left");
        assert_int_equal(tg_idempotency_key_parse(tg_span_string(bad[i]), 255, unquoted, &key), TG_ERR_INPUT);
        assert_int_equal(key.len, 0);
    }
    struct tg_span key = {0};
    assert_int_equal(tg_idempotency_key_parse(tg_span("a\0b", 3), 255, unquoted, &key), TG_ERR_INPUT);
}

static void length_is_that_of_the_unquoted_key(void **state)
{
    (void)state;
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    uint8_t text[600];
    struct tg_span key = {0};
    memset(text, 'k', sizeof text);
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 255), 255, unquoted, &key), TG_OK);
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 256), 255, unquoted, &key), TG_ERR_LIMIT);
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 256), 9999, unquoted, &key), TG_ERR_LIMIT);
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 41), 40, unquoted, &key), TG_ERR_LIMIT);
    text[0] = '"';
    text[256] = '"';
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 257), 255, unquoted, &key), TG_OK);
    assert_int_equal(key.len, 255);
    for (size_t i = 1; i < 511; i++) {
        text[i] = i % 2 == 1 ? '\\' : '"';
    }
    text[511] = '"';
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 512), 255, unquoted, &key), TG_OK);
    assert_int_equal(key.len, 255);
    text[511] = '\\';
    text[512] = '"';
    text[513] = '"';
    assert_int_equal(tg_idempotency_key_parse(tg_span(text, 514), 255, unquoted, &key), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_and_quoted_are_one_key),
        cmocka_unit_test(nothing_is_folded),
        cmocka_unit_test(bad_keys_are_refused),
        cmocka_unit_test(length_is_that_of_the_unquoted_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
