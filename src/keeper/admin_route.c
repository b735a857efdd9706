/*
 * admin_route.c - route.set, route.list.
 *
 * Promises: a credential is sealed by the sealer (aad: the route's name) before it is stored, and
 * wiped here; neither it nor its sealed form is ever shown.
 * Does not: check that the upstream takes it.
 */
#include <string.h>

#include "crypto/crypto.h"
#include "keeper/admin.h"
#include "keeper/clock.h"

#include "base/banned.h"

/* An operator waits for a sealer that is being started, but not as long as their command line does. */
#define PATIENCE_US 5000000

static void route_set(struct tg_admin_call *call)
{
    if (tg_setup_add_route(&call->keeper->setup, &call->act.route) != TG_OK) {
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    tg_admin_ok(call, json_object());
}

static void take_sealed(void *user, uint8_t status, struct tg_span output)
{
    struct tg_admin_call *call = user;
    if (status != TG_SEAL_DONE) {
        tg_admin_fail(call, "sealer_unavailable", "the sealer could not seal the credential");
        return;
    }
    uint8_t *sealed = tg_admin_hold(call, output.len);
    if (sealed == NULL) {
        return;
    }
    memcpy(sealed, output.ptr, output.len);
    call->act.route.sealed = tg_span(sealed, output.len);
    struct tg_span name = tg_span_string(call->act.route.route);
    bool known = tg_setup_route(&call->keeper->setup, name) != NULL;
    tg_admin_act(call, "route.set", name, json_pack("{s:b}", "credential", known),
                 json_pack("{s:b}", "credential", 1), route_set);
}

/* RFC 9110 5.5: visible characters with single blanks between; it becomes a field's value. */
static bool value_ok(struct tg_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e) {
            return false;
        }
    }
    return value.len > 0 && value.ptr[0] != ' ' && value.ptr[value.len - 1] != ' ';
}

void tg_admin_route_set(struct tg_admin_call *call)
{
    struct tg_span name;
    struct tg_span credential;
    if (!tg_admin_name(call, "route", &name) ||
        !tg_admin_text(call, "credential", TG_UPSTREAM_CREDENTIAL_BYTES_MAX, &credential)) {
        return;
    }
    if (!value_ok(credential)) {
        tg_admin_fail(call, "argument", "credential is no field value");
        return;
    }
    call->act.kind = TG_ACT_ROUTE_SET;
    memcpy(call->act.route.route, name.ptr, name.len);
    struct tg_seal_work work = {TG_SEAL_SEAL, TG_SEAL_KEY_CREDENTIAL, name, credential};
    /* The ask has a copy that it wipes; the parser's own goes with the call. */
    tg_sealer_ask(&call->keeper->sealer, &work, tg_clock_monotonic_us() + PATIENCE_US,
                  take_sealed, call);
}

void tg_admin_route_list(struct tg_admin_call *call)
{
    const struct tg_setup_table *table = &call->keeper->setup.routes;
    const struct tg_setup_route *routes = table->rows;
    json_t *rows = json_array();
    for (size_t i = 0; i < table->count; i++) {
        json_array_append_new(rows, json_pack("{s:s,s:b}", "route", routes[i].name, "credential", 1));
    }
    tg_admin_rows(call, rows);
}
