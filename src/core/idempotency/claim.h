/*
 * claim.h - may this request have the idempotency key that it names?
 *
 * Promises: a pure function from what is known about a claim and what is
 * asked to one of eight results (IETF idempotency-key draft 2.6, 2.7). The
 * order of its questions is the contract and stands at tg_claim_decide.
 * Does not: look anything up, count quotas, or change what is known.
 */
#ifndef TG_CORE_IDEMPOTENCY_CLAIM_H
#define TG_CORE_IDEMPOTENCY_CLAIM_H

#include "base/limits.h"
#include "base/span.h"

enum tg_claim_result {
    TG_CLAIM_TAKEN = 1,      /* new claim: forward it; ticket is valid */
    TG_CLAIM_SAME = 2,       /* the same request id asked again and is not settled: as TAKEN, same ticket, no new row */
    TG_CLAIM_IN_FLIGHT = 3,  /* another request holds the key */
    TG_CLAIM_UNKNOWN = 4,    /* the holder's outcome is not known */
    TG_CLAIM_REPLAY = 5,     /* settled: sealed answer and its segment key are valid */
    TG_CLAIM_ANSWER_ABSENT = 6, /* settled, but no answer is kept (resolved by hand, or purged) */
    TG_CLAIM_MISMATCH = 7,   /* the key belongs to another fingerprint */
    TG_CLAIM_OVER_QUOTA = 8  /* the day's limit; nothing claimed */
};

enum tg_claim_state {
    TG_CLAIM_STATE_NONE = 0,      /* never taken, released, or forgotten */
    TG_CLAIM_STATE_IN_FLIGHT = 1, /* admitted; the link that asked is alive */
    TG_CLAIM_STATE_LOST = 2,      /* admitted; its link or the keeper went before an outcome was told: unknown */
    TG_CLAIM_STATE_UNKNOWN = 3,   /* an outcome was told, and it was "unknown" */
    TG_CLAIM_STATE_FINAL = 4
};

struct tg_claim_known {
    enum tg_claim_state state;
    bool has_answer;         /* FINAL: a stored answer whose key was not destroyed */
    int64_t expires_us;      /* FINAL only: an unknown never expires, and what is in flight may still charge */
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t fingerprint[TG_DIGEST_BYTES];
};

struct tg_claim_ask {
    int64_t now_us;
    bool resend_unknown;     /* the profile says that the upstream itself is idempotent */
    const uint8_t *request_id;  /* TG_REQUEST_ID_BYTES */
    const uint8_t *fingerprint; /* TG_DIGEST_BYTES */
};

/*
 * In this order: nothing known, or final and expired: TAKEN. The same request id, no outcome told: SAME. Another
 * fingerprint: MISMATCH. Final: REPLAY or ANSWER_ABSENT. In flight: IN_FLIGHT. Unknown: UNKNOWN, or TAKEN when it may
 * be sent again. Never OVER_QUOTA: that is asked afterwards, only of what would be taken.
 */
enum tg_claim_result tg_claim_decide(const struct tg_claim_known *known, const struct tg_claim_ask *ask);

#endif
