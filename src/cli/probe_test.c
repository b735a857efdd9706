/*
 * probe_test.c - what is concluded from an upstream's list, and what is not.
 */
#include "cli/probe.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static enum tg_probe_verdict judge(const char *text)
{
    json_t *answer = json_loads(text, 0, NULL);
    const json_t *found;
    char why[200];
    enum tg_probe_verdict verdict = tg_probe_judge(answer, "aa", &found, why, sizeof(why));

    json_decref(answer);
    return verdict;
}

static void test_certain(void **state)
{
    (void)state;
    assert_int_equal(judge("{\"data\":[{\"id\":\"p\",\"status\":\"captured\",\"request_id\":\"aa\"}]}"),
                     TG_PROBE_EXECUTED);
    assert_int_equal(judge("{\"data\":[{\"id\":\"p\"}]}"), TG_PROBE_EXECUTED);
    assert_int_equal(judge("{\"data\":[],\"has_more\":false}"), TG_PROBE_NOT_EXECUTED);
}

static void test_unsure(void **state)
{
    (void)state;
    assert_int_equal(judge("{}"), TG_PROBE_UNSURE);
    assert_int_equal(judge("{\"data\":{}}"), TG_PROBE_UNSURE);
    assert_int_equal(judge("{\"data\":[],\"has_more\":true}"), TG_PROBE_UNSURE);
    assert_int_equal(judge("{\"data\":[{},{}]}"), TG_PROBE_UNSURE);
    assert_int_equal(judge("{\"data\":[{\"status\":\"declined\"}]}"), TG_PROBE_UNSURE);
    assert_int_equal(judge("{\"data\":[{\"request_id\":\"bb\"}]}"), TG_PROBE_UNSURE);
}

static void test_rows_that_cannot_be_asked(void **state)
{
    const struct tg_instance instance = {.dir = "/no/such/folder"};
    const struct tg_probe probe = {.instance = &instance, .url = "https://127.0.0.1:1", .ca = "x"};
    json_t *row = json_pack("{s:s, s:s}", "request_id", "00112233445566778899aabbccddeeff", "operation", "x");
    struct tg_probe_result result;

    (void)state;
    tg_probe_ask(&probe, row, &result);
    assert_int_equal(result.verdict, TG_PROBE_UNSURE);
    (void)json_object_set_new(row, "request_id", json_string("../../etc"));
    tg_probe_ask(&probe, row, &result);
    assert_int_equal(result.verdict, TG_PROBE_UNSURE);
    json_decref(row);
}

static void test_ended(void **state)
{
    json_t *row = json_pack("{s:s, s:s}", "reason", "outcome_unknown_timeout", "at", "1970-01-01T00:10:00.123456Z");

    (void)state;
    assert_false(tg_probe_ended(row, 600, 60));
    assert_false(tg_probe_ended(row, 659, 60));
    assert_true(tg_probe_ended(row, 660, 60));
    (void)json_object_set_new(row, "reason", json_string("outcome_unknown_cut"));
    assert_true(tg_probe_ended(row, 600, 60));
    (void)json_object_set_new(row, "reason", json_string("ok"));
    (void)json_object_set_new(row, "at", json_string("yesterday"));
    assert_false(tg_probe_ended(row, 99999, 60));
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_certain), cmocka_unit_test(test_unsure), cmocka_unit_test(test_ended),
                                       cmocka_unit_test(test_rows_that_cannot_be_asked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
