/*
 * policy.h - what may be said about a question before anything is claimed.
 *
 * Promises: judges from the tables in memory and the question alone: no I/O, no clock. What is
 * not known is closed: a partner without limits may move no amount.
 * Does not: count the day's quota (the store does, with the claim) or look at idempotency.
 */
#ifndef TG_KEEPER_POLICY_H
#define TG_KEEPER_POLICY_H

#include "core/policy/reason.h"
#include "keeper/setup.h"
#include "wire/message.h"

struct tg_policy_quota {
    bool has_quota;
    int64_t day_minor;
};

/* May this call be claimed? The quota is to be reserved with the claim. */
enum tg_reason tg_policy_admit(const struct tg_setup *setup, const struct tg_admit *admit, int64_t now_us,
                               struct tg_policy_quota *quota);

/* Is this key, shown with this certificate, good now? *key is set when the reason is OK. */
enum tg_reason tg_policy_authenticate(const struct tg_setup *setup, const struct tg_auth *auth, int64_t now_us,
                                      const struct tg_setup_key **key);

/* Days since 1970-01-01 UTC. */
int32_t tg_policy_day(int64_t now_us);

#endif
