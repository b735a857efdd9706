/* value_test.c - trees, pointers, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/json/json.h"

static uint8_t block[1 << 20];

static const struct tg_value *parsed(const char *text)
{
    struct tg_arena arena = tg_arena(block, sizeof block);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    assert_int_equal(tg_json_parse(tg_span_string(text), &arena, &root, &place), TG_REASON_OK);
    return root;
}

/* The document and the pointers of RFC 6901 5. */
static const char example[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
                              "\"k\\\"l\":6,\" \":7,\"m~n\":8}";

static void pointers_of_rfc_6901(void **state)
{
    (void)state;
    static const struct {
        const char *pointer, *text;
    } rows[] = {{"/foo/0", "bar"}, {"/foo/1", "baz"}, {"/", "0"},     {"/a~1b", "1"}, {"/c%d", "2"}, {"/e^f", "3"},
                {"/g|h", "4"},     {"/i\\j", "5"},    {"/k\"l", "6"}, {"/ ", "7"},    {"/m~0n", "8"}};
    const struct tg_value *root = parsed(example);
    assert_ptr_equal(tg_value_at(root, TG_SPAN("")), root);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tg_value *value = tg_value_at(root, tg_span_string(rows[i].pointer));
        assert_non_null(value);
        assert_true(tg_span_equal(value->text, tg_span_string(rows[i].text)));
        uint8_t memory[64];
        struct tg_buf out = tg_buf(memory, sizeof memory);
        tg_value_pointer_write(&out, value);
        assert_true(tg_span_equal(tg_buf_span(&out), tg_span_string(rows[i].pointer)));
    }
}

static void pointers_to_nothing(void **state)
{
    (void)state;
    static const char *const none[] = {"foo",   "/foo/2",          "/foo/00", "/foo/01", "/foo/-", "/foo/-1",
                                       "/foo/", "/foo/0/x",        "/fo",     "/fooo",   "/m~n",   "/m~2n",
                                       "/a/b",  "/foo/4294967296", "//",      "/\xff"};
    const struct tg_value *root = parsed(example);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_null(tg_value_at(root, tg_span_string(none[i])));
    }
    assert_null(tg_value_at(NULL, TG_SPAN("")));
    assert_null(tg_value_member(NULL, TG_SPAN("a")));
    assert_null(tg_value_member(tg_value_at(root, TG_SPAN("/foo")), TG_SPAN("")));
}

static void long_pointers_stop_at_a_token(void **state)
{
    (void)state;
    const struct tg_value *root = parsed("{\"abc\":{\"defghi\":1}}");
    uint8_t memory[8];
    struct tg_buf out = tg_buf(memory, sizeof memory);
    tg_value_pointer_write(&out, tg_value_at(root, TG_SPAN("/abc/defghi")));
    assert_false(out.over);
    assert_true(tg_span_equal(tg_buf_span(&out), TG_SPAN("/abc")));
    out.len = 0;
    tg_value_pointer_write(&out, NULL);
    assert_int_equal(out.len, 0);
}

static void walk_sees_every_value_once(void **state)
{
    (void)state;
    const struct tg_value *root = parsed("{\"a\":[1,[2,3],{}],\"b\":{\"c\":4},\"d\":5}");
    size_t count = 0;
    char numbers[8] = {0};
    size_t at = 0;
    for (const struct tg_value *value = root; value != NULL; value = tg_value_walk(root, value)) {
        count++;
        if (value->kind == TG_VALUE_NUMBER) {
            numbers[at++] = (char)value->text.ptr[0];
        }
    }
    assert_int_equal(count, 10);
    assert_string_equal(numbers, "12345");
    const struct tg_value *part = tg_value_at(root, TG_SPAN("/b"));
    assert_null(tg_value_walk(part, tg_value_at(root, TG_SPAN("/b/c"))));
}

static void children_are_bounded(void **state)
{
    (void)state;
    struct tg_arena arena = tg_arena(block, sizeof block);
    struct tg_value *root = tg_value_add(&arena, NULL, TG_VALUE_ARRAY);
    for (size_t i = 0; i < TG_VALUE_CHILDREN_MAX; i++) {
        assert_non_null(tg_value_add(&arena, root, TG_VALUE_NULL));
    }
    assert_null(tg_value_add(&arena, root, TG_VALUE_NULL));
    struct tg_arena empty = tg_arena(block, 8);
    assert_null(tg_value_add(&empty, NULL, TG_VALUE_NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_of_rfc_6901),          cmocka_unit_test(pointers_to_nothing),
        cmocka_unit_test(long_pointers_stop_at_a_token), cmocka_unit_test(walk_sees_every_value_once),
        cmocka_unit_test(children_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
