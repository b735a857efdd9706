/*
 * doctor_setup.c - what the keeper lacks for payments to pass: credentials, keys, limits, an upstream that answers.
 */
#include "cli/doctor.h"

#include "cli/admin.h"
#include "cli/conf_scan.h"
#include "cli/service.h"

#include <string.h>
#include <time.h>

static json_t *rows_ask(struct tg_admin *admin, const char *command, json_t **result)
{
    char why[200];

    *result = NULL;
    return tg_admin_try(admin, command, NULL, result, why, sizeof(why)) == TG_OK ? json_object_get(*result, "rows")
                                                                                 : NULL;
}

static bool row_has(const json_t *rows, const char *member, const char *text)
{
    size_t i;

    for (i = 0; i < json_array_size(rows); i++) {
        const char *value = json_string_value(json_object_get(json_array_get(rows, i), member));

        if (value != NULL && strcmp(value, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Every route that nginx.conf gates, once: rows of {"route": name}. */
static json_t *routes_gated(const struct tg_doctor *doctor)
{
    struct tg_conf_scan scan = {.rest = tg_span(doctor->conf, doctor->conf_len)};
    json_t *gated = json_array();

    while (tg_conf_scan_next(&scan)) {
        if (tg_conf_scan_is(&scan, "tollgate_route") && scan.count >= 2 && !row_has(gated, "route", scan.words[1])) {
            (void)json_array_append_new(gated, json_pack("{s:s}", "route", scan.words[1]));
        }
    }
    return gated;
}

/* Routes that have nothing to show to their upstream, and credentials that no route shows. */
static void check_routes(struct tg_doctor *doctor, struct tg_admin *admin)
{
    json_t *result;
    const json_t *rows = rows_ask(admin, "route.list", &result);
    json_t *gated = routes_gated(doctor);
    size_t i;

    for (i = 0; rows != NULL && i < json_array_size(gated); i++) {
        const char *route = json_string_value(json_object_get(json_array_get(gated, i), "route"));

        if (!row_has(rows, "route", route)) {
            tg_doctor_find(doctor, TG_FINDING_FAULT, "tollgate route set ROUTE --credential-file FILE",
                           "the route \"%s\" has no upstream credential: its payments get 503", route);
        }
    }
    for (i = 0; i < json_array_size(rows); i++) {
        const char *route = json_string_value(json_object_get(json_array_get(rows, i), "route"));

        if (route != NULL && !row_has(gated, "route", route)) {
            tg_doctor_find(doctor, TG_FINDING_WARNING, "compare the name with tollgate_route in nginx.conf",
                           "a credential is kept for the route \"%s\", which nginx.conf does not have", route);
        }
    }
    json_decref(gated);
    json_decref(result);
}

static bool key_usable(const json_t *key, int64_t now_s)
{
    int64_t expires_s = json_integer_value(json_object_get(key, "expires_s"));

    return !json_is_true(json_object_get(key, "revoked")) && (expires_s == 0 || expires_s > now_s);
}

/* Keys that could pay, and partners that have one but no limit. */
static void check_keys(struct tg_doctor *doctor, struct tg_admin *admin)
{
    json_t *keys_result;
    json_t *limits_result;
    const json_t *keys = rows_ask(admin, "key.list", &keys_result);
    const json_t *limits = rows_ask(admin, "limit.show", &limits_result);
    json_t *said = json_array();
    bool usable = false;
    size_t i;

    for (i = 0; keys != NULL && limits != NULL && i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        const char *partner = json_string_value(json_object_get(key, "partner"));

        if (partner == NULL || !key_usable(key, (int64_t)time(NULL))) {
            continue;
        }
        usable = true;
        if (!row_has(limits, "partner", partner) && !row_has(said, "partner", partner)) {
            (void)json_array_append_new(said, json_pack("{s:s}", "partner", partner));
            tg_doctor_find(doctor, TG_FINDING_FAULT, "tollgate partner limit set NAME --currency CODE --payment-max N",
                           "the partner \"%s\" has an API key and no limit: each of its payments is refused", partner);
        }
    }
    if (keys != NULL && !usable) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "tollgate key create --partner NAME --operations ... --out FILE",
                       "no API key can be used: there is none, or all are revoked or have ended");
    }
    json_decref(said);
    json_decref(keys_result);
    json_decref(limits_result);
}

static void check_unknowns(struct tg_doctor *doctor, struct tg_admin *admin)
{
    json_t *result = NULL;
    char why[200];
    int64_t unknown;

    if (tg_admin_try(admin, "status", NULL, &result, why, sizeof(why)) != TG_OK) {
        return;
    }
    unknown = json_integer_value(json_object_get(json_object_get(result, "counts"), "unknown"));
    if (unknown > 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "tollgate reconcile --probe",
                       "of %lld payments nobody knows whether the upstream carried them out", (long long)unknown);
    }
    json_decref(result);
}

static void check_upstream(struct tg_doctor *doctor)
{
    if (doctor->instance.sandbox) {
        return; /* one of the services, looked at with them */
    }
    if (tg_address_answers(doctor->instance.upstream)) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the upstream %s answers", doctor->instance.upstream);
    } else {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "start it, open the way to it, or write its address in nginx.conf "
                                                 "and tollgate.json",
                       "the upstream %s cannot be reached: payments get 502", doctor->instance.upstream);
    }
}

void tg_doctor_setup(struct tg_doctor *doctor)
{
    struct tg_admin admin;

    check_upstream(doctor);
    if (!doctor->runs || !doctor->may_ask || tg_admin_open(&doctor->instance, true, &admin) != TG_OK) {
        return;
    }
    check_routes(doctor, &admin);
    check_keys(doctor, &admin);
    check_unknowns(doctor, &admin);
    tg_admin_close(&admin);
}
