/*
 * policy.c - the order of checks: who, which operation, how much, towards where.
 *
 * Promises: as policy.h. The operation is checked before a claim is looked at, so that a replay
 * reaches only a key that could have made the call.
 * Does not: change anything.
 */
#include "keeper/policy.h"

#include <string.h>

#include "base/banned.h"

static bool key_live(const struct tg_setup_key *key, int64_t now_us)
{
    return key->revoked_us == 0 && (key->expires_us == 0 || key->expires_us > now_us);
}

enum tg_reason tg_policy_authenticate(const struct tg_setup *setup, const struct tg_auth *auth, int64_t now_us,
                                      const struct tg_setup_key **ret_key)
{
    const struct tg_setup_key *key = tg_setup_key_hashed(setup, auth->key_hash);
    *ret_key = NULL;
    if (key == NULL || !key_live(key, now_us)) {
        return TG_REASON_CREDENTIAL_UNKNOWN;
    }
    bool match;
    if (tg_setup_certificates(setup, key->partner, auth->certificate, now_us, &match) &&
        !(auth->has_certificate && match)) {
        return TG_REASON_CERTIFICATE_MISMATCH;
    }
    *ret_key = key;
    return TG_REASON_OK;
}

/* Limits of one payment; the day's limit is handed on. */
static enum tg_reason judge_amount(const struct tg_setup *setup, const struct tg_admit *admit,
                                   struct tg_policy_quota *quota)
{
    /* A capture or refund in some dialects leaves the currency to its payment, which was judged when it was made. */
    if (admit->currency[0] == 0) {
        return TG_REASON_OK;
    }
    const struct tg_limit *limit = tg_setup_limit(setup, admit->partner, admit->environment, admit->currency);
    if (limit == NULL) {
        return TG_REASON_CURRENCY_NOT_ALLOWED;
    }
    if (admit->amount_minor < 0 || admit->amount_minor > limit->payment_minor_max) {
        return TG_REASON_AMOUNT_OVER_LIMIT;
    }
    quota->has_quota = limit->day_minor_max > 0;
    quota->day_minor = limit->day_minor_max;
    return TG_REASON_OK;
}

enum tg_reason tg_policy_admit(const struct tg_setup *setup, const struct tg_admit *admit, int64_t now_us,
                               struct tg_policy_quota *quota)
{
    const struct tg_setup_key *key = tg_setup_key(setup, admit->credential);
    *quota = (struct tg_policy_quota){0};
    if (key == NULL || !key_live(key, now_us) || key->partner != admit->partner ||
        key->environment != admit->environment) {
        return TG_REASON_CREDENTIAL_UNKNOWN;
    }
    if (!tg_setup_operation_allowed(key->operations, admit->operation)) {
        return TG_REASON_OPERATION_FORBIDDEN;
    }
    if ((admit->flags & TG_FLAG_MONEY_MOVING) && (admit->flags & TG_FLAG_HAS_AMOUNT)) {
        enum tg_reason reason = judge_amount(setup, admit, quota);
        if (reason != TG_REASON_OK) {
            return reason;
        }
    }
    /* What is only observed reserves nothing: its calls go out whatever is said here. */
    if (admit->flags & TG_FLAG_OBSERVE) {
        *quota = (struct tg_policy_quota){0};
        return TG_REASON_OK;
    }
    return tg_setup_route(setup, admit->route) == NULL ? TG_REASON_ROUTE_CREDENTIAL_ABSENT : TG_REASON_OK;
}

int32_t tg_policy_day(int64_t now_us)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t day = now_us / day_us;
    return (int32_t)(now_us % day_us < 0 ? day - 1 : day);
}
