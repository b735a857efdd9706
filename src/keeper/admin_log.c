/*
 * admin_log.c - log.tail, act.
 *
 * Promises: events are shown as the store writes them, in order, at most TG_ADMIN_ANSWER_BYTES_MAX
 * at a time; `next` is where to go on.
 * Does not: change or filter an event.
 */
#include <stdlib.h>

#include "keeper/admin.h"

#include "base/banned.h"

#define EVENTS_MAX 1000
#define WHAT_BYTES_MAX 160
#define AFTER_BYTES_MAX 4096
/* Room behind the last event for what ends the answer. */
#define TAIL_BYTES 96

static bool on_event(void *user, uint64_t sequence, struct tg_span json)
{
    struct tg_admin_call *call = user;
    struct tg_buf *text = &call->text;
    if (json.len + 1 + TAIL_BYTES > text->cap - text->len) {
        return false;
    }
    if (text->ptr[text->len - 1] != '[') {
        tg_buf_put_string(text, ",");
    }
    tg_buf_put(text, json);
    call->number = sequence + 1;
    return true;
}

struct tail {
    uint64_t from;
    size_t limit;
};

static void run_tail(struct tg_job *job, struct tg_store *store)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    const struct tail *tail = call->held;
    uint64_t from = tail->from;
    uint64_t last = tg_store_last_event(store);
    if (from == UINT64_MAX) {
        /* The last `limit` events. */
        from = last >= tail->limit ? last - tail->limit + 1 : 0;
    }
    /* Who asks from behind the end learns where the end is. */
    call->number = from > last ? last + 1 : from;
    call->text = tg_buf(malloc(TG_ADMIN_ANSWER_BYTES_MAX), TG_ADMIN_ANSWER_BYTES_MAX);
    if (call->text.ptr == NULL) {
        call->err = TG_ERR_ROOM;
        return;
    }
    tg_buf_put_string(&call->text, "{\"ok\":true,\"result\":{\"events\":[");
    call->err = tg_store_events(store, from, tail->limit, on_event, call);
    tg_buf_put_string(&call->text, "],\"next\":");
    tg_buf_put_decimal(&call->text, (int64_t)call->number);
    tg_buf_put_string(&call->text, "},\"more\":false}");
}

static void done_tail(struct tg_job *job)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    if (call->err != TG_OK || tg_buf_done(&call->text) != TG_OK) {
        tg_admin_fail(call, "store", "the events could not be read");
        return;
    }
    tg_admin_answer_text(call, tg_buf_span(&call->text));
}

void tg_admin_log_tail(struct tg_admin_call *call)
{
    int64_t from = -1;
    int64_t limit = 100;
    if ((tg_admin_has(call, "from") && !tg_admin_number(call, "from", INT64_MAX, &from)) ||
        (tg_admin_has(call, "limit") && !tg_admin_number(call, "limit", EVENTS_MAX, &limit))) {
        return;
    }
    struct tail *tail = tg_admin_hold(call, sizeof(*tail));
    if (tail == NULL) {
        return;
    }
    *tail = (struct tail){from < 0 ? UINT64_MAX : (uint64_t)from, (size_t)limit};
    call->job = (struct tg_job){.run = run_tail, .done = done_tail};
    tg_committer_post(&call->keeper->committer, &call->job);
}

static void acted(struct tg_admin_call *call)
{
    tg_admin_ok(call, json_object());
}

void tg_admin_log_act(struct tg_admin_call *call)
{
    struct tg_span what;
    if (!tg_admin_text(call, "what", WHAT_BYTES_MAX, &what)) {
        return;
    }
    json_t *after = json_object_get(call->arguments, "after");
    size_t size = after == NULL ? 0 : json_dumpb(after, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    if (what.len == 0 || size > AFTER_BYTES_MAX || (after != NULL && !json_is_object(after) && !json_is_null(after))) {
        tg_admin_fail(call, "argument", "what is needed; after must be a small object");
        return;
    }
    call->act.kind = TG_ACT_OTHER;
    tg_admin_act(call, (const char *)what.ptr, tg_span(NULL, 0), NULL, json_is_object(after) ? json_incref(after) : NULL,
                 acted);
}
