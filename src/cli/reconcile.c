/*
 * reconcile.c - `tollgate reconcile`: unknown outcomes listed, probed, or resolved by hand.
 *
 * Promises: each resolution goes through the keeper, which records who did it and why.
 * Does not: guess. What a probe cannot settle stays unknown, and is said.
 */
#include "cli/reconcile.h"

#include "cli/command.h"
#include "cli/http_client.h"
#include "cli/table.h"
#include "crypto/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECONCILE_ROWS_MAX 1000 /* one call's worth; call again for more */
#define RECONCILE_AFTER_S 60    /* three times the proxy_read_timeout of the template */

const struct tg_option tg_options_reconcile[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    TG_OPTION_INSTANCE,
    {"list", 0, TG_OPTION_FLAG, NULL, "list (what it does when nothing else is said)"},
    {"probe", 0, TG_OPTION_FLAG, NULL, "ask the upstream through the gate, resolve what is certain"},
    {"url", 0, TG_OPTION_TEXT, "URL", "the gate (https:// and the instance's listen address)"},
    {"key-file", 0, TG_OPTION_TEXT, "FILE", "API key that may use the probe operation (client/tour.key)"},
    {"ca", 0, TG_OPTION_TEXT, "FILE", "authority of the gate's certificate (client/ca.pem)"},
    {"after", 0, TG_OPTION_TEXT, "SECONDS",
     "how old a call must be before its absence upstream counts, where the "
     "upstream did not end it itself (60)"},
    {"resolve", 0, TG_OPTION_TEXT, "ID", "resolve this request id by hand"},
    {"executed", 0, TG_OPTION_FLAG, NULL, "it was carried out: retries get 409, never a second charge"},
    {"not-executed", 0, TG_OPTION_FLAG, NULL, "it was not: the key is free, a retry is forwarded"},
    {"note", 0, TG_OPTION_TEXT, "TEXT", "how you know; no personal data: it stands in the record"},
    TG_OPTION_END,
};

static const char *const verdict_names[] = {"", "executed", "not executed", "still unknown"};

static json_t *resolve_arguments(const char *request_id, bool executed, uint16_t status, const char *note,
                                 const char *answer_hex)
{
    json_t *arguments = json_pack("{s:s, s:b, s:i, s:s}", "request_id", request_id, "executed", executed ? 1 : 0,
                                  "status", (int)status, "note", note);

    if (arguments != NULL && answer_hex != NULL) {
        (void)json_object_set_new(arguments, "answer", json_string(answer_hex));
    }
    return arguments;
}

static enum tg_err probe_one(struct tg_admin *admin, const struct tg_probe *probe, const json_t *row, bool quiet,
                             struct tg_reconcile_counts *counts)
{
    const char *request_id = json_string_value(json_object_get(row, "request_id"));
    struct tg_probe_result result;
    json_t *told = NULL;
    enum tg_err err = TG_OK;

    tg_probe_ask(probe, row, &result);
    if (result.verdict == TG_PROBE_UNSURE) {
        counts->unsure++;
    } else {
        bool executed = result.verdict == TG_PROBE_EXECUTED;

        err = tg_admin_ask(admin, "reconcile.resolve",
                           resolve_arguments(request_id, executed, result.status,
                                             executed ? "probe: the upstream has it" : "probe: the upstream has it not",
                                             result.answer_hex),
                           &told);
        json_decref(told);
        if (err == TG_OK) {
            counts->executed += executed ? 1 : 0;
            counts->not_executed += executed ? 0 : 1;
        } else {
            counts->unsure++;
        }
    }
    if (!quiet) {
        (void)printf("%s  %s%s%s\n", request_id == NULL ? "-" : request_id,
                     err == TG_OK ? verdict_names[result.verdict] : "not recorded", result.why[0] == '\0' ? "" : ": ",
                     result.why);
    }
    free(result.answer_hex);
    return err == TG_ERR_DENIED ? TG_OK : err; /* one that was resolved meanwhile does not stop the others */
}

enum tg_err tg_reconcile_probe(struct tg_admin *admin, const struct tg_probe *probe, const char *only, bool quiet,
                               struct tg_reconcile_counts *ret)
{
    json_t *result = NULL;
    const json_t *rows;
    enum tg_err err = tg_admin_ask(admin, "reconcile.list", json_pack("{s:i}", "limit", RECONCILE_ROWS_MAX), &result);
    size_t i;

    memset(ret, 0, sizeof(*ret));
    rows = json_is_array(result) ? result : json_object_get(result, "rows");
    for (i = 0; err == TG_OK && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *request_id = json_string_value(json_object_get(row, "request_id"));

        if (only == NULL || (request_id != NULL && strcmp(only, request_id) == 0)) {
            err = probe_one(admin, probe, row, quiet, ret);
        }
    }
    json_decref(result);
    return err;
}

static int reconcile_list(const struct tg_arguments *arguments)
{
    static const char *const columns[] = {"request_id",   "at",       "partner", "route", "operation",
                                          "amount_minor", "currency", "reason",  NULL};
    json_t *result;
    int code = tg_admin_once(arguments, "reconcile.list", json_pack("{s:i}", "limit", RECONCILE_ROWS_MAX), &result);

    if (code == TG_EXIT_OK) {
        tg_rows_print(result, tg_arguments_flag(arguments, "json"), columns);
    }
    return code;
}

static int reconcile_by_hand(const struct tg_arguments *arguments, const char *request_id)
{
    bool executed = tg_arguments_flag(arguments, "executed");
    const char *note = tg_arguments_text(arguments, "note");
    json_t *result;
    int code;

    if (executed == tg_arguments_flag(arguments, "not-executed")) {
        return tg_usage("reconcile: --resolve: say either --executed or --not-executed");
    }
    if (note == NULL || note[0] == '\0') {
        return tg_usage("reconcile: --resolve: --note TEXT is needed: how do you know?");
    }
    code =
        tg_admin_once(arguments, "reconcile.resolve", resolve_arguments(request_id, executed, 0, note, NULL), &result);
    if (code == TG_EXIT_OK) {
        (void)printf("resolved as %s; it stands in the record\n", executed ? "executed" : "not executed");
    }
    json_decref(result);
    return code;
}

static int reconcile_by_probe(struct tg_arguments *arguments)
{
    struct tg_instance instance;
    struct tg_admin admin;
    struct tg_reconcile_counts counts = {0, 0, 0};
    struct tg_probe probe = {.instance = &instance, .now_s = (int64_t)time(NULL), .after_s = RECONCILE_AFTER_S};
    char url[TG_INSTANCE_URL_BYTES_MAX];
    char ca[TG_PATH_BYTES_MAX];
    char key_file[TG_PATH_BYTES_MAX];
    char key[TG_KEY_FILE_BYTES_MAX];
    enum tg_err err;

    if (tg_arguments_number(arguments, "after", 0, 86400, &probe.after_s) != TG_OK) {
        return tg_usage("reconcile: %s", arguments->why);
    }
    if (tg_instance_open(arguments, NULL, &instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    probe.url = tg_arguments_text_or(arguments, "url", tg_instance_url(&instance, url));
    probe.ca = tg_arguments_text_or(arguments, "ca", tg_instance_path(&instance, "client/ca.pem", ca));
    (void)tg_instance_path(&instance, "client/tour.key", key_file);
    if (tg_arguments_text(arguments, "key-file") == NULL && !tg_file_exists(key_file)) {
        return tg_usage("reconcile: --probe asks through the gate: --key-file FILE is needed, with an API key that may "
                        "use the profile's probe operation");
    }
    if (tg_file_read_line(tg_arguments_text_or(arguments, "key-file", key_file), key, sizeof(key)) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    probe.key = key;
    if (tg_admin_open(&instance, false, &admin) != TG_OK || tg_http_start() != TG_OK) {
        tg_wipe(key, sizeof(key));
        return TG_EXIT_UNREACHABLE;
    }
    err = tg_reconcile_probe(&admin, &probe, NULL, false, &counts);
    tg_http_stop();
    tg_admin_close(&admin);
    tg_wipe(key, sizeof(key));
    if (err != TG_OK) {
        return TG_EXIT_UNREACHABLE;
    }
    (void)printf("%d executed, %d not executed, %d still unknown\n", counts.executed, counts.not_executed,
                 counts.unsure);
    return counts.unsure == 0 ? TG_EXIT_OK : TG_EXIT_UNREACHABLE;
}

int tg_command_reconcile(struct tg_arguments *arguments)
{
    const char *request_id = tg_arguments_text(arguments, "resolve");

    if (request_id != NULL) {
        return reconcile_by_hand(arguments, request_id);
    }
    return tg_arguments_flag(arguments, "probe") ? reconcile_by_probe(arguments) : reconcile_list(arguments);
}
