/* answer_test.c - stored answers come back as they were; torn ones do not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/http/answer.h"

static struct tg_answer sample(void)
{
    struct tg_answer answer = {.status = 201, .field_count = 2, .body = TG_SPAN("{\"id\":\"p1\"}")};
    answer.fields[0] = (struct tg_answer_field){TG_SPAN("Content-Type"), TG_SPAN("application/json")};
    answer.fields[1] = (struct tg_answer_field){TG_SPAN("Request-Id"), TG_SPAN("")};
    return answer;
}

static void round_trip(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct tg_buf out = tg_buf(memory, sizeof memory);
    struct tg_answer answer = sample();
    answer.fields[1].value = TG_SPAN(" padded\t");
    assert_int_equal(tg_answer_write(&out, &answer), TG_OK);
    struct tg_answer back;
    assert_int_equal(tg_answer_read(tg_buf_span(&out), &back), TG_OK);
    assert_int_equal(back.status, 201);
    assert_int_equal(back.field_count, 2);
    assert_true(tg_span_equal(back.fields[0].name, TG_SPAN("Content-Type")));
    assert_true(tg_span_equal(back.fields[1].value, TG_SPAN("padded")));
    assert_true(tg_span_equal(back.body, answer.body));
}

static void every_cut_before_the_body_is_refused(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct tg_buf out = tg_buf(memory, sizeof memory);
    struct tg_answer answer = sample();
    assert_int_equal(tg_answer_write(&out, &answer), TG_OK);
    struct tg_answer back;
    for (size_t len = 0; len < out.len - answer.body.len; len++) {
        assert_int_equal(tg_answer_read(tg_span(memory, len), &back), TG_ERR_INPUT);
        assert_int_equal(back.status, 0);
    }
    for (size_t cap = 0; cap < out.len; cap++) {
        struct tg_buf small = tg_buf(memory, cap);
        assert_int_equal(tg_answer_write(&small, &answer), TG_ERR_ROOM);
    }
}

static void what_cannot_be_sent_is_not_stored(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct tg_answer answer = sample();
    struct tg_buf out = tg_buf(memory, sizeof memory);
    answer.fields[0].value = TG_SPAN("a\r\nSet-Cookie: x");
    assert_int_equal(tg_answer_write(&out, &answer), TG_ERR_INPUT);
    answer = sample();
    answer.fields[0].name = TG_SPAN("a b");
    assert_int_equal(tg_answer_write(&out, &answer), TG_ERR_INPUT);
    answer = sample();
    answer.status = 100;
    assert_int_equal(tg_answer_write(&out, &answer), TG_ERR_INPUT);
    answer.status = 600;
    assert_int_equal(tg_answer_write(&out, &answer), TG_ERR_INPUT);
    answer = sample();
    answer.field_count = TG_ANSWER_FIELDS_MAX + 1;
    assert_int_equal(tg_answer_write(&out, &answer), TG_ERR_LIMIT);
    static const uint8_t many[] = {0, 200, 0, TG_ANSWER_FIELDS_MAX + 1};
    struct tg_answer back;
    assert_int_equal(tg_answer_read(tg_span(many, sizeof many), &back), TG_ERR_INPUT);
    static const uint8_t hostile[] = {0, 200, 0, 1, 0, 1, 0, 1, 'a', '\n'};
    assert_int_equal(tg_answer_read(tg_span(hostile, sizeof hostile), &back), TG_ERR_INPUT);
}

static void fields_of_one_hop_are_dropped(void **state)
{
    (void)state;
    static const char *const dropped[] = {"Connection",
                                          "keep-alive",
                                          "TRANSFER-ENCODING",
                                          "Content-Length",
                                          "Date",
                                          "Server",
                                          "Set-Cookie",
                                          "Trailer",
                                          "Upgrade",
                                          "X-Accel-Redirect",
                                          "x-accel-buffering",
                                          "X-Tollgate-Request-Id",
                                          "Tollgate-Reason",
                                          "Idempotent-Replayed",
                                          "",
                                          "a b",
                                          "Proxy-Authenticate"};
    static const char *const kept[] = {
        "Content-Type",  "Request-Id",          "Location",        "Retry-After",     "Stripe-Version", "ETag",
        "Cache-Control", "stripe-should-retry", "idempotency-key", "Content-Encoding"};
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
        assert_false(tg_answer_field_kept(tg_span_string(dropped[i])));
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_true(tg_answer_field_kept(tg_span_string(kept[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_cut_before_the_body_is_refused),
        cmocka_unit_test(what_cannot_be_sent_is_not_stored),
        cmocka_unit_test(fields_of_one_hop_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
