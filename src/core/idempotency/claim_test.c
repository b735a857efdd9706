/* claim_test.c - every state against every kind of question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/idempotency/claim.h"

static const uint8_t holder[TG_REQUEST_ID_BYTES] = {1};
static const uint8_t other[TG_REQUEST_ID_BYTES] = {2};
static const uint8_t print[TG_DIGEST_BYTES] = {3};
static const uint8_t other_print[TG_DIGEST_BYTES] = {4};

static struct tg_claim_known known_in(enum tg_claim_state state)
{
    struct tg_claim_known known = {.state = state, .has_answer = true, .expires_us = 1000};
    memcpy(known.request_id, holder, sizeof(holder));
    memcpy(known.fingerprint, print, sizeof(print));
    return known;
}

static enum tg_claim_result ask(enum tg_claim_state state, const uint8_t *id, const uint8_t *fingerprint, int64_t now_us,
                                bool resend)
{
    struct tg_claim_known known = known_in(state);
    struct tg_claim_ask question = {now_us, resend, id, fingerprint};
    return tg_claim_decide(&known, &question);
}

static void test_every_state(void **state)
{
    (void)state;
    static const struct {
        enum tg_claim_state state;
        enum tg_claim_result same_id, same_print, other_print, late, resend;
    } rows[] = {
        {TG_CLAIM_STATE_NONE, TG_CLAIM_TAKEN, TG_CLAIM_TAKEN, TG_CLAIM_TAKEN, TG_CLAIM_TAKEN, TG_CLAIM_TAKEN},
        {TG_CLAIM_STATE_IN_FLIGHT, TG_CLAIM_SAME, TG_CLAIM_IN_FLIGHT, TG_CLAIM_MISMATCH, TG_CLAIM_IN_FLIGHT,
         TG_CLAIM_IN_FLIGHT},
        {TG_CLAIM_STATE_LOST, TG_CLAIM_SAME, TG_CLAIM_UNKNOWN, TG_CLAIM_MISMATCH, TG_CLAIM_UNKNOWN, TG_CLAIM_TAKEN},
        {TG_CLAIM_STATE_UNKNOWN, TG_CLAIM_UNKNOWN, TG_CLAIM_UNKNOWN, TG_CLAIM_MISMATCH, TG_CLAIM_UNKNOWN,
         TG_CLAIM_TAKEN},
        {TG_CLAIM_STATE_FINAL, TG_CLAIM_REPLAY, TG_CLAIM_REPLAY, TG_CLAIM_MISMATCH, TG_CLAIM_TAKEN, TG_CLAIM_REPLAY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ask(rows[i].state, holder, print, 999, false), rows[i].same_id);
        assert_int_equal(ask(rows[i].state, other, print, 999, false), rows[i].same_print);
        assert_int_equal(ask(rows[i].state, other, other_print, 999, false), rows[i].other_print);
        assert_int_equal(ask(rows[i].state, other, print, 1000, false), rows[i].late);
        assert_int_equal(ask(rows[i].state, other, print, 999, true), rows[i].resend);
    }
}

static void test_no_answer(void **state)
{
    (void)state;
    struct tg_claim_known known = known_in(TG_CLAIM_STATE_FINAL);
    known.has_answer = false;
    struct tg_claim_ask question = {999, false, other, print};
    assert_int_equal(tg_claim_decide(&known, &question), TG_CLAIM_ANSWER_ABSENT);
    question.request_id = holder;
    assert_int_equal(tg_claim_decide(&known, &question), TG_CLAIM_ANSWER_ABSENT);
}

static void test_resend_needs_the_fingerprint(void **state)
{
    (void)state;
    assert_int_equal(ask(TG_CLAIM_STATE_UNKNOWN, other, other_print, 0, true), TG_CLAIM_MISMATCH);
    assert_int_equal(ask(TG_CLAIM_STATE_LOST, other, other_print, 0, true), TG_CLAIM_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_resend_needs_the_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
