/*
 * claim.c - the decision on one idempotency key; see claim.h for the order of its questions.
 *
 * Promises: reads its arguments and nothing else. Does not: compare in
 * constant time: ids and fingerprints are MACs or random, and come from the gate.
 */
#include "core/idempotency/claim.h"

#include <string.h>

enum tg_claim_result tg_claim_decide(const struct tg_claim_known *known, const struct tg_claim_ask *ask)
{
    if (known->state == TG_CLAIM_STATE_NONE)
        return TG_CLAIM_TAKEN;
    if (known->state == TG_CLAIM_STATE_FINAL && known->expires_us <= ask->now_us)
        return TG_CLAIM_TAKEN;
    bool outcome_told = known->state == TG_CLAIM_STATE_FINAL || known->state == TG_CLAIM_STATE_UNKNOWN;
    if (!outcome_told && memcmp(known->request_id, ask->request_id, TG_REQUEST_ID_BYTES) == 0)
        return TG_CLAIM_SAME;
    if (memcmp(known->fingerprint, ask->fingerprint, TG_DIGEST_BYTES) != 0)
        return TG_CLAIM_MISMATCH;
    if (known->state == TG_CLAIM_STATE_FINAL)
        return known->has_answer ? TG_CLAIM_REPLAY : TG_CLAIM_ANSWER_ABSENT;
    if (known->state == TG_CLAIM_STATE_IN_FLIGHT)
        return TG_CLAIM_IN_FLIGHT;
    return ask->resend_unknown ? TG_CLAIM_TAKEN : TG_CLAIM_UNKNOWN;
}
