/*
 * admin_limit.c - limit.set, limit.show.
 *
 * Promises: amounts are minor units of a currency that one can pay in; the event says what stood before.
 * Does not: remove a limit; a payment_max of 0 allows nothing.
 */
#include <string.h>

#include "core/payment/money.h"
#include "keeper/admin.h"

#include "base/banned.h"

static json_t *limit_row(const struct tg_setup *setup, const struct tg_limit *row)
{
    const struct tg_partner *partner = tg_setup_partner(setup, row->partner);
    return json_pack("{s:s,s:s,s:s,s:I,s:I}", "partner", partner == NULL ? "" : partner->name, "environment",
                     tg_admin_environment_name(row->environment), "currency", row->currency, "payment_max",
                     (json_int_t)row->payment_minor_max, "day_max", (json_int_t)row->day_minor_max);
}

static void limit_set(struct tg_admin_call *call)
{
    if (tg_setup_add_limit(&call->keeper->setup, &call->act.limit) != TG_OK) {
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    json_t *rows = json_array();
    json_array_append_new(rows, limit_row(&call->keeper->setup, &call->act.limit));
    tg_admin_rows(call, rows);
}

void tg_admin_limit_set(struct tg_admin_call *call)
{
    const struct tg_partner *partner;
    struct tg_limit *row = &call->act.limit;
    struct tg_span currency;
    uint8_t exponent;
    if (!tg_admin_partner(call, &partner) || !tg_admin_environment(call, &row->environment) ||
        !tg_admin_text(call, "currency", 3, &currency) ||
        !tg_admin_number(call, "payment_max", TG_AMOUNT_MINOR_MAX, &row->payment_minor_max)) {
        return;
    }
    if (tg_admin_has(call, "day_max") && !tg_admin_number(call, "day_max", INT64_MAX, &row->day_minor_max)) {
        return;
    }
    if (tg_currency_find(currency, row->currency, &exponent) != TG_OK) {
        tg_admin_fail(call, "argument", "currency is not in ISO 4217");
        return;
    }
    call->act.kind = TG_ACT_LIMIT_SET;
    row->partner = partner->id;
    const struct tg_limit *before = tg_setup_limit(&call->keeper->setup, partner->id, row->environment,
                                                   (const uint8_t *)row->currency);
    json_t *was = before == NULL ? NULL : limit_row(&call->keeper->setup, before);
    tg_admin_act(call, "limit.set", tg_span_string(partner->name), was, limit_row(&call->keeper->setup, row),
                 limit_set);
}

void tg_admin_limit_show(struct tg_admin_call *call)
{
    const struct tg_setup *setup = &call->keeper->setup;
    const struct tg_limit *limits = setup->limits.rows;
    const struct tg_partner *only = NULL;
    if (tg_admin_has(call, "partner") && !tg_admin_partner(call, &only)) {
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < setup->limits.count; i++) {
        if (only == NULL || only->id == limits[i].partner) {
            json_array_append_new(rows, limit_row(setup, &limits[i]));
        }
    }
    tg_admin_rows(call, rows);
}
