/*
 * probe.c - see probe.h.
 */
#include "cli/probe.h"

#include "cli/payment.h"
#include "core/http/answer.h"
#include "core/payment/profile.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBE_STATUS_FOUND 201 /* what a create answers */
#define PROBE_WAIT_MS 15000

/* States of a found object that are no success: the caller saw, or must see, something else than the object. */
static const char *const probe_failures[] = {"declined", "failed", "canceled", "requires_payment_method", "rejected"};

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text == NULL ? "" : text;
}

enum tg_probe_verdict tg_probe_judge(const json_t *answer, const char *request_id, const json_t **found, char *why,
                                     size_t why_size)
{
    const json_t *data = json_object_get(answer, "data");
    const char *status;
    size_t i;

    *found = NULL;
    if (!json_is_array(data)) {
        (void)snprintf(why, why_size, "the upstream's answer has no list \"data\"");
        return TG_PROBE_UNSURE;
    }
    if (json_array_size(data) == 0) {
        if (json_is_true(json_object_get(answer, "has_more"))) {
            (void)snprintf(why, why_size, "the upstream's list is not whole");
            return TG_PROBE_UNSURE;
        }
        return TG_PROBE_NOT_EXECUTED;
    }
    if (json_array_size(data) > 1) {
        (void)snprintf(why, why_size, "the upstream has it %zu times: look there at once", json_array_size(data));
        return TG_PROBE_UNSURE;
    }
    *found = json_array_get(data, 0);
    status = json_string_value(json_object_get(*found, "status"));
    for (i = 0; status != NULL && i < sizeof(probe_failures) / sizeof(probe_failures[0]); i++) {
        if (strcmp(status, probe_failures[i]) == 0) {
            (void)snprintf(why, why_size, "the upstream has it as \"%s\": resolve by hand", probe_failures[i]);
            return TG_PROBE_UNSURE;
        }
    }
    /* An upstream that ignores the query answers with somebody else's payment. */
    status = json_string_value(json_object_get(*found, "request_id"));
    if (status != NULL && strcmp(status, request_id) != 0) {
        (void)snprintf(why, why_size, "the upstream does not select by request id");
        return TG_PROBE_UNSURE;
    }
    return TG_PROBE_EXECUTED;
}

bool tg_probe_ended(const json_t *row, int64_t now_s, int64_t after_s)
{
    static const char *const ends[] = {"outcome_unknown_cut", "outcome_unknown_answer", "outcome_unknown_status"};
    struct tm at = {0};
    size_t i;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(text_of(row, "reason"), ends[i]) == 0) {
            return true;
        }
    }
    if (strptime(text_of(row, "at"), "%Y-%m-%dT%H:%M:%S", &at) == NULL) {
        return false;
    }
    return now_s - (int64_t)timegm(&at) >= after_s;
}

/* Opens the profile of the instance that has the row's operation. */
static bool dialect_find(const struct tg_probe *probe, const char *operation, const char *template,
                         struct tg_dialect *ret, const struct tg_operation **found)
{
    char folder[TG_PATH_BYTES_MAX];
    char path[TG_PATH_BYTES_MAX];
    DIR *handle = opendir(tg_instance_path(probe->instance, "profiles", folder));
    const struct dirent *entry;

    *found = NULL;
    while (handle != NULL && *found == NULL && (entry = readdir(handle)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0 ||
            tg_path_join(path, folder, entry->d_name) != TG_OK || tg_dialect_open(path, ret) != TG_OK) {
            continue;
        }
        *found = tg_dialect_operation(ret, tg_span_string(operation));
        if (*found != NULL && template[0] != '\0' && !tg_span_equal((*found)->path, tg_span_string(template))) {
            *found = NULL;
        }
        if (*found == NULL) {
            tg_dialect_close(ret);
        }
    }
    if (handle != NULL) {
        (void)closedir(handle);
    }
    return *found != NULL;
}

static void unsure(struct tg_probe_result *ret, const char *why)
{
    ret->verdict = TG_PROBE_UNSURE;
    (void)snprintf(ret->why, sizeof(ret->why), "%s", why);
}

/* The found object as the answer that retries will get. */
static bool answer_keep(const json_t *found, struct tg_probe_result *ret)
{
    char *text = json_dumps(found, JSON_COMPACT);
    size_t len = text == NULL ? 0 : strlen(text);
    size_t cap = len + 256;
    uint8_t *stored = malloc(cap);
    struct tg_buf out = tg_buf(stored, stored == NULL ? 0 : cap);
    struct tg_answer answer = {.status = PROBE_STATUS_FOUND, .field_count = 1, .body = tg_span(text, len)};
    bool fine;

    answer.fields[0] = (struct tg_answer_field){TG_SPAN("content-type"), TG_SPAN("application/json")};
    fine = text != NULL && tg_answer_write(&out, &answer) == TG_OK;
    if (fine) {
        struct tg_buf hex;

        ret->answer_hex = malloc(out.len * 2 + 1);
        hex = tg_buf(ret->answer_hex, ret->answer_hex == NULL ? 0 : out.len * 2 + 1);
        tg_buf_put_hex(&hex, tg_buf_span(&out));
        tg_buf_put_u8(&hex, 0);
        fine = tg_buf_done(&hex) == TG_OK;
    }
    ret->status = PROBE_STATUS_FOUND;
    free(stored);
    free(text);
    return fine;
}

static void answer_judge(const struct tg_http_answer *answer, const char *request_id, struct tg_probe_result *ret)
{
    struct tg_payment_told told;
    const json_t *found;
    json_error_t error;
    json_t *root;

    if (answer->status != 200) {
        tg_payment_told(answer, &told);
        (void)snprintf(ret->why, sizeof(ret->why), "the probe was answered %d %s%s", answer->status, told.reason,
                       answer->status == 401 || answer->status == 403 ? ": is the key allowed to list?" : "");
        return;
    }
    root = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, &error);
    ret->verdict = tg_probe_judge(root, request_id, &found, ret->why, sizeof(ret->why));
    if (ret->verdict == TG_PROBE_EXECUTED && !answer_keep(found, ret)) {
        unsure(ret, "the found object could not be kept");
    }
    json_decref(root);
}

static void probe_send(const struct tg_probe *probe, const struct tg_dialect *dialect,
                       const struct tg_operation *operation, const char *request_id, struct tg_probe_result *ret)
{
    char query[200];
    struct tg_payment payment = {.url = probe->url,
                                 .ca = probe->ca,
                                 .key = probe->key,
                                 .dialect = dialect,
                                 .operation = operation,
                                 .query = query,
                                 .wait_ms = PROBE_WAIT_MS};
    struct tg_http_answer answer;

    (void)snprintf(query, sizeof(query), "%.*s=%s", (int)dialect->profile->probe_query.len,
                   (const char *)dialect->profile->probe_query.ptr, request_id);
    if (tg_payment_send(&payment, &answer) != TG_OK) {
        unsure(ret, "the probe could not be sent");
        return;
    }
    if (answer.status == 0) {
        (void)snprintf(ret->why, sizeof(ret->why), "the gate does not answer: %.120s", answer.error);
    } else {
        answer_judge(&answer, request_id, ret);
    }
    tg_http_answer_free(&answer);
}

void tg_probe_ask(const struct tg_probe *probe, const json_t *row, struct tg_probe_result *ret)
{
    const char *request_id = text_of(row, "request_id");
    const struct tg_operation *operation;
    const struct tg_operation *asking;
    struct tg_dialect dialect;

    memset(ret, 0, sizeof(*ret));
    unsure(ret, "");
    if (strlen(request_id) != TG_REQUEST_ID_CHARS ||
        strspn(request_id, "0123456789abcdef") != TG_REQUEST_ID_CHARS) {
        unsure(ret, "the row has no request id");
        return;
    }
    if (!dialect_find(probe, text_of(row, "operation"), text_of(row, "path_template"), &dialect, &operation)) {
        unsure(ret, "no profile of the instance has its operation: resolve by hand");
        return;
    }
    asking = tg_dialect_operation(&dialect, dialect.profile->probe_operation);
    if (asking == NULL || dialect.profile->probe_query.len == 0) {
        unsure(ret, "its profile names no probe: resolve by hand");
    } else if (!tg_span_equal(asking->path, operation->path)) {
        unsure(ret, "the probe lists what calls like this change, not the calls: look at the upstream, resolve by hand");
    } else {
        probe_send(probe, &dialect, asking, request_id, ret);
        if (ret->verdict == TG_PROBE_NOT_EXECUTED && !tg_probe_ended(row, probe->now_s, probe->after_s)) {
            unsure(ret, "the upstream has it not, but may still be at work: probe again later (--after)");
        }
    }
    tg_dialect_close(&dialect);
}
