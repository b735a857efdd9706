/*
 * http_client_test.c - fields of answers, and exit codes by what was told.
 */
#include "cli/command.h"
#include "cli/http_client.h"
#include "cli/payment.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void test_fields(void **state)
{
    struct tg_http_answer answer = {.status = 200};

    (void)state;
    tg_http_field_take(&answer, TG_SPAN("Tollgate-Request-Id: abc\r\n"));
    tg_http_field_take(&answer, TG_SPAN("tollgate-original-request-id:def\r\n"));
    tg_http_field_take(&answer, TG_SPAN("IDEMPOTENT-REPLAYED: true\r\n"));
    tg_http_field_take(&answer, TG_SPAN("Retry-After: 3\r\n"));
    tg_http_field_take(&answer, TG_SPAN("Content-Type: a\x1b[31mb\r\n"));
    tg_http_field_take(&answer, TG_SPAN("HTTP/1.1 200 OK\r\n"));
    tg_http_field_take(&answer, TG_SPAN("\r\n"));
    assert_string_equal(answer.request_id, "abc");
    assert_string_equal(answer.original_id, "def");
    assert_true(answer.replayed);
    assert_int_equal(answer.retry_after_s, 3);
    assert_string_equal(answer.content_type, "a?[31mb");
}

static void told_of(const char *text, int status, int expected_exit, const char *expected_reason)
{
    struct tg_http_answer answer = {.status = status};
    struct tg_payment_told told;

    answer.body = (struct tg_buf){(uint8_t *)(uintptr_t)text, tg_span_string(text).len, 4096, false};
    tg_payment_told(&answer, &told);
    assert_string_equal(told.reason, expected_reason);
    assert_int_equal(tg_payment_exit(&answer, &told), expected_exit);
}

static void test_told(void **state)
{
    (void)state;
    told_of("{\"id\":\"p\"}", 201, TG_EXIT_OK, "");
    told_of("not json", 502, TG_EXIT_REFUSED, "");
    told_of("{\"type\":\"urn:tollgate:reason:key_reused\",\"code\":162}", 422, TG_EXIT_REFUSED, "key_reused");
    told_of("{\"error\":{\"type\":\"x\"},\"type\":\"urn:tollgate:reason:outcome_unknown\"}", 502,
            TG_EXIT_UNREACHABLE, "outcome_unknown");
    told_of("{\"type\":\"urn:tollgate:reason:key_outcome_unknown\"}", 409, TG_EXIT_UNREACHABLE,
            "key_outcome_unknown");
    told_of("{\"type\":\"urn:other\"}", 400, TG_EXIT_REFUSED, "");
    told_of("", 0, TG_EXIT_UNREACHABLE, "");
}

static void test_nobody_listens(void **state)
{
    const struct tg_http_call call = {.method = "GET", .url = "https://127.0.0.1:1/", .ca = "/dev/null", .wait_ms = 2000};
    struct tg_http_answer answer;

    (void)state;
    assert_int_equal(tg_http_start(), TG_OK);
    assert_int_equal(tg_http_send(&call, &answer), TG_OK);
    assert_int_equal(answer.status, 0);
    assert_false(answer.maybe_sent);
    assert_true(answer.error[0] != '\0');
    tg_http_answer_free(&answer);
    tg_http_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_told),
                                       cmocka_unit_test(test_nobody_listens)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
