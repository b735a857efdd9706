/*
 * settle.c - SETTLE: what became of an admitted call, made durable before its caller hears of it.
 *
 * Three ways lead here: an answer is held (asked for the request, which waits); the request ends without one, or ADMIT
 * was never answered (asked without a request: the slot lives on alone until the keeper has answered or settle_wait
 * has passed); the client leaves while SETTLE is under way (the slot takes what it needs along).
 */
#include "core/http/answer.h"
#include "crypto/crypto.h"
#include "gate/late.h"
#include "gate/link.h"
#include "gate/steps.h"
#include "gate/zone.h"

/* ---- what the answer means ---- */

uint8_t tg_gate_settle_outcome_sent(ngx_http_request_t *r)
{
    /* Set before the first write: a first write that failed counts as sent, which is the safe error. */
    return r->upstream != NULL && r->upstream->request_sent ? TG_OUTCOME_UNKNOWN : TG_OUTCOME_NOT_SENT;
}

static void tg_settle_refuse(struct tg_gate_ctx *ctx, uint8_t outcome, uint16_t reason)
{
    ctx->outcome = outcome;
    ctx->reason = reason;
    ctx->refused_answer = true;
}

/* nginx made this answer itself: nothing, or nothing usable, came from the upstream. */
static void tg_settle_judge_own(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    const ngx_http_upstream_t *upstream = r->upstream;

    if (upstream == NULL) {
        ctx->outcome = TG_OUTCOME_NOT_SENT;
        ctx->reason = TG_REASON_UPSTREAM_UNREACHABLE;
        /* A refusal of nginx's own after admission (allow, deny) is the caller's to see. */
        ctx->refused_answer = r->headers_out.status >= NGX_HTTP_INTERNAL_SERVER_ERROR;
    } else if (ctx->answer_unfit) {
        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN, TG_REASON_OUTCOME_UNKNOWN_ANSWER);
    } else if (!upstream->request_sent) {
        tg_settle_refuse(ctx, TG_OUTCOME_NOT_SENT, TG_REASON_UPSTREAM_UNREACHABLE);
    } else if (upstream->state != NULL && upstream->state->status == NGX_HTTP_GATEWAY_TIME_OUT) {
        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN, TG_REASON_OUTCOME_UNKNOWN_TIMEOUT);
    } else {
        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN, TG_REASON_OUTCOME_UNKNOWN_CUT);
    }
}

void tg_gate_settle_judge(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    uint8_t meaning;

    if (!ctx->upstream_answer) {
        tg_settle_judge_own(r, ctx);
        return;
    }
    if (ctx->over) {
        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN, TG_REASON_OUTCOME_UNKNOWN_ANSWER);
        return;
    }
    if (ctx->cut) {
        /* nginx says only that it failed; silence as long as the read timeout was one. */
        bool silent = ngx_current_msec - ctx->heard_ms >= r->upstream->conf->read_timeout;

        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN,
                         silent ? TG_REASON_OUTCOME_UNKNOWN_TIMEOUT : TG_REASON_OUTCOME_UNKNOWN_CUT);
        return;
    }
    meaning = ctx->conf->profile->status_meaning[ctx->upstream_status];
    ctx->reason = TG_REASON_OK;
    if (meaning == TG_STATUS_FINAL) {
        ctx->outcome = TG_OUTCOME_FINAL;
    } else if (meaning == TG_STATUS_NOT_EXECUTED) {
        ctx->outcome = TG_OUTCOME_NOT_EXECUTED;
    } else {
        /* Passed on as it is; recorded as what it is. */
        ctx->outcome = TG_OUTCOME_UNKNOWN;
        ctx->reason = TG_REASON_OUTCOME_UNKNOWN_STATUS;
    }
}

/* ---- the stored answer ---- */

/* False: more fields than a record has room for. */
static bool tg_settle_field_add(struct tg_answer *answer, struct tg_span name, struct tg_span value)
{
    if (!tg_answer_field_kept(name)) {
        return true;
    }
    if (answer->field_count == TG_ANSWER_FIELDS_MAX) {
        return false;
    }
    answer->fields[answer->field_count++] = (struct tg_answer_field){name, value};
    return true;
}

/* The fields that are on record; a key's value is each caller's own and never is (upstream_key.c). */
static bool tg_settle_fields(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, struct tg_answer *answer)
{
    if (r->headers_out.content_type.len > 0 &&
        !tg_settle_field_add(answer, TG_SPAN("Content-Type"), tg_gate_span(r->headers_out.content_type))) {
        return false;
    }
    for (ngx_list_part_t *part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            struct tg_span name = tg_gate_span(field[i].key);
            bool key = tg_span_equal_nocase(name, ctx->conf->profile->idempotency_field);

            if (field[i].hash != 0 &&
                !tg_settle_field_add(answer, name, key ? TG_SPAN("") : tg_gate_span(field[i].value))) {
                return false;
            }
        }
    }
    return true;
}

/* The held answer as SETTLE stores it; false when it cannot be stored. */
static bool tg_settle_answer(ngx_http_request_t *r, struct tg_gate_ctx *ctx, struct tg_span *ret)
{
    struct tg_answer answer = {.status = (uint16_t)r->headers_out.status, .body = tg_span(ctx->held, ctx->held_bytes)};
    size_t bytes = 64 + ctx->held_bytes;
    struct tg_buf out;

    if (!tg_settle_fields(r, ctx, &answer)) {
        return false;
    }
    for (size_t i = 0; i < answer.field_count; i++) {
        bytes += 4 + answer.fields[i].name.len + answer.fields[i].value.len;
    }
    if (bytes > TG_ANSWER_BYTES_MAX) {
        return false;
    }
    out = tg_buf(ngx_pnalloc(r->pool, bytes), bytes);
    if (out.ptr == NULL || tg_answer_write(&out, &answer) != TG_OK) {
        return false;
    }
    *ret = tg_buf_span(&out);
    return true;
}

/* ---- asking ---- */

static void tg_settle_fill(const struct tg_gate_ctx *ctx, struct tg_gate_question *question)
{
    const ngx_http_upstream_t *upstream = ctx->request->upstream;
    struct tg_settle *settle = &question->as.settle;

    ngx_memzero(settle, sizeof(*settle));
    question->type = TG_FRAME_SETTLE;
    settle->flags = ctx->mode == TG_GATE_OBSERVE ? TG_FLAG_OBSERVE : 0;
    settle->outcome = ctx->outcome;
    settle->reason = ctx->outcome == TG_OUTCOME_FINAL ? TG_REASON_OK : ctx->reason;
    settle->upstream_status = ctx->upstream_status;
    settle->ticket = ctx->ticket;
    if (upstream != NULL && upstream->state != NULL && upstream->state->response_time != (ngx_msec_t)-1) {
        settle->upstream_us = (uint32_t)ngx_min(upstream->state->response_time, UINT32_MAX / 1000) * 1000;
        tg_gate_latency(TG_LATENCY_UPSTREAM, settle->upstream_us);
    }
    ngx_memcpy(settle->request_id, ctx->request_id, sizeof(settle->request_id));
}

static bool tg_settle_durable(const struct tg_gate_slot *slot, const struct tg_frame *frame, bool *ret)
{
    struct tg_settle_answer answer;

    *ret = false;
    if (frame == NULL) {
        /* Resting has cleared the question's type; what it said stands there still. */
        tg_gate_late_keep(slot->index, &slot->question.as.settle);
        return true;
    }
    if (tg_settle_answer_read(frame->body, &answer) != TG_OK) {
        return false;
    }
    *ret = answer.reason == TG_REASON_OK;
    return true;
}

static bool tg_settle_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    struct tg_gate_ctx *ctx = slot->data;
    bool durable;

    if (!tg_settle_durable(slot, frame, &durable)) {
        return false;
    }
    ctx->settle_ms = (uint32_t)(ngx_current_msec - ctx->asked_ms);
    ctx->settled = durable;
    ctx->hold = TG_HOLD_OVER;
    ctx->slot = NULL;
    tg_gate_slot_free(slot);
    tg_gate_latency(TG_LATENCY_SETTLE, (uint64_t)ctx->settle_ms * 1000);
    tg_gate_count(durable ? TG_METRIC_SETTLED : TG_METRIC_UNSETTLED);
    if (!durable && ctx->outcome != TG_OUTCOME_NOT_SENT) {
        /* Not recorded: whatever the upstream said, the caller may not act on it. */
        ctx->refused_answer = true;
        ctx->reason = TG_REASON_OUTCOME_UNKNOWN_KEEPER;
    }
    if (!ctx->gone) {
        ctx->request->connection->write->delayed = 0;
    }
    tg_gate_wake(ctx);
    return true;
}

void tg_gate_settle_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_gate_slot *slot = ctx->slot;
    struct tg_settle *settle = &slot->question.as.settle;

    tg_settle_fill(ctx, &slot->question);
    if (ctx->outcome == TG_OUTCOME_FINAL && !tg_settle_answer(r, ctx, &settle->answer)) {
        /* It cannot be kept, so it could not be replayed: the caller may not have what a retry cannot get. */
        tg_settle_refuse(ctx, TG_OUTCOME_UNKNOWN, TG_REASON_OUTCOME_UNKNOWN_ANSWER);
        tg_settle_fill(ctx, &slot->question);
    }
    settle->caller_status =
        (uint16_t)(ctx->refused_answer ? tg_reason_entry(ctx->reason)->status : r->headers_out.status);
    ctx->asked_ms = ngx_current_msec;
    tg_gate_slot_ask(slot, ctx->conf->settle_wait_ms, tg_settle_answered);
}

/* ---- without a request ---- */

static bool tg_settle_detached_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    bool durable;

    if (!tg_settle_durable(slot, frame, &durable)) {
        return false;
    }
    tg_gate_count(durable ? TG_METRIC_SETTLED : TG_METRIC_UNSETTLED);
    tg_gate_slot_free(slot);
    return true;
}

void tg_gate_settle_detached(struct tg_gate_slot *slot, ngx_msec_t wait_ms)
{
    slot->data = NULL;
    tg_gate_slot_ask(slot, wait_ms, tg_settle_detached_answered);
}

/* The answer that SETTLE carries stands in the request's pool, which goes: the slot takes a copy. */
static void tg_settle_keep_answer(struct tg_gate_slot *slot)
{
    struct tg_span *answer = &slot->question.as.settle.answer;

    if (answer->len == 0) {
        return;
    }
    slot->owned = ngx_alloc(answer->len, ngx_cycle->log);
    if (slot->owned == NULL) {
        /* Said without its answer, it is only unknown. */
        *answer = tg_span(NULL, 0);
        slot->question.as.settle.outcome = TG_OUTCOME_UNKNOWN;
        slot->question.as.settle.reason = TG_REASON_OUTCOME_UNKNOWN_CUT;
        return;
    }
    ngx_memcpy(slot->owned, answer->ptr, answer->len);
    answer->ptr = slot->owned;
}

void tg_gate_settle_abandon(struct tg_gate_ctx *ctx, uint8_t outcome, uint16_t reason)
{
    struct tg_gate_slot *slot = ctx->slot;

    ctx->slot = NULL;
    ctx->admitted = false;
    if (slot == NULL) {
        return;
    }
    if (slot->question.type == TG_FRAME_SETTLE) {
        tg_settle_keep_answer(slot);
        slot->data = NULL;
        slot->answered = tg_settle_detached_answered;
        return;
    }
    ctx->outcome = outcome;
    ctx->reason = reason;
    tg_gate_slot_rest(slot);
    tg_settle_fill(ctx, &slot->question);
    slot->question.as.settle.caller_status =
        outcome == TG_OUTCOME_NOT_SENT && !ctx->gone ? tg_reason_entry(reason)->status : 0;
    tg_gate_settle_detached(slot, ctx->conf->settle_wait_ms);
}
