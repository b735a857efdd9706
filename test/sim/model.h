/*
 * model.h - what must be true of every payment, kept apart from every store: the referee of the simulator.
 *
 * Promises: sees each batch as it became durable and each answer as it reached a gate, and ends the program at the
 * first that no store in its right mind could give: a verdict that is not legal for what is known of the key, a
 * second charge, an acknowledgement of something that is not durable, a quota that is not exact.
 * Does not: share a line with a store's decision.
 */
#ifndef TG_SIM_MODEL_H
#define TG_SIM_MODEL_H

#include <stdbool.h>

#include "store/store.h"
#include "core/policy/reason.h"
#include "wire/message.h"

#define MODEL_ANSWER_BYTES_MAX 300

struct model_payment {
    uint8_t key_digest[TG_DIGEST_BYTES];
    uint8_t fingerprint[TG_DIGEST_BYTES];
    uint32_t partner;
    int64_t amount;
    uint32_t ttl_s;
    bool resend;      /* the upstream is idempotent */
    uint32_t holder;  /* the request that has the key; SIM_NONE */
    unsigned charges; /* in the present life of its key */
    bool earlier;     /* its key had a life before, which a clock that steps back may bring back */
    unsigned tries;
};

enum model_state { MODEL_NEW, MODEL_OPEN, MODEL_FINAL, MODEL_RELEASED };

struct model_request {
    uint8_t id[TG_REQUEST_ID_BYTES];
    uint32_t payment;
    bool other_fingerprint; /* asks with the right key for another payment */
    enum model_state state;
    uint8_t outcome; /* that ended it, or TG_OUTCOME_UNKNOWN told */
    bool lost, replaced;
    uint64_t owner, ticket;
    int64_t at_us, expires_us;
    int32_t day;
    bool reserved;
    uint32_t open_at;
};

extern struct model_payment *model_payments;
extern struct model_request *model_requests;
extern size_t model_payment_count, model_request_count;

/* Counts of what happened, for the last line. */
struct model_counts {
    uint64_t taken, same, in_flight, unknown, replay, absent, mismatch, over_quota, settles, late_settles, lost,
        charges, retaken, expired, crashes;
};
extern struct model_counts model_counts;

uint32_t model_payment_new(const struct model_payment *payment);
uint32_t model_request_new(uint32_t payment, bool other_fingerprint);
/* The stored answer of a request: drawn from its id, so that any replay can be compared. */
struct tg_span model_answer(uint32_t request, uint8_t room[MODEL_ANSWER_BYTES_MAX]);

/* Limits of the day, by partner - 1. */
void model_limit(uint32_t partner, int64_t day_minor);
int64_t model_used(uint32_t partner, int32_t day);

void model_committed(int64_t now_us, struct tg_work *const *works, size_t count);
void model_crashed(void);
size_t model_open(void);
size_t model_open_lost(void);

/* The upstream executes the request: true when money moves. */
bool model_execute(uint32_t request);

/* What reached a gate. */
void model_told_admit(uint32_t request, const struct tg_admit_answer *answer);
void model_told_settle(uint32_t request, uint8_t outcome);

void model_free(void);

#endif
