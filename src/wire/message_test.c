/*
 * message_test.c - every message there and back, cut at every byte, with bytes behind, and out of range.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "wire/message.h"

static uint8_t room[TG_ANSWER_BYTES_MAX + 4096];
static uint8_t long_answer[TG_ANSWER_BYTES_MAX + 1];

static void fill(uint8_t *bytes, size_t len, uint8_t first)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(first + i);
    }
}

/* The body of the one frame in out, which must be whole and from `role`. */
static struct tg_span body_of(enum tg_role role, const struct tg_buf *out, uint8_t type)
{
    struct tg_frame frame;
    size_t used = 0;
    assert_int_equal(tg_buf_done(out), TG_OK);
    assert_int_equal(tg_frame_read(role, tg_buf_span(out), &frame, &used), TG_OK);
    assert_int_equal(used, out->len);
    assert_int_equal(frame.type, type);
    return frame.body;
}

/* A strict reader refuses each shorter body and a longer one. */
#define EXPECT_EXACT(body, read, struct_name)                                                                          \
    do {                                                                                                               \
        struct struct_name cut;                                                                                        \
        for (size_t len = 0; len < (body).len; len++) {                                                                \
            assert_int_equal(read(tg_span((body).ptr, len), &cut), TG_ERR_INPUT);                                      \
        }                                                                                                              \
        assert_int_equal(read(tg_span((body).ptr, (body).len + 1), &cut), TG_ERR_INPUT);                               \
    } while (0)

static struct tg_buf fresh(void)
{
    return tg_buf(room, sizeof(room) - 1);
}

static void test_hello(void **state)
{
    (void)state;
    struct tg_buf out = fresh();
    struct tg_hello hello = {.protocol = 1, .pid = 4711};
    struct tg_hello again;
    fill(hello.boot_id, sizeof(hello.boot_id), 1);
    tg_hello_write(&out, TG_FRAME_HELLO, &hello);
    struct tg_span body = body_of(TG_ROLE_GATE, &out, TG_FRAME_HELLO);
    assert_int_equal(tg_hello_read(body, &again), TG_OK);
    assert_memory_equal(&hello, &again, sizeof(hello));
    EXPECT_EXACT(body, tg_hello_read, tg_hello);
}

static void test_auth(void **state)
{
    (void)state;
    struct tg_auth auth = {.has_certificate = true};
    struct tg_auth again;
    fill(auth.key_hash, sizeof(auth.key_hash), 1);
    fill(auth.key_prefix, sizeof(auth.key_prefix), 50);
    fill(auth.address, sizeof(auth.address), 80);
    fill(auth.certificate, sizeof(auth.certificate), 100);
    struct tg_buf out = fresh();
    tg_auth_write(&out, 3, 4, &auth);
    struct tg_span body = body_of(TG_ROLE_GATE, &out, TG_FRAME_AUTH);
    assert_int_equal(tg_auth_read(body, &again), TG_OK);
    assert_memory_equal(auth.certificate, again.certificate, sizeof(auth.certificate));
    assert_memory_equal(auth.key_prefix, again.key_prefix, sizeof(auth.key_prefix));
    assert_true(again.has_certificate);
    EXPECT_EXACT(body, tg_auth_read, tg_auth);
    uint8_t *flag = room + TG_FRAME_HEADER_BYTES + 32 + 17 + 16;
    *flag = 2;
    assert_int_equal(tg_auth_read(body, &again), TG_ERR_INPUT);
    *flag = 0; /* no certificate, and yet its bytes */
    assert_int_equal(tg_auth_read(body, &again), TG_ERR_INPUT);
    auth.has_certificate = false;
    out = fresh();
    tg_auth_write(&out, 3, 4, &auth);
    assert_int_equal(tg_auth_read(body_of(TG_ROLE_GATE, &out, TG_FRAME_AUTH), &again), TG_OK);
    assert_int_equal(again.certificate[0], 0);
}

static void test_auth_answer(void **state)
{
    (void)state;
    struct tg_auth_answer answer = {0, 0, 7, 9, TG_ENVIRONMENT_LIVE};
    struct tg_auth_answer again;
    struct tg_buf out = fresh();
    tg_auth_answer_write(&out, 3, 4, &answer);
    struct tg_span body = body_of(TG_ROLE_KEEPER, &out, TG_FRAME_AUTH_ANSWER);
    assert_int_equal(tg_auth_answer_read(body, &again), TG_OK);
    assert_int_equal(again.partner, 7);
    assert_int_equal(again.credential, 9);
    assert_int_equal(again.environment, TG_ENVIRONMENT_LIVE);
    EXPECT_EXACT(body, tg_auth_answer_read, tg_auth_answer);
    answer.environment = 0;
    out = fresh();
    tg_auth_answer_write(&out, 3, 4, &answer);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    answer.reason = 5;
    answer.retry_after_s = 60;
    out = fresh();
    tg_auth_answer_write(&out, 3, 4, &answer);
    assert_int_equal(tg_auth_answer_read(body_of(TG_ROLE_KEEPER, &out, TG_FRAME_AUTH_ANSWER), &again), TG_OK);
    assert_int_equal(again.reason, 5);
    assert_int_equal(again.retry_after_s, 60);
}

static struct tg_admit sample_admit(void)
{
    struct tg_admit admit = {.flags = 0xff,
                             .environment = TG_ENVIRONMENT_TEST,
                             .partner = 1,
                             .credential = 2,
                             .wait_ms = 3,
                             .ttl_s = 4,
                             .amount_minor = INT64_MAX,
                             .exponent = 2};
    fill(admit.request_id, sizeof(admit.request_id), 1);
    fill(admit.key_digest, TG_DIGEST_BYTES, 20);
    fill(admit.fingerprint, TG_DIGEST_BYTES, 60);
    fill(admit.payee, TG_DIGEST_BYTES, 100);
    fill(admit.payer, TG_DIGEST_BYTES, 140);
    fill(admit.instrument, TG_DIGEST_BYTES, 180);
    fill(admit.address, TG_DIGEST_BYTES, 220);
    memcpy(admit.currency, "EUR", 3);
    admit.route = TG_SPAN("payments");
    admit.profile = TG_SPAN("generic-json");
    admit.operation = TG_SPAN("create");
    admit.method = TG_SPAN("POST");
    admit.path_template = TG_SPAN("/v1/payments/{id}/capture");
    return admit;
}

static void expect_admit_spoiled(const struct tg_admit *admit)
{
    struct tg_buf out = fresh();
    tg_admit_write(&out, 1, 1, admit);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
}

static void test_admit(void **state)
{
    (void)state;
    struct tg_admit admit = sample_admit();
    struct tg_admit again;
    struct tg_buf out = fresh();
    tg_admit_write(&out, 1, 1, &admit);
    assert_true(out.len <= TG_SMALL_FRAME_BYTES_MAX);
    struct tg_span body = body_of(TG_ROLE_GATE, &out, TG_FRAME_ADMIT);
    assert_int_equal(tg_admit_read(body, &again), TG_OK);
    assert_memory_equal(&admit, &again, offsetof(struct tg_admit, amount_minor));
    assert_true(again.amount_minor == INT64_MAX);
    assert_memory_equal(again.currency, "EUR", 3);
    assert_int_equal(again.exponent, 2);
    assert_true(tg_span_equal(again.route, admit.route) && tg_span_equal(again.profile, admit.profile));
    assert_true(tg_span_equal(again.operation, admit.operation) && tg_span_equal(again.method, admit.method));
    assert_true(tg_span_equal(again.path_template, admit.path_template));
    EXPECT_EXACT(body, tg_admit_read, tg_admit);
    room[TG_FRAME_HEADER_BYTES] = 0; /* flags off, and yet the fields */
    assert_int_equal(tg_admit_read(body, &again), TG_ERR_INPUT);
}

static void test_admit_without_facts(void **state)
{
    (void)state;
    struct tg_admit admit = sample_admit();
    struct tg_admit again;
    struct tg_buf out = fresh();
    admit.flags = TG_FLAG_MONEY_MOVING;
    tg_admit_write(&out, 1, 1, &admit);
    assert_int_equal(tg_admit_read(body_of(TG_ROLE_GATE, &out, TG_FRAME_ADMIT), &again), TG_OK);
    assert_int_equal(again.amount_minor, 0);
    assert_int_equal(again.currency[0], 0);
    assert_int_equal(again.key_digest[0], 0);
    assert_int_equal(again.payee[5], 0);
    assert_int_equal(again.fingerprint[0], 60);
}

static void test_admit_out_of_range(void **state)
{
    (void)state;
    static uint8_t text[TG_TEMPLATE_BYTES_MAX + 1];
    struct tg_admit admit = sample_admit();
    admit.environment = 3;
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    admit.amount_minor = -1;
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    memcpy(admit.currency, "eur", 3);
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    admit.exponent = 5;
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    admit.route = tg_span(NULL, 0);
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    admit.route = tg_span(text, TG_NAME_BYTES_MAX + 1);
    expect_admit_spoiled(&admit);
    admit = sample_admit();
    admit.path_template = tg_span(text, TG_TEMPLATE_BYTES_MAX + 1);
    expect_admit_spoiled(&admit);
    /* The largest that fits is a small frame. */
    admit = sample_admit();
    admit.route = admit.profile = admit.operation = admit.method = tg_span(text, TG_NAME_BYTES_MAX);
    admit.path_template = tg_span(text, TG_TEMPLATE_BYTES_MAX);
    struct tg_buf out = tg_buf(room, TG_SMALL_FRAME_BYTES_MAX);
    tg_admit_write(&out, 1, 1, &admit);
    assert_int_equal(tg_buf_done(&out), TG_OK);
}

static void test_admit_answer(void **state)
{
    (void)state;
    struct tg_admit_answer answer = {
        .verdict = TG_VERDICT_ALLOW, .ticket = UINT64_MAX, .credential = TG_SPAN("Bearer secret")};
    struct tg_admit_answer again;
    struct tg_buf out = fresh();
    tg_admit_answer_write(&out, 1, 1, &answer);
    assert_true(out.len <= tg_admit_answer_size(&answer));
    struct tg_span body = body_of(TG_ROLE_KEEPER, &out, TG_FRAME_ADMIT_ANSWER);
    assert_int_equal(tg_admit_answer_read(body, &again), TG_OK);
    assert_true(again.ticket == UINT64_MAX && tg_span_equal(again.credential, answer.credential));
    EXPECT_EXACT(body, tg_admit_answer_read, tg_admit_answer);
    room[TG_FRAME_HEADER_BYTES] = TG_VERDICT_REFUSE; /* a credential belongs to ALLOW alone */
    assert_int_equal(tg_admit_answer_read(body, &again), TG_ERR_INPUT);
    assert_null(again.credential.ptr);
    answer =
        (struct tg_admit_answer){.verdict = TG_VERDICT_REPLAY, .answer = tg_span(long_answer, TG_ANSWER_BYTES_MAX)};
    out = fresh();
    tg_admit_answer_write(&out, 1, 1, &answer);
    assert_true(out.len <= tg_admit_answer_size(&answer));
    assert_int_equal(tg_admit_answer_read(body_of(TG_ROLE_KEEPER, &out, TG_FRAME_ADMIT_ANSWER), &again), TG_OK);
    assert_int_equal(again.answer.len, TG_ANSWER_BYTES_MAX);
    answer.answer.len++;
    out = fresh();
    tg_admit_answer_write(&out, 1, 1, &answer);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    answer = (struct tg_admit_answer){.verdict = TG_VERDICT_REFUSE, .answer = TG_SPAN("x")};
    out = fresh();
    tg_admit_answer_write(&out, 1, 1, &answer);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    answer = (struct tg_admit_answer){.verdict = 0};
    out = fresh();
    tg_admit_answer_write(&out, 1, 1, &answer);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
}

static void test_settle(void **state)
{
    (void)state;
    struct tg_settle settle = {.flags = TG_FLAG_MONEY_MOVING,
                               .outcome = TG_OUTCOME_FINAL,
                               .upstream_status = 201,
                               .caller_status = 201,
                               .upstream_us = 12345,
                               .ticket = 8,
                               .answer = TG_SPAN("answer")};
    struct tg_settle again;
    struct tg_buf out = fresh();
    fill(settle.request_id, sizeof(settle.request_id), 9);
    tg_settle_write(&out, 1, 1, &settle);
    assert_true(out.len <= tg_settle_size(&settle));
    struct tg_span body = body_of(TG_ROLE_GATE, &out, TG_FRAME_SETTLE);
    assert_int_equal(tg_settle_read(body, &again), TG_OK);
    assert_true(tg_span_equal(again.answer, settle.answer));
    assert_memory_equal(again.request_id, settle.request_id, sizeof(settle.request_id));
    assert_int_equal(again.upstream_us, 12345);
    assert_true(again.ticket == 8);
    EXPECT_EXACT(body, tg_settle_read, tg_settle);
    room[TG_FRAME_HEADER_BYTES + 1] = TG_OUTCOME_UNKNOWN; /* and yet an answer */
    assert_int_equal(tg_settle_read(body, &again), TG_ERR_INPUT);
    settle.outcome = 5;
    out = fresh();
    tg_settle_write(&out, 1, 1, &settle);
    assert_int_equal(tg_buf_done(&out), TG_ERR_ROOM);
    settle.outcome = TG_OUTCOME_FINAL;
    settle.answer = tg_span(long_answer, TG_ANSWER_BYTES_MAX);
    out = fresh();
    tg_settle_write(&out, 1, 1, &settle);
    assert_true(out.len <= tg_settle_size(&settle));
    assert_int_equal(tg_settle_read(body_of(TG_ROLE_GATE, &out, TG_FRAME_SETTLE), &again), TG_OK);
}

static void test_small_ones(void **state)
{
    (void)state;
    struct tg_settle_answer answer = {7};
    struct tg_settle_answer answer_again;
    struct tg_note note = {
        .flags = 1, .reason = 2, .status = 400, .partner = 3, .credential = 4, .route = TG_SPAN("payments")};
    struct tg_note note_again;
    struct tg_buf out = fresh();
    tg_settle_answer_write(&out, 1, 1, &answer);
    struct tg_span body = body_of(TG_ROLE_KEEPER, &out, TG_FRAME_SETTLE_ANSWER);
    assert_int_equal(tg_settle_answer_read(body, &answer_again), TG_OK);
    assert_int_equal(answer_again.reason, 7);
    EXPECT_EXACT(body, tg_settle_answer_read, tg_settle_answer);
    out = fresh();
    tg_note_write(&out, &note);
    body = body_of(TG_ROLE_GATE, &out, TG_FRAME_NOTE);
    assert_int_equal(tg_note_read(body, &note_again), TG_OK);
    assert_int_equal(note_again.status, 400);
    assert_true(tg_span_equal(note_again.route, note.route));
    assert_int_equal(note_again.operation.len, 0);
    EXPECT_EXACT(body, tg_note_read, tg_note);
    out = fresh();
    tg_bytes_write(&out, TG_FRAME_ADMIN, 1, 2, TG_SPAN("{}"));
    assert_true(tg_span_equal(body_of(TG_ROLE_ADMIN, &out, TG_FRAME_ADMIN), TG_SPAN("{}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_auth_answer),
        cmocka_unit_test(test_admit),
        cmocka_unit_test(test_admit_without_facts),
        cmocka_unit_test(test_admit_out_of_range),
        cmocka_unit_test(test_admit_answer),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_small_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
