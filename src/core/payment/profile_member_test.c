/* profile_member_test.c - names, field names, and errors that fit their space. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/json/json.h"
#include "core/payment/profile_member.h"

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "payment.create", "x-1_y"};
    static const char *const bad[] = {"", "A", "a b", "a*", "caf\xc3\xa9", "a/b", "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(tg_profile_name_ok(tg_span_string(good[i])));
        assert_true(tg_profile_field_ok(tg_span_string(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(tg_profile_name_ok(tg_span_string(bad[i])));
    }
    uint8_t text[65];
    memset(text, 'a', sizeof text);
    assert_true(tg_profile_name_ok(tg_span(text, 64)));
    assert_false(tg_profile_name_ok(tg_span(text, 65)));
    assert_false(tg_profile_field_ok(tg_span(text, 65)));
    assert_false(tg_profile_field_ok(TG_SPAN("Idempotency-Key")));
    assert_false(tg_profile_field_ok(TG_SPAN("")));
    assert_false(tg_profile_field_ok(TG_SPAN("a b")));
}

static void long_places_do_not_overflow_the_error(void **state)
{
    (void)state;
    static uint8_t block[65536];
    char text[600];
    memset(text, 'k', sizeof text);
    memcpy(text, "{\"a\":{\"", 7);
    memcpy(text + sizeof text - 6, "\":1}}", 6);
    struct tg_arena arena = tg_arena(block, sizeof block);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    assert_int_equal(tg_json_parse(tg_span(text, sizeof text - 1), &arena, &root, &place), TG_REASON_OK);
    struct tg_profile_error why;
    memset(&why, 0x55, sizeof why);
    struct tg_profile_reader reader = {NULL, &why};
    assert_int_equal(tg_profile_fail(&reader, root->first->first, "is wrong"), TG_ERR_INPUT);
    assert_string_equal(why.text, "/a: is wrong");
    char message[400];
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    assert_int_equal(tg_profile_fail(&reader, root->first, message), TG_ERR_INPUT);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(long_places_do_not_overflow_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
