/*
 * limit.h - is one payment within a partner's limits?
 *
 * Promises: pure; decides from the rules that it is given.
 * Does not: count (the limit of the day is the store's, in the same transaction as the claim).
 */
#ifndef TG_CORE_POLICY_LIMIT_H
#define TG_CORE_POLICY_LIMIT_H

#include "core/policy/reason.h"

/* One row: what a partner may pay at once in one currency of one environment. */
struct tg_limit_rule {
    char currency[4];          /* upper case and NUL */
    int64_t payment_minor_max; /* 0: none allowed */
};

/*
 * rules: those of the partner and environment. None at all: the partner is not limited.
 * currency: "" when the call names none, as a capture or refund does; it was judged when the payment was made, the
 * upstream bounds it by that, and no rule could be chosen: TG_REASON_OK.
 * TG_REASON_OK, CURRENCY_NOT_ALLOWED or AMOUNT_OVER_LIMIT.
 */
enum tg_reason tg_limit_check(const struct tg_limit_rule *rules, size_t count, const char currency[4],
                              int64_t amount_minor);

#endif
