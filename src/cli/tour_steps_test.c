/*
 * tour_steps_test.c - the tour's table is sound, and its judgement strict.
 */
#include "cli/tour.h"
#include "core/policy/reason.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static bool sends(const struct tg_tour_step *step)
{
    return step->act == TG_TOUR_SEND || step->act == TG_TOUR_TWIN || step->act == TG_TOUR_FAULT;
}

static void test_table(void **state)
{
    size_t i;

    (void)state;
    assert_true(tg_tour_count() >= 10);
    for (i = 0; i < tg_tour_count(); i++) {
        const struct tg_tour_step *step = &tg_tour_steps[i];

        assert_true(step->key < TG_TOUR_KEYS);
        assert_true(step->idempotency < TG_TOUR_IDEMPOTENCY_KEYS);
        if (sends(step)) {
            assert_non_null(step->amount);
        }
        if (step->reason[0] != '\0' && strcmp(step->reason, "outcome_unknown") != 0) {
            const struct tg_reason_entry *entry = tg_reason_find(tg_span_string(step->reason));

            assert_non_null(entry);
            assert_int_equal(entry->status, step->status);
        }
    }
}

static void test_judgement(void **state)
{
    const struct tg_tour_step step = {.status = 400, .reason = "amount_malformed", .pointer = "/amount"};
    struct tg_http_answer answer = {.status = 400};
    struct tg_payment_told told = {.reason = "amount_malformed", .pointer = "/amount"};

    (void)state;
    assert_true(tg_tour_expected(&step, &answer, &told));
    answer.replayed = true;
    assert_false(tg_tour_expected(&step, &answer, &told));
    answer.replayed = false;
    answer.status = 201;
    assert_false(tg_tour_expected(&step, &answer, &told));
    answer.status = 400;
    (void)snprintf(told.pointer, sizeof(told.pointer), "/other");
    assert_false(tg_tour_expected(&step, &answer, &told));
    (void)snprintf(told.pointer, sizeof(told.pointer), "/amount");
    (void)snprintf(told.reason, sizeof(told.reason), "member_type");
    assert_false(tg_tour_expected(&step, &answer, &told));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_judgement)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
