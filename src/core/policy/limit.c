/*
 * limit.c - one comparison, made in one place.
 *
 * Promises: as limit.h. An amount below zero is over every limit.
 * Does not: remember.
 */
#include "core/policy/limit.h"

#include "base/banned.h"

static bool same_currency(const char a[4], const char b[4])
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

enum tg_reason tg_limit_check(const struct tg_limit_rule *rules, size_t count, const char currency[4],
                              int64_t amount_minor)
{
    if (amount_minor < 0) {
        return TG_REASON_AMOUNT_OVER_LIMIT;
    }
    if (count == 0 || currency[0] == '\0') {
        return TG_REASON_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (same_currency(rules[i].currency, currency)) {
            return amount_minor > rules[i].payment_minor_max ? TG_REASON_AMOUNT_OVER_LIMIT : TG_REASON_OK;
        }
    }
    return TG_REASON_CURRENCY_NOT_ALLOWED;
}
