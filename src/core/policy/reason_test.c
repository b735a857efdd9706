/* reason_test.c - the table is whole, in order, and says what a caller and an operator need. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/policy/reason.h"

static void table_is_ascending_and_named_once(void **state)
{
    (void)state;
    size_t count = 0;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    assert_int_equal(count, 56);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || entries[i].code > entries[i - 1].code);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(entries[i].name, entries[j].name);
        }
        for (const char *c = entries[i].name; *c != '\0'; c++) {
            assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
        }
        assert_true(strlen(entries[i].title) > 3 && strlen(entries[i].title) < 80);
        assert_true(entries[i].code == 0 || strlen(entries[i].explanation) > 60);
    }
}

static void statuses_are_those_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        uint16_t code, status;
    } rows[] = {{100, 401}, {101, 401}, {102, 401}, {103, 401}, {104, 429}, {105, 429}, {120, 404}, {121, 403},
                {122, 403}, {123, 403}, {124, 403}, {125, 400}, {126, 405}, {138, 400}, {139, 400}, {140, 400},
                {141, 400}, {142, 501}, {143, 413}, {144, 415}, {145, 431}, {146, 400}, {147, 400}, {148, 400},
                {149, 400}, {150, 400}, {151, 400}, {152, 400}, {153, 400}, {154, 400}, {155, 400}, {156, 400},
                {157, 400}, {158, 417}, {159, 400}, {160, 400}, {161, 400}, {162, 422}, {163, 409}, {164, 409},
                {165, 409}, {180, 502}, {181, 502}, {182, 504}, {183, 503}, {184, 502}, {185, 0},   {200, 503},
                {201, 503}, {202, 503}, {203, 503}, {204, 503}, {205, 503}, {206, 503}, {207, 503}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tg_reason_entry *entry = tg_reason_entry(rows[i].code);
        assert_int_equal(entry->code, rows[i].code);
        assert_int_equal(entry->status, rows[i].status);
    }
}

static void the_three_credential_failures_look_alike(void **state)
{
    (void)state;
    assert_string_equal(tg_reason_entry(101)->title, tg_reason_entry(102)->title);
    assert_string_equal(tg_reason_entry(102)->title, tg_reason_entry(103)->title);
}

static void what_may_have_moved_money_is_never_safe_to_repeat(void **state)
{
    (void)state;
    size_t count = 0;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].code >= 181 && entries[i].code <= 185) {
            assert_int_not_equal(entries[i].retry, TG_RETRY_SAFE);
        }
    }
    assert_int_equal(tg_reason_entry(TG_REASON_KEY_OUTCOME_UNKNOWN)->retry, TG_RETRY_NEVER);
}

static void entries_are_found_by_name_and_number(void **state)
{
    (void)state;
    assert_int_equal(tg_reason_find(TG_SPAN("key_reused"))->code, 162);
    assert_int_equal(tg_reason_find(TG_SPAN("162"))->code, 162);
    assert_int_equal(tg_reason_find(TG_SPAN("0"))->code, 0);
    static const char *const none[] = {"",     "key-reused", "KEY_REUSED", "0162",         "162 ", "-1",
                                       "+162", "99999",      "65698",      "161616161616", "1e2"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_null(tg_reason_find(tg_span_string(none[i])));
    }
}

static void unknown_code_is_internal(void **state)
{
    (void)state;
    assert_int_equal(tg_reason_entry(9999)->code, TG_REASON_INTERNAL);
    assert_int_equal(tg_reason_entry(106)->code, TG_REASON_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_ascending_and_named_once),
        cmocka_unit_test(statuses_are_those_of_the_contract),
        cmocka_unit_test(the_three_credential_failures_look_alike),
        cmocka_unit_test(what_may_have_moved_money_is_never_safe_to_repeat),
        cmocka_unit_test(entries_are_found_by_name_and_number),
        cmocka_unit_test(unknown_code_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
