/*
 * admin_reconcile.c - reconcile.list, reconcile.resolve.
 *
 * Promises: a resolution goes the way of every other decision, through a batch, and is an event
 * with its actor and note; a probed answer is sealed as a settled one is.
 * Does not: ask an upstream; the command line probes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/crypto.h"
#include "keeper/admin.h"
#include "keeper/clock.h"

#include "base/banned.h"

#define ROWS_MAX 1000
#define NOTE_BYTES_MAX 512

/* ---- list: rows are read on the committer's thread, and named on the loop's ---- */

struct listing {
    json_t *rows;
};

static json_t *id_text(const uint8_t id[TG_REQUEST_ID_BYTES])
{
    char text[TG_REQUEST_ID_CHARS];
    struct tg_buf hex = tg_buf(text, sizeof(text));
    tg_buf_put_hex(&hex, tg_span(id, TG_REQUEST_ID_BYTES));
    return json_stringn(text, hex.len);
}

static json_t *span_text(struct tg_span span)
{
    json_t *text = json_stringn((const char *)span.ptr, span.len);
    return text == NULL ? json_string("") : text;
}

static bool on_row(void *user, const struct tg_unknown_row *unknown)
{
    const struct tg_verdict_row *row = &unknown->row;
    json_t *rows = user;
    bool amount = (row->flags & TG_FLAG_HAS_AMOUNT) != 0;
    json_t *object = json_pack(
        "{s:o,s:o,s:I,s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:s}", "request_id", id_text(row->request_id), "at",
        tg_admin_time(row->at_us), "partner_id", (json_int_t)row->partner, "credential", (json_int_t)row->credential,
        "environment", tg_admin_environment_name(row->environment), "route", span_text(row->route), "operation",
        span_text(row->operation), "method", span_text(row->method), "path_template", span_text(row->path_template),
        "amount_minor", amount ? json_integer((json_int_t)row->amount_minor) : json_null(), "currency",
        amount && row->currency[0] != 0 ? span_text(tg_span(row->currency, 3)) : json_null(), "upstream_status",
        (json_int_t)unknown->upstream_status, "reason", tg_reason_entry(unknown->reason)->name);
    return json_array_append_new(rows, object) == 0;
}

static void run_list(struct tg_job *job, struct tg_store *store)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    struct listing *listing = call->held;
    listing->rows = json_array();
    call->err = tg_store_unknowns(store, (size_t)call->number, on_row, listing->rows);
}

static void done_list(struct tg_job *job)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    json_t *rows = ((struct listing *)call->held)->rows;
    if (call->err != TG_OK) {
        json_decref(rows);
        tg_admin_fail(call, "store", "the store could not be read");
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_int_t id = json_integer_value(json_object_get(row, "partner_id"));
        const struct tg_partner *partner = tg_setup_partner(&call->keeper->setup, (uint32_t)id);
        json_object_set_new(row, "partner", json_string(partner == NULL ? "" : partner->name));
    }
    tg_admin_rows(call, rows);
}

void tg_admin_reconcile_list(struct tg_admin_call *call)
{
    int64_t limit = ROWS_MAX;
    if (tg_admin_has(call, "limit") && !tg_admin_number(call, "limit", ROWS_MAX, &limit)) {
        return;
    }
    if (tg_admin_hold(call, sizeof(struct listing)) == NULL) {
        return;
    }
    call->number = (uint64_t)limit;
    call->job = (struct tg_job){.run = run_list, .done = done_list};
    tg_committer_post(&call->keeper->committer, &call->job);
}

/* ---- resolve ---- */

static void resolved(struct tg_question *question)
{
    struct tg_admin_call *call = question->user;
    enum tg_err err = question->work.resolve.result;
    tg_question_free(question);
    if (err == TG_OK) {
        call->keeper->metrics.acts++;
        tg_admin_ok(call, json_object());
    } else if (err == TG_ERR_DOWN) {
        tg_admin_fail(call, "sealer_unavailable", "the sealer could not seal the answer");
    } else {
        tg_admin_fail(call, "absent", "there is no unknown of that id");
    }
}

/* The stored answer's bytes, or an empty span. False: answered. */
static bool read_answer(struct tg_admin_call *call, struct tg_span *ret)
{
    struct tg_span hex;
    *ret = tg_span(NULL, 0);
    if (!tg_admin_has(call, "answer")) {
        return true;
    }
    if (!tg_admin_text(call, "answer", 2 * TG_ANSWER_BYTES_MAX, &hex)) {
        return false;
    }
    uint8_t *bytes = hex.len == 0 ? NULL : tg_admin_hold(call, hex.len / 2);
    if (bytes == NULL) {
        return hex.len == 0;
    }
    if (tg_hex_read(hex, bytes, hex.len / 2) != TG_OK) {
        tg_admin_fail(call, "argument", "answer must be hex digits");
        return false;
    }
    *ret = tg_span(bytes, hex.len / 2);
    return true;
}

void tg_admin_reconcile_resolve(struct tg_admin_call *call)
{
    struct tg_resolve_work work = {.at_us = tg_clock_utc_us(), .actor = tg_span_string(call->link->actor)};
    int64_t status = 0;
    struct tg_span answer;
    if (!tg_admin_hex(call, "request_id", work.request_id, TG_REQUEST_ID_BYTES) ||
        !tg_admin_bool(call, "executed", &work.executed)) {
        return;
    }
    if ((tg_admin_has(call, "status") && !tg_admin_number(call, "status", 599, &status)) ||
        (tg_admin_has(call, "note") && !tg_admin_text(call, "note", NOTE_BYTES_MAX, &work.note)) ||
        !read_answer(call, &answer)) {
        return;
    }
    if (!work.executed && answer.len > 0) {
        tg_admin_fail(call, "argument", "what was not executed has no answer");
        return;
    }
    work.status = (uint16_t)status;
    struct tg_question *question = tg_question_make(TG_QUESTION_RESOLVE, answer);
    if (question == NULL) {
        tg_admin_fail(call, "internal", "no memory");
        return;
    }
    question->work = (struct tg_work){.kind = TG_WORK_RESOLVE, .resolve = work};
    question->done = resolved;
    question->user = call;
    tg_batch_ask(call->keeper, question);
}
