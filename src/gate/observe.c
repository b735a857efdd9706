/*
 * observe.c - `tollgate observe`: what would have been, recorded; nothing refused, held, replayed or waited for.
 *
 * The questions go out beside the request. AUTH, ADMIT and SETTLE of one observed call share a slot and a small
 * struct of their own, so they may end long after the request has. Without a keeper, or without a free slot, the call
 * is only counted.
 */
#include "core/http/answer.h"
#include "gate/auth.h"
#include "gate/link.h"
#include "gate/zone.h"

/* A stored answer without fields and body: status and a count of none. */
#define TG_OBSERVE_ANSWER_BYTES 4

/* One observed call, owned by its slot. */
struct tg_watch {
    struct tg_auth auth;
    struct tg_admit admit;
    struct tg_settle settle;
    uint8_t answer[TG_OBSERVE_ANSWER_BYTES];
    struct tg_gate_ctx *ctx; /* NULL: the request is gone */
    ngx_msec_t admit_wait_ms;
    ngx_msec_t settle_wait_ms;
    bool admitted; /* ADMIT was answered with ALLOW: a SETTLE is owed */
    bool ended;    /* the request has ended: settle is filled in */
};

static void tg_watch_settle(struct tg_gate_slot *slot)
{
    struct tg_watch *watch = slot->owned;

    slot->question.type = TG_FRAME_SETTLE;
    slot->question.as.settle = watch->settle;
    tg_gate_settle_detached(slot, watch->settle_wait_ms);
}

static void tg_watch_drop(struct tg_gate_slot *slot)
{
    struct tg_watch *watch = slot->owned;

    if (watch->ctx != NULL) {
        watch->ctx->slot = NULL;
    }
    tg_gate_slot_free(slot);
}

static void tg_watch_lost(struct tg_gate_slot *slot)
{
    tg_gate_count(TG_METRIC_OBSERVED_UNRECORDED);
    tg_watch_drop(slot);
}

static bool tg_watch_admit_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    struct tg_watch *watch = slot->owned;
    struct tg_admit_answer answer;

    if (frame == NULL) {
        tg_watch_lost(slot);
        return true;
    }
    if (tg_admit_answer_read(frame->body, &answer) != TG_OK) {
        return false;
    }
    if (watch->ctx != NULL) {
        watch->ctx->verdict = answer.verdict;
        watch->ctx->reason = answer.reason;
    }
    if (answer.reason != TG_REASON_OK) {
        tg_gate_count(TG_METRIC_OBSERVED_REFUSAL);
        tg_gate_count_reason(answer.reason, true);
    }
    if (answer.verdict != TG_VERDICT_ALLOW) {
        tg_watch_drop(slot);
        return true;
    }
    watch->admitted = true;
    watch->settle.ticket = answer.ticket;
    if (watch->ended) {
        tg_watch_settle(slot);
    }
    return true;
}

static void tg_watch_admit(struct tg_gate_slot *slot, uint32_t partner, uint32_t credential, uint8_t environment)
{
    struct tg_watch *watch = slot->owned;

    watch->admit.partner = partner;
    watch->admit.credential = credential;
    watch->admit.environment = environment;
    if (watch->ctx != NULL) {
        watch->ctx->partner = partner;
        watch->ctx->credential = credential;
        watch->ctx->environment = environment;
    }
    slot->question.type = TG_FRAME_ADMIT;
    slot->question.as.admit = watch->admit;
    tg_gate_slot_ask(slot, watch->admit_wait_ms, tg_watch_admit_answered);
}

/* Refused before ADMIT: NOTE it under the request's id. */
static void tg_watch_note(const struct tg_watch *watch, uint16_t reason)
{
    struct tg_note note = {.flags = TG_FLAG_OBSERVE, .reason = reason, .status = tg_reason_entry(reason)->status};

    ngx_memcpy(note.request_id, watch->admit.request_id, sizeof(note.request_id));
    note.route = watch->admit.route;
    note.operation = watch->admit.operation;
    (void)tg_gate_link_note(&note);
    tg_gate_count(TG_METRIC_OBSERVED_REFUSAL);
    tg_gate_count_reason(reason, true);
}

static bool tg_watch_auth_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    struct tg_watch *watch = slot->owned;
    struct tg_auth_answer answer;

    if (frame == NULL) {
        tg_watch_lost(slot);
        return true;
    }
    if (tg_auth_answer_read(frame->body, &answer) != TG_OK) {
        return false;
    }
    if (answer.reason != TG_REASON_OK) {
        if (watch->ctx != NULL) {
            watch->ctx->reason = answer.reason;
        }
        tg_watch_note(watch, answer.reason);
        tg_watch_drop(slot);
        return true;
    }
    tg_gate_auth_remember(&watch->auth, &answer);
    tg_watch_admit(slot, answer.partner, answer.credential, answer.environment);
    return true;
}

/* Everything that the gate can find wrong by itself; the order is that of a gated call. */
static uint16_t tg_observe_judge(ngx_http_request_t *r, struct tg_gate_ctx *ctx, struct tg_auth *auth)
{
    uint16_t reason;

    if (ctx->conf->profile == NULL || ctx->conf->route.len == 0) {
        return TG_REASON_INTERNAL;
    }
    if (ctx->field_reason != TG_REASON_OK) {
        return ctx->field_reason;
    }
    reason = tg_gate_auth_read(r, ctx->conf->profile, auth);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    if (tg_gate_call_match(r, ctx) == TG_NEXT_GO && tg_gate_body_take(r, ctx) == TG_NEXT_GO) {
        (void)tg_gate_call_read(r, ctx);
    }
    return ctx->reason;
}

static void tg_observe_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx, const struct tg_auth *auth)
{
    const struct tg_auth_answer *known = tg_gate_auth_cached(auth);
    struct tg_gate_slot *slot = tg_gate_link_ready() ? tg_gate_slot_take(NULL) : NULL;
    struct tg_watch *watch;

    if (slot == NULL) {
        tg_gate_count(TG_METRIC_OBSERVED_UNRECORDED);
        return;
    }
    watch = ngx_calloc(sizeof(*watch), r->connection->log);
    slot->owned = watch;
    if (watch == NULL || !tg_gate_admit_fill(r, ctx, &watch->admit)) {
        tg_gate_count(TG_METRIC_OBSERVED_UNRECORDED);
        tg_gate_slot_free(slot);
        return;
    }
    watch->auth = *auth;
    watch->ctx = ctx;
    watch->admit_wait_ms = ctx->conf->admit_wait_ms;
    watch->settle_wait_ms = ctx->conf->settle_wait_ms;
    ctx->slot = slot;
    if (known != NULL) {
        tg_gate_count(TG_METRIC_AUTH_CACHED);
        tg_watch_admit(slot, known->partner, known->credential, known->environment);
        return;
    }
    tg_gate_count(TG_METRIC_AUTH_ASKED);
    slot->question.type = TG_FRAME_AUTH;
    slot->question.as.auth = *auth;
    tg_gate_slot_ask(slot, watch->admit_wait_ms, tg_watch_auth_answered);
}

ngx_int_t tg_gate_observe(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_auth auth;
    uint16_t reason;

    if (ctx->step == TG_STEP_PASSED) {
        return NGX_DECLINED;
    }
    ctx->step = TG_STEP_PASSED;
    reason = tg_observe_judge(r, ctx, &auth);
    ctx->reason = reason;
    if (reason != TG_REASON_OK) {
        tg_gate_count(TG_METRIC_OBSERVED_REFUSAL);
        tg_gate_count_reason(reason, true);
        tg_gate_note(ctx, reason, tg_reason_entry(reason)->status, TG_FLAG_OBSERVE);
        return NGX_DECLINED;
    }
    tg_observe_ask(r, ctx, &auth);
    return NGX_DECLINED;
}

static uint8_t tg_observe_outcome(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    if (!ctx->upstream_answer || ctx->upstream_status < 100 || ctx->upstream_status > 599) {
        return tg_gate_settle_outcome_sent(r);
    }
    switch (ctx->conf->profile->status_meaning[ctx->upstream_status]) {
    case TG_STATUS_FINAL:
        return TG_OUTCOME_FINAL;
    case TG_STATUS_NOT_EXECUTED:
        return TG_OUTCOME_NOT_EXECUTED;
    default:
        return TG_OUTCOME_UNKNOWN;
    }
}

static void tg_observe_settle_fill(ngx_http_request_t *r, struct tg_gate_ctx *ctx, struct tg_watch *watch)
{
    struct tg_settle *settle = &watch->settle;
    struct tg_answer answer = {.status = ctx->upstream_status};
    struct tg_buf out = tg_buf(watch->answer, sizeof(watch->answer));

    settle->flags = TG_FLAG_OBSERVE;
    settle->outcome = ctx->outcome;
    settle->upstream_status = ctx->upstream_status;
    settle->caller_status = (uint16_t)ngx_min(r->headers_out.status, 999);
    ngx_memcpy(settle->request_id, ctx->request_id, sizeof(settle->request_id));
    if (r->upstream != NULL && r->upstream->state != NULL && r->upstream->state->response_time != (ngx_msec_t)-1) {
        settle->upstream_us = (uint32_t)ngx_min(r->upstream->state->response_time, UINT32_MAX / 1000) * 1000;
    }
    if (ctx->outcome == TG_OUTCOME_UNKNOWN) {
        settle->reason = ctx->upstream_answer ? TG_REASON_OUTCOME_UNKNOWN_STATUS : TG_REASON_OUTCOME_UNKNOWN_CUT;
    } else if (ctx->outcome == TG_OUTCOME_NOT_SENT) {
        settle->reason = TG_REASON_UPSTREAM_UNREACHABLE;
    } else if (ctx->outcome == TG_OUTCOME_FINAL && tg_answer_write(&out, &answer) == TG_OK) {
        /* Never replayed: the claim space of observed calls is their own. */
        settle->answer = tg_buf_span(&out);
    }
}

void tg_gate_observe_end(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_gate_slot *slot = ctx->slot;
    struct tg_watch *watch;

    ctx->slot = NULL;
    if (slot == NULL) {
        return;
    }
    watch = slot->owned;
    ctx->outcome = tg_observe_outcome(r, ctx);
    tg_observe_settle_fill(r, ctx, watch);
    watch->ctx = NULL;
    watch->ended = true;
    if (watch->admitted) {
        tg_watch_settle(slot);
    }
}
