/* settle_test.c - each way of a claim through its states, the same after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/testkit.h"

static enum tg_err settle(struct kit *kit, uint64_t request, uint64_t ticket, uint8_t outcome, uint16_t status)
{
    struct tg_work work = kit_settle(kit, request, ticket, outcome, status);
    kit_commit(kit, &work);
    return work.settle.result;
}

static uint64_t take(struct kit *kit, uint64_t request, uint64_t key)
{
    struct tg_work work = kit_admit(kit, request, key, key);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_TAKEN);
    return work.admit.ticket;
}

static void test_replay(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "first answer");
    for (int round = 0; round < 2; round++) {
        struct tg_work work = kit_admit(kit, 2, 1, 1);
        kit_commit(kit, &work);
        assert_int_equal(work.admit.result, TG_CLAIM_REPLAY);
        assert_true(tg_span_equal(work.admit.sealed, TG_SPAN("first answer")));
        assert_int_equal(work.admit.seal_segment, 1);
        assert_int_equal(work.admit.stored_status, 201);
        uint8_t original[TG_REQUEST_ID_BYTES];
        kit_bytes(original, sizeof(original), 1, 1);
        assert_memory_equal(work.admit.original_id, original, sizeof(original));
        assert_int_equal(kit_ask(kit, 3, 1, 99), TG_CLAIM_MISMATCH);
        assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_REPLAY); /* never its own 409 */
        kit_reopen(kit);
    }
    kit->now_us += KIT_DAY;
    assert_int_equal(kit_ask(kit, 4, 1, 99), TG_CLAIM_TAKEN);
}

/* A clock that steps back makes an earlier life of the key valid again: what was answered last is what counts. */
static void test_clock_back(void **state)
{
    struct kit *kit = *state;
    int64_t begin_us = kit->now_us;
    (void)kit_pair(kit, 1, 1, "first life");
    kit->now_us += 2 * KIT_DAY;
    (void)kit_pair(kit, 2, 1, "second life");
    kit->now_us = begin_us;
    for (int round = 0; round < 2; round++) {
        struct tg_work work = kit_admit(kit, 3, 1, 1);
        kit_commit(kit, &work);
        assert_int_equal(work.admit.result, TG_CLAIM_REPLAY);
        assert_true(tg_span_equal(work.admit.sealed, TG_SPAN("second life")));
        kit_reopen(kit);
    }
}

static void test_same_and_in_flight(void **state)
{
    struct kit *kit = *state;
    uint64_t ticket = take(kit, 1, 1), events = tg_store_last_event(kit->store);
    struct tg_work work = kit_admit(kit, 1, 1, 1);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_SAME);
    assert_int_equal(work.admit.ticket, ticket);
    assert_int_equal(tg_store_last_event(kit->store), events);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_IN_FLIGHT);
    assert_int_equal(kit_ask(kit, 2, 1, 2), TG_CLAIM_MISMATCH);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_UNKNOWN);
    assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_SAME); /* the gate still holds it */
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_IN_FLIGHT);
}

static void test_released(void **state)
{
    struct kit *kit = *state;
    static const uint8_t outcomes[] = {TG_OUTCOME_NOT_SENT, TG_OUTCOME_NOT_EXECUTED};
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t ticket = take(kit, 10 + i, i);
        assert_int_equal(settle(kit, 10 + i, ticket, outcomes[i], 0), TG_OK);
        assert_int_equal(settle(kit, 10 + i, ticket, outcomes[i], 0), TG_OK);
        assert_int_equal(settle(kit, 10 + i, ticket, TG_OUTCOME_FINAL, 200), TG_ERR_DENIED);
        kit_reopen(kit);
        assert_int_equal(settle(kit, 10 + i, 0, outcomes[i], 0), TG_OK);
        assert_int_equal(settle(kit, 10 + i, ticket, TG_OUTCOME_UNKNOWN, 0), TG_ERR_DENIED);
        assert_int_equal(kit_ask(kit, 20 + i, i, i), TG_CLAIM_TAKEN);
    }
}

static void test_settle_again(void **state)
{
    struct kit *kit = *state;
    uint64_t ticket = kit_pair(kit, 1, 1, "a");
    uint64_t other = take(kit, 2, 2);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201), TG_OK);
        assert_int_equal(settle(kit, 1, 0, TG_OUTCOME_FINAL, 201), TG_OK);
        assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_NOT_SENT, 0), TG_ERR_DENIED);
        assert_int_equal(settle(kit, 99, 0, TG_OUTCOME_FINAL, 201), TG_ERR_ABSENT);
        assert_int_equal(settle(kit, 99, other, TG_OUTCOME_FINAL, 201), TG_ERR_ABSENT); /* another's ticket */
        assert_int_equal(settle(kit, 99, 777777, TG_OUTCOME_FINAL, 201), TG_ERR_ABSENT);
        assert_int_equal(settle(kit, 2, other, 9, 201), TG_ERR_INPUT);
        kit_reopen(kit);
    }
    kit_forget_recent(kit);
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201), TG_OK);
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_NOT_SENT, 0), TG_ERR_DENIED);
}

static void test_unknown(void **state)
{
    struct kit *kit = *state;
    uint64_t ticket = take(kit, 1, 1);
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_UNKNOWN, 500), TG_OK);
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_UNKNOWN, 500), TG_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_UNKNOWN);
        assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_UNKNOWN); /* its outcome was told: not sent again */
        kit->now_us += 400 * KIT_DAY;                              /* an unknown never expires */
        kit_reopen(kit);
    }
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201), TG_OK);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_REPLAY); /* another full life, or a retry would charge again */
    kit->now_us += KIT_DAY;
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_TAKEN);
}

static void test_resend_unknown(void **state)
{
    struct kit *kit = *state;
    uint64_t ticket = take(kit, 1, 1);
    assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_UNKNOWN, 0), TG_OK);
    struct tg_work work = kit_admit(kit, 2, 1, 1);
    work.admit.resend_unknown = true;
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_TAKEN);
    assert_int_not_equal(work.admit.ticket, ticket);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(settle(kit, 1, ticket, TG_OUTCOME_FINAL, 201), TG_ERR_DENIED); /* its successor decides */
        struct tg_store_counts counts;
        tg_store_count(kit->store, &counts);
        assert_int_equal(counts.claims_live, 1);
        kit_reopen(kit);
    }
    assert_int_equal(settle(kit, 2, work.admit.ticket, TG_OUTCOME_FINAL, 201), TG_OK);
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_REPLAY);
}

static void test_lost(void **state)
{
    struct kit *kit = *state;
    uint64_t mine = take(kit, 1, 1);
    struct tg_work work = kit_admit(kit, 2, 2, 2);
    work.admit.owner = 5;
    kit_commit(kit, &work);
    work = kit_lost(kit, 1);
    kit_commit(kit, &work);
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_unknown, 1);
    assert_int_equal(counts.claims_in_flight, 1);
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_UNKNOWN);
    assert_int_equal(kit_ask(kit, 3, 2, 2), TG_CLAIM_IN_FLIGHT);
    assert_int_equal(settle(kit, 1, mine, TG_OUTCOME_FINAL, 201), TG_OK);
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_REPLAY);
}

static void test_resolve(void **state)
{
    struct kit *kit = *state;
    for (uint64_t i = 1; i <= 3; i++)
        (void)take(kit, i, i);
    struct tg_work work = kit_resolve(kit, 1, true);
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_ERR_ABSENT); /* in flight: not an operator's to end */
    struct tg_work lost = kit_lost(kit, 1);
    kit_commit(kit, &lost);
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_OK);
    work = kit_resolve(kit, 2, false);
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_OK);
    work = kit_resolve(kit, 3, true);
    work.resolve.sealed = TG_SPAN("probed");
    work.resolve.seal_segment = 1;
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_OK);
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_ERR_ABSENT);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 11, 1, 1), TG_CLAIM_ANSWER_ABSENT);
    assert_int_equal(kit_ask(kit, 13, 3, 3), TG_CLAIM_REPLAY);
    assert_int_equal(kit_ask(kit, 12, 2, 2), TG_CLAIM_TAKEN);
    assert_int_equal(settle(kit, 1, 0, TG_OUTCOME_FINAL, 200), TG_OK);
    assert_int_equal(settle(kit, 2, 0, TG_OUTCOME_FINAL, 200), TG_ERR_DENIED);
}

static void test_one_batch_sees_itself(void **state)
{
    struct kit *kit = *state;
    struct tg_work first = kit_admit(kit, 1, 1, 1), twin = kit_admit(kit, 2, 1, 1), again = kit_admit(kit, 1, 1, 1);
    struct tg_work settled = kit_settle(kit, 1, 0, TG_OUTCOME_FINAL, 201), late = kit_admit(kit, 3, 1, 1);
    struct tg_work *works[] = {&first, &twin, &again, &settled, &late};
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, works, 5, &kit->arena), TG_OK);
    assert_int_equal(first.admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(twin.admit.result, TG_CLAIM_IN_FLIGHT);
    assert_int_equal(again.admit.result, TG_CLAIM_SAME);
    assert_int_equal(settled.settle.result, TG_OK);
    assert_int_equal(late.admit.result, TG_CLAIM_REPLAY);
    assert_true(tg_span_equal(late.admit.sealed, TG_SPAN("sealed answer")));
}

static void test_no_room_for_the_answer(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "an answer");
    struct tg_arena small = tg_arena(kit->block, 4);
    struct tg_work work = kit_admit(kit, 2, 1, 1), *works[] = {&work};
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, works, 1, &small), TG_OK);
    assert_int_equal(work.admit.result, TG_CLAIM_IN_FLIGHT);
    assert_int_equal(work.admit.sealed.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replay, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_clock_back, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_same_and_in_flight, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_released, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_settle_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_unknown, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_resend_unknown, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_lost, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_resolve, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_one_batch_sees_itself, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_room_for_the_answer, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
