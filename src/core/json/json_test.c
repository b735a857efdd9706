/* json_test.c - the grammar, what readers disagree on, limits, and where an error points. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

static uint8_t block[2 << 20];

static enum tg_reason parse(struct tg_span text, const struct tg_value **root, struct tg_json_place *place)
{
    struct tg_arena arena = tg_arena(block, tg_value_arena_size(text.len));
    return tg_json_parse(text, &arena, root, place);
}

static enum tg_reason verdict(const char *text)
{
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    enum tg_reason reason = parse(tg_span_string(text), &root, &place);
    assert_true((reason == TG_REASON_OK) == (root != NULL));
    return reason;
}

static void valid_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"null",
                                        " true ",
                                        "false",
                                        "0",
                                        "-0",
                                        "-1.5e+10",
                                        "1E-2",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "[[[]]]",
                                        "{\"a\":{\"a\":1}}",
                                        "\t\r\n [ 1 , 2 ] ",
                                        "\"\\u0000\"",
                                        "\"\x7f\"",
                                        "\"\\ud83d\\ude00\"",
                                        "{\"\":1}",
                                        "\"\xf4\x8f\xbf\xbf\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verdict(texts[i]), TG_REASON_OK);
    }
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "nul",
                                        "nulll",
                                        "True",
                                        "NaN",
                                        "Infinity",
                                        "-",
                                        "+1",
                                        "01",
                                        "-01",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "1e+",
                                        "0x10",
                                        "1_000",
                                        "1 2",
                                        "[1,]",
                                        "[,1]",
                                        "[1 2]",
                                        "[",
                                        "]",
                                        "{",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{1:1}",
                                        "{\"a\":1 \"b\":2}",
                                        "\"",
                                        "\"a",
                                        "\"\\\"",
                                        "\"\\x41\"",
                                        "\"\\u12\"",
                                        "\"\\u12G4\"",
                                        "\"\t\"",
                                        "\"\n\"",
                                        "'a'",
                                        "// c\n1",
                                        "/* c */1",
                                        "1//",
                                        "\xef\xbb\xbf{}",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\ud800\\ud800\"",
                                        "\"\\ud800x\"",
                                        "\"\\udc00\\ud800\"",
                                        "\"\\ud83d\\u0041\"",
                                        "[\"a\",\n4\n,1,",
                                        "\f1",
                                        "\xc2\xa0\x31",
                                        "{\"a\":1}}",
                                        "[]]"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verdict(texts[i]), TG_REASON_JSON_SYNTAX);
    }
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    assert_int_equal(parse(tg_span("1\0", 2), &root, &place), TG_REASON_JSON_SYNTAX);
    assert_int_equal(parse(tg_span("\"a\0b\"", 5), &root, &place), TG_REASON_JSON_SYNTAX);
}

static void bytes_that_are_not_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"\xff\"",     "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                                        "\"\xe2\x82\"", "\"\x80\"",     "{\"\xfe\":1}",     "\"\xf0\x80\x80\x80\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verdict(texts[i]), TG_REASON_ENCODING);
    }
}

static void duplicates_are_compared_unescaped(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"a\":1,\"a\":2}",
                                        "{\"a\":1,\"\\u0061\":2}",
                                        "{\"\":1,\"\":1}",
                                        "[{\"x\":{\"b\":1,\"c\":2,\"b\":1}}]",
                                        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
                                        "{\"a\\/b\":1,\"a/b\":2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(verdict(texts[i]), TG_REASON_JSON_DUPLICATE_MEMBER);
    }
    assert_int_equal(verdict("{\"a\":1,\"A\":2,\"a \":3}"), TG_REASON_OK);
}

static void text_is_kept_exactly(void **state)
{
    (void)state;
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    struct tg_span text = TG_SPAN("{\"n\":-1.50e+02,\"s\":\"a\\n\\u20ac\\ud83d\\ude00\\\\z\",\"p\":\"plain\"}");
    assert_int_equal(parse(text, &root, &place), TG_REASON_OK);
    assert_true(tg_span_equal(tg_value_at(root, TG_SPAN("/n"))->text, TG_SPAN("-1.50e+02")));
    assert_true(tg_span_equal(tg_value_at(root, TG_SPAN("/s"))->text, TG_SPAN("a\n\xe2\x82\xac\xf0\x9f\x98\x80\\z")));
    struct tg_span plain = tg_value_at(root, TG_SPAN("/p"))->text;
    assert_true(plain.ptr > text.ptr && plain.ptr < text.ptr + text.len);
}

static void errors_point_at_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pointer;
        size_t offset;
    } rows[] = {
        {"{\"a\":{\"b\":[1,x]}}", "/a/b/1", 13},
        {"{\"a\":1,\"a\":2}", "/a", 10},
        {"{\"a\":tru}", "/a", 5},
        {"{\"a\":1", "", 6},
        {"{\"a/b\":{\"c~d\":\"\xff\"}}", "/a~1b/c~0d", 15},
        {"", "", 0},
        {"{\"a\":[1,2", "/a", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tg_value *root = NULL;
        struct tg_json_place place;
        assert_int_not_equal(parse(tg_span_string(rows[i].text), &root, &place), TG_REASON_OK);
        uint8_t memory[64];
        struct tg_buf out = tg_buf(memory, sizeof memory);
        tg_value_pointer_write(&out, place.value);
        assert_true(tg_span_equal(tg_buf_span(&out), tg_span_string(rows[i].pointer)));
        assert_int_equal(place.offset, rows[i].offset);
    }
}

/* A text of count times unit, then tail. */
static enum tg_reason repeated(const char *head, const char *unit, size_t count, const char *tail)
{
    size_t unit_len = strlen(unit);
    size_t cap = strlen(head) + unit_len * count + strlen(tail);
    char *text = malloc(cap + 1);
    assert_non_null(text);
    struct tg_buf out = tg_buf(text, cap);
    tg_buf_put_string(&out, head);
    for (size_t i = 0; i < count; i++) {
        tg_buf_put_string(&out, unit);
    }
    tg_buf_put_string(&out, tail);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    enum tg_reason reason = parse(tg_buf_span(&out), &root, &place);
    free(text);
    return reason;
}

static void limits_hold(void **state)
{
    (void)state;
    assert_int_equal(repeated("", "[", 100000, ""), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("", "{\"a\":", 100000, ""), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("", "[", TG_VALUE_DEPTH_MAX + 1, ""), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("", "[", TG_VALUE_DEPTH_MAX, ""), TG_REASON_JSON_SYNTAX);
    assert_int_equal(repeated("[0", ",0", TG_VALUE_CHILDREN_MAX - 1, "]"), TG_REASON_OK);
    assert_int_equal(repeated("[0", ",0", TG_VALUE_CHILDREN_MAX, "]"), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("[[]", ",[0,0,0,0,0,0,0,0,0]", 1000, "]"), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("\"", "a", TG_JSON_STRING_BYTES_MAX, "\""), TG_REASON_OK);
    assert_int_equal(repeated("\"", "a", TG_JSON_STRING_BYTES_MAX + 1, "\""), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("\"\\n", "a", TG_JSON_STRING_BYTES_MAX, "\""), TG_REASON_JSON_LIMIT);
    assert_int_equal(repeated("1", "0", TG_JSON_NUMBER_CHARS_MAX - 1, ""), TG_REASON_OK);
    assert_int_equal(repeated("1", "0", TG_JSON_NUMBER_CHARS_MAX, ""), TG_REASON_JSON_LIMIT);
}

static void a_small_arena_is_a_limit(void **state)
{
    (void)state;
    struct tg_span text = TG_SPAN("{\"a\":[1,2,{\"b\":\"\\n\"}]}");
    for (size_t cap = 0; cap < 400; cap += 8) {
        struct tg_arena arena = tg_arena(block, cap);
        const struct tg_value *root = NULL;
        struct tg_json_place place;
        assert_int_equal(tg_json_parse(text, &arena, &root, &place), TG_REASON_JSON_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts),
        cmocka_unit_test(broken_texts),
        cmocka_unit_test(bytes_that_are_not_utf8),
        cmocka_unit_test(duplicates_are_compared_unescaped),
        cmocka_unit_test(text_is_kept_exactly),
        cmocka_unit_test(errors_point_at_the_place),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_small_arena_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
