/* form_test.c - pairs, brackets, and what readers of forms disagree on. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/form/form.h"

static uint8_t block[2 << 20];

static enum tg_reason parse(struct tg_span text, const struct tg_value **root, const struct tg_value **where)
{
    struct tg_arena arena = tg_arena(block, tg_value_arena_size(text.len));
    return tg_form_parse(text, &arena, root, where);
}

static void member_is(const struct tg_value *root, const char *pointer, const char *text)
{
    const struct tg_value *value = tg_value_at(root, tg_span_string(pointer));
    assert_non_null(value);
    assert_int_equal(value->kind, TG_VALUE_STRING);
    assert_true(tg_span_equal(value->text, tg_span_string(text)));
}

static void brackets_nest(void **state)
{
    (void)state;
    const struct tg_value *root = NULL;
    const struct tg_value *where = NULL;
    struct tg_span text =
        TG_SPAN("amount=1050&transfer_data[destination]=acct_1&a%5Bb%5D%5Bc%5D=%26%3D%25&l[]=x&l[]=y&i[0]=p&i[1][k]=q"
                "&metadata[order+id]=7&empty=&eq=a=b&sp=a+b%20c&u=%E2%82%AC");
    assert_int_equal(parse(text, &root, &where), TG_REASON_OK);
    member_is(root, "/amount", "1050");
    member_is(root, "/transfer_data/destination", "acct_1");
    member_is(root, "/a/b/c", "&=%");
    member_is(root, "/l/0", "x");
    member_is(root, "/l/1", "y");
    member_is(root, "/i/0", "p");
    member_is(root, "/i/1/k", "q");
    member_is(root, "/metadata/order id", "7");
    member_is(root, "/empty", "");
    member_is(root, "/eq", "a=b");
    member_is(root, "/sp", "a b c");
    member_is(root, "/u", "\xe2\x82\xac");
}

static void an_empty_body_is_an_empty_object(void **state)
{
    (void)state;
    const struct tg_value *root = NULL;
    const struct tg_value *where = NULL;
    assert_int_equal(parse(TG_SPAN(""), &root, &where), TG_REASON_OK);
    assert_int_equal(root->kind, TG_VALUE_OBJECT);
    assert_int_equal(root->count, 0);
}

static void broken_forms(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a",          "&",        "a=1&",    "&a=1",  "a=1&&b=2", "=1",       "a=%",          "a=%4",     "a=%4g",
        "a=%G1",      "%=1",      "a=1%",    "a=%00", "a%00b=1",  "a;b=1",    "a=1;amount=2", "a=b c",    "a=\n",
        "a=\xc3\xa9", "a=\x7f",   "[a]=1",   "a[=1",  "a]=1",     "a[b=1",    "a[b]c=1",      "a[b]]=1",  "a[[b]]=1",
        "a[b][=1",    "a[][b]=1", "a[][]=1", "+a=1",  "a%20b=1",  "a+b[c]=1", "a%0A=1",       "a[%0A]=1", "a%5Bb=1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct tg_value *root = NULL;
        const struct tg_value *where = NULL;
        assert_int_equal(parse(tg_span_string(texts[i]), &root, &where), TG_REASON_FORM_SYNTAX);
        assert_null(root);
    }
}

static void duplicates_and_mixtures(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pointer;
    } rows[] = {{"amount=1&amount=2", "/amount"},
                {"amount=1&%61mount=2", "/amount"},
                {"a[b]=1&a[b]=2", "/a/b"},
                {"a[b]=1&a%5Bb%5D=2", "/a/b"},
                {"a=1&a[b]=2", "/a"},
                {"a[b]=1&a=2", "/a"},
                {"a[]=1&a[0]=2", "/a"},
                {"a[0]=1&a[]=2", "/a"},
                {"a=1&a[]=2", "/a"},
                {"a[0]=1&a[0]=2", "/a/0"},
                {"a[b]=1&a[b][c]=2", "/a/b"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tg_value *root = NULL;
        const struct tg_value *where = NULL;
        assert_int_equal(parse(tg_span_string(rows[i].text), &root, &where), TG_REASON_FORM_DUPLICATE_MEMBER);
        uint8_t memory[64];
        struct tg_buf out = tg_buf(memory, sizeof memory);
        tg_value_pointer_write(&out, where);
        assert_true(tg_span_equal(tg_buf_span(&out), tg_span_string(rows[i].pointer)));
    }
}

static void bytes_that_are_not_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {"a=%ff", "a=%C0%80", "a=%ED%A0%80", "%ff=1", "a[%80]=1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct tg_value *root = NULL;
        const struct tg_value *where = NULL;
        assert_int_equal(parse(tg_span_string(texts[i]), &root, &where), TG_REASON_ENCODING);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    static char text[200000];
    const struct tg_value *root = NULL;
    const struct tg_value *where = NULL;
    struct tg_buf out = tg_buf(text, sizeof text);
    tg_buf_put_string(&out, "a");
    for (size_t i = 0; i < TG_VALUE_DEPTH_MAX; i++) {
        tg_buf_put_string(&out, "[a]");
    }
    tg_buf_put_string(&out, "=1");
    assert_int_equal(parse(tg_buf_span(&out), &root, &where), TG_REASON_JSON_LIMIT);
    out = tg_buf(text, sizeof text);
    for (size_t i = 0; i < TG_VALUE_CHILDREN_MAX + 1; i++) {
        tg_buf_put_string(&out, i == 0 ? "a[]=" : "&a[]=");
    }
    assert_int_equal(parse(tg_buf_span(&out), &root, &where), TG_REASON_JSON_LIMIT);
    assert_int_equal(parse(tg_span_sub(tg_buf_span(&out), 0, out.len - 5), &root, &where), TG_REASON_OK);
    struct tg_arena arena = tg_arena(block, 64);
    assert_int_equal(tg_form_parse(TG_SPAN("a=1"), &arena, &root, &where), TG_REASON_JSON_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_nest),
        cmocka_unit_test(an_empty_body_is_an_empty_object),
        cmocka_unit_test(broken_forms),
        cmocka_unit_test(duplicates_and_mixtures),
        cmocka_unit_test(bytes_that_are_not_utf8),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
