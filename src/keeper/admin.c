/*
 * admin.c - taking a command in, making its act durable, answering it.
 *
 * Promises: as admin.h. A request that is no JSON object of the known shape is answered with an
 * error and leaves the link open; a frame that is none closes it.
 * Does not: know any command's meaning.
 */
#include "keeper/admin.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "keeper/clock.h"

#include "base/banned.h"

struct command {
    const char *name;
    void (*serve)(struct tg_admin_call *call);
};

static const struct command commands[] = {
    {"status", tg_admin_status},
    {"metrics", tg_admin_metrics},
    {"partner.add", tg_admin_partner_add},
    {"partner.list", tg_admin_partner_list},
    {"limit.set", tg_admin_limit_set},
    {"limit.show", tg_admin_limit_show},
    {"key.create", tg_admin_key_create},
    {"key.list", tg_admin_key_list},
    {"key.revoke", tg_admin_key_revoke},
    {"certificate.add", tg_admin_certificate_add},
    {"certificate.list", tg_admin_certificate_list},
    {"route.set", tg_admin_route_set},
    {"route.list", tg_admin_route_list},
    {"reconcile.list", tg_admin_reconcile_list},
    {"reconcile.resolve", tg_admin_reconcile_resolve},
    {"log.tail", tg_admin_log_tail},
    {"act", tg_admin_log_act},
    {"backup.begin", tg_admin_backup_begin},
    {"backup.state", tg_admin_backup_state},
    {"backup.end", tg_admin_backup_end},
};

static void free_wiped(void *piece)
{
    if (piece != NULL) {
        tg_wipe(piece, malloc_usable_size(piece));
        free(piece);
    }
}

static void end(struct tg_admin_call *call)
{
    struct tg_link *link = call->link;
    json_decref(call->root);
    free(call->before);
    free(call->after);
    if (call->held != NULL) {
        tg_wipe(call->held, call->held_len);
        free(call->held);
    }
    free(call->text.ptr);
    tg_wipe(call, sizeof(*call));
    free(call);
    tg_link_resume(link);
    tg_link_drop(link);
}

void tg_admin_answer_text(struct tg_admin_call *call, struct tg_span json)
{
    struct tg_buf *out = tg_link_room(call->link, json.len + TG_FRAME_HEADER_BYTES);
    if (out != NULL) {
        tg_bytes_write(out, TG_FRAME_ADMIN_ANSWER, call->slot, call->turn, json);
    }
    end(call);
}

static void answer(struct tg_admin_call *call, json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    struct tg_span json = TG_SPAN("{\"ok\":false,\"error\":\"internal\",\"text\":\"no memory\"}");
    if (text != NULL) {
        json = tg_span_string(text);
    }
    if (json.len > TG_ADMIN_ANSWER_BYTES_MAX) {
        json = TG_SPAN("{\"ok\":false,\"error\":\"too_large\",\"text\":\"the answer is too large; ask for less\"}");
    }
    tg_admin_answer_text(call, json);
    free_wiped(text);
}

void tg_admin_ok(struct tg_admin_call *call, json_t *result)
{
    answer(call, result == NULL ? NULL : json_pack("{s:b,s:o,s:b}", "ok", 1, "result", result, "more", 0));
}

void tg_admin_rows(struct tg_admin_call *call, json_t *rows)
{
    tg_admin_ok(call, rows == NULL ? NULL : json_pack("{s:o}", "rows", rows));
}

void tg_admin_fail(struct tg_admin_call *call, const char *error, const char *text)
{
    answer(call, json_pack("{s:b,s:s,s:s}", "ok", 0, "error", error, "text", text));
}

void *tg_admin_hold(struct tg_admin_call *call, size_t len)
{
    call->held = calloc(1, len == 0 ? 1 : len);
    call->held_len = len;
    if (call->held == NULL) {
        tg_admin_fail(call, "internal", "no memory");
    }
    return call->held;
}

/* ---- acts ---- */

static void run_act(struct tg_job *job, struct tg_store *store)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    call->err = tg_store_act(store, &call->act);
    if (call->err != TG_OK && call->err != TG_ERR_DENIED && call->err != TG_ERR_ABSENT) {
        tg_committer_fail("act", call->err);
    }
}

static void done_act(struct tg_job *job)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    if (call->err == TG_ERR_DENIED) {
        tg_admin_fail(call, "exists", "that name is taken");
    } else if (call->err == TG_ERR_ABSENT) {
        tg_admin_fail(call, "absent", "there is no such thing");
    } else {
        call->keeper->metrics.acts++;
        call->apply(call);
    }
}

static char *take_json(json_t *value)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(value);
    return text;
}

void tg_admin_act(struct tg_admin_call *call, const char *verb, struct tg_span object, json_t *before, json_t *after,
                  void (*apply)(struct tg_admin_call *call))
{
    struct tg_buf what = tg_buf(call->what, sizeof(call->what));
    tg_buf_put_string(&what, verb);
    if (object.len > 0) {
        tg_buf_put_string(&what, " ");
        tg_buf_put(&what, object);
    }
    call->before = take_json(before);
    call->after = take_json(after);
    call->apply = apply;
    call->act.at_us = tg_clock_utc_us();
    call->act.actor = tg_span_string(call->link->actor);
    call->act.what = tg_buf_span(&what);
    call->act.before = call->before == NULL ? tg_span(NULL, 0) : tg_span_string(call->before);
    call->act.after = call->after == NULL ? tg_span(NULL, 0) : tg_span_string(call->after);
    if (tg_buf_done(&what) != TG_OK || tg_env_random(call->act.request_id, TG_REQUEST_ID_BYTES) != TG_OK) {
        tg_admin_fail(call, "internal", "the act could not be named");
        return;
    }
    call->job = (struct tg_job){.run = run_act, .done = done_act};
    tg_committer_post(&call->keeper->committer, &call->job);
}

/* ---- coming in ---- */

static const struct command *find(const json_t *name)
{
    for (size_t i = 0; json_is_string(name) && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (tg_span_equal(tg_span(json_string_value(name), json_string_length(name)),
                          tg_span_string(commands[i].name))) {
            return &commands[i];
        }
    }
    return NULL;
}

void tg_admin_start(void)
{
    json_set_alloc_funcs(malloc, free_wiped);
}

bool tg_admin_frame(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_admin_call *call = frame->type == TG_FRAME_ADMIN ? calloc(1, sizeof(*call)) : NULL;
    if (call == NULL) {
        return false;
    }
    call->keeper = link->keeper;
    call->link = link;
    call->slot = frame->slot;
    call->turn = frame->turn;
    tg_link_hold(link);
    tg_link_pause(link);
    call->root = json_loadb((const char *)frame->body.ptr, frame->body.len, JSON_REJECT_DUPLICATES, NULL);
    call->arguments = json_object_get(call->root, "arguments");
    const struct command *command = find(json_object_get(call->root, "command"));
    if (!json_is_object(call->root)) {
        tg_admin_fail(call, "syntax", "the request is no JSON object");
    } else if (command == NULL) {
        tg_admin_fail(call, "unknown_command", "there is no such command");
    } else if (call->arguments != NULL && !json_is_object(call->arguments)) {
        tg_admin_fail(call, "syntax", "arguments must be an object");
    } else {
        command->serve(call);
    }
    return true;
}
