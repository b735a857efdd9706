/*
 * tour_steps.c - the tour's table, and the judgement of one answer.
 */
#include "cli/tour.h"

#include <string.h>

/* Amounts: EUR minor units; the tour's partner may pay 1000.00 at once (setup.c). */
const struct tg_tour_step tg_tour_steps[] = {
    {"a payment of 10.50 EUR", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 1, "1050", NULL, 201, "", NULL, false},
    {"the same again: answered from the record", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 1, "1050", NULL, 201, "", NULL, true},
    {"  charges in the processor's book", TG_TOUR_CHARGES, 0, 1, NULL, NULL, 1, "", NULL, false},
    {"the same key with another amount", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 1, "2050", NULL, 422, "key_reused", NULL,
     false},
    {"a twin while the first is under way", TG_TOUR_TWIN, TG_TOUR_KEY_FULL, 2, "1150", NULL, 409, "key_in_flight",
     NULL, false},
    {"  charges in the processor's book", TG_TOUR_CHARGES, 0, 2, NULL, NULL, 1, "", NULL, false},
    {"no idempotency key", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 0, "1050", NULL, 400, "key_missing", NULL, false},
    {"an API key that nobody made", TG_TOUR_SEND, TG_TOUR_KEY_UNKNOWN, 3, "1050", NULL, 401, "credential_unknown",
     NULL, false},
    {"an API key with a typing error", TG_TOUR_SEND, TG_TOUR_KEY_TYPO, 3, "1050", NULL, 401, "credential_malformed",
     NULL, false},
    {"an API key that may only read", TG_TOUR_SEND, TG_TOUR_KEY_READ, 3, "1050", NULL, 403, "operation_forbidden",
     NULL, false},
    {"an amount over the limit", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 3, "100001", NULL, 403, "amount_over_limit", NULL,
     false},
    {"an amount of 1e2", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 3, "1e2", NULL, 400, "amount_malformed", "/amount", false},
    {"the upstream charges, then dies", TG_TOUR_FAULT, TG_TOUR_KEY_FULL, 4, "1350", NULL, 502, "outcome_unknown", NULL,
     false},
    {"a retry does not charge again", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 4, "1350", NULL, 409, "key_outcome_unknown",
     NULL, false},
    {"  charges in the processor's book", TG_TOUR_CHARGES, 0, 4, NULL, NULL, 1, "", NULL, false},
    {"reconcile --probe finds the payment", TG_TOUR_RECONCILE, 0, 4, NULL, NULL, 1, "", NULL, false},
    {"the retry now: answered from the record", TG_TOUR_SEND, TG_TOUR_KEY_FULL, 4, "1350", NULL, 201, "", NULL, true},
    {"  charges in the processor's book", TG_TOUR_CHARGES, 0, 4, NULL, NULL, 1, "", NULL, false},
    {"a payment in Stripe's dialect", TG_TOUR_SEND, TG_TOUR_KEY_STRIPE, 5, "1450", "stripe", 200, "", NULL, false},
    {"  the processor's book sums to zero", TG_TOUR_BALANCE, 0, 0, NULL, NULL, 0, "", NULL, false},
};

size_t tg_tour_count(void)
{
    return sizeof(tg_tour_steps) / sizeof(tg_tour_steps[0]);
}

bool tg_tour_expected(const struct tg_tour_step *step, const struct tg_http_answer *answer,
                      const struct tg_payment_told *told)
{
    return answer->status == step->status && strcmp(told->reason, step->reason) == 0 &&
           answer->replayed == step->replayed &&
           (step->pointer == NULL || strcmp(told->pointer, step->pointer) == 0);
}
