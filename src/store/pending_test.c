/* pending_test.c - unsettled claims by ticket, request and key, through growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "store/testkit.h"

#define CLAIMS 40000u

static struct tg_row row_of(uint64_t number)
{
    struct tg_row row = {.kind = TG_ROW_ADMIT, .sequence = number, .ticket = number};
    kit_bytes(row.verdict.request_id, TG_REQUEST_ID_BYTES, 1, number);
    kit_bytes(row.claim_key, TG_CLAIM_KEY_BYTES, 2, number);
    return row;
}

static enum tg_err count_one(void *user, struct tg_pending_claim *claim)
{
    (void)claim;
    return --*(size_t *)user == 0 ? TG_ERR_LIMIT : TG_OK;
}

static void test_three_ways(void **state)
{
    (void)state;
    struct tg_pending pending;
    assert_int_equal(tg_pending_init(&pending), TG_OK);
    for (uint64_t i = 1; i <= CLAIMS; i++) {
        struct tg_row row = row_of(i);
        assert_non_null(tg_pending_add(&pending, &row));
    }
    assert_int_equal(pending.unknown, CLAIMS);
    for (uint64_t i = 1; i <= CLAIMS; i += 2) {
        struct tg_pending_claim *claim = tg_pending_ticket(&pending, i);
        tg_pending_state(&pending, claim, TG_CLAIM_STATE_IN_FLIGHT);
        tg_pending_remove(&pending, claim);
    }
    assert_int_equal(pending.count, CLAIMS / 2);
    assert_int_equal(pending.unknown, CLAIMS / 2);
    for (uint64_t i = 1; i <= CLAIMS; i++) {
        struct tg_row row = row_of(i);
        struct tg_pending_claim *claim = tg_pending_ticket(&pending, i);
        assert_int_equal(claim == NULL, i % 2);
        assert_ptr_equal(tg_pending_request(&pending, row.verdict.request_id), claim);
        assert_ptr_equal(tg_pending_key(&pending, row.claim_key), claim);
    }
    size_t left = CLAIMS;
    assert_int_equal(tg_pending_each(&pending, count_one, &left), TG_OK);
    assert_int_equal(left, CLAIMS / 2);
    left = 3;
    assert_int_equal(tg_pending_each(&pending, count_one, &left), TG_ERR_LIMIT);
    tg_pending_free(&pending);
}

static void test_what_was_told(void **state)
{
    (void)state;
    struct tg_pending pending;
    assert_int_equal(tg_pending_init(&pending), TG_OK);
    struct tg_row row = row_of(1);
    assert_int_equal(tg_pending_add(&pending, &row)->state, TG_CLAIM_STATE_LOST);
    row = row_of(2);
    row.kind = TG_ROW_CARRY_OPEN;
    row.sequence = 100;
    row.outcome = TG_OUTCOME_UNKNOWN;
    row.upstream_status = 504;
    const struct tg_pending_claim *claim = tg_pending_add(&pending, &row);
    assert_int_equal(claim->state, TG_CLAIM_STATE_UNKNOWN);
    assert_int_equal(claim->upstream_status, 504);
    assert_int_equal(claim->row, 100);
    tg_pending_free(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_ways), cmocka_unit_test(test_what_was_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
