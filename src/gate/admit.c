/*
 * admit.c - ADMIT: asked once for a call, asked again on a new link, answered or given up.
 */
#include "core/http/field.h"
#include "crypto/crypto.h"
#include "gate/link.h"
#include "gate/steps.h"
#include "gate/zone.h"

/* The digest of a value that is there, with its flag. */
static bool tg_admit_digest(struct tg_span value, uint8_t flag, uint8_t *flags, uint8_t ret[TG_DIGEST_BYTES])
{
    if (value.len == 0) {
        return true;
    }
    *flags |= flag;
    return tg_sha256(value, ret) == TG_OK;
}

/* One partner's calls come from few addresses, one after the other: the digest of the last one is kept. */
static enum tg_err tg_admit_address(ngx_http_request_t *r, uint8_t ret[TG_DIGEST_BYTES])
{
    static uint8_t last[16];
    static uint8_t digest[TG_DIGEST_BYTES];
    static bool made;
    uint8_t address[16];

    tg_gate_address(r, address);
    if (!made || ngx_memcmp(address, last, sizeof(last)) != 0) {
        made = tg_sha256(tg_span(address, sizeof(address)), digest) == TG_OK;
        ngx_memcpy(last, address, sizeof(last));
    }
    ngx_memcpy(ret, digest, TG_DIGEST_BYTES);
    return made ? TG_OK : TG_ERR_BUG;
}

bool tg_gate_admit_fill(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, struct tg_admit *ret)
{
    const struct tg_profile *profile = ctx->conf->profile;
    const struct tg_operation *operation = ctx->operation;
    uint8_t flags = ctx->mode == TG_GATE_OBSERVE ? TG_FLAG_OBSERVE : 0;

    ngx_memzero(ret, sizeof(*ret));
    flags |= operation->money_moving ? TG_FLAG_MONEY_MOVING : 0;
    flags |= profile->upstream_idempotent ? TG_FLAG_UPSTREAM_IDEMPOTENT : 0;
    if (ctx->has_key) {
        flags |= TG_FLAG_HAS_KEY;
        ngx_memcpy(ret->key_digest, ctx->key_digest, sizeof(ret->key_digest));
    }
    if (ctx->facts.has_amount) {
        flags |= TG_FLAG_HAS_AMOUNT;
        ret->amount_minor = ctx->facts.amount_minor;
        ret->exponent = ctx->facts.exponent;
        ngx_memcpy(ret->currency, ctx->facts.currency, sizeof(ret->currency));
    }
    if (!tg_admit_digest(ctx->facts.payee, TG_FLAG_HAS_PAYEE, &flags, ret->payee) ||
        !tg_admit_digest(ctx->facts.payer, TG_FLAG_HAS_PAYER, &flags, ret->payer) ||
        !tg_admit_digest(ctx->facts.instrument, TG_FLAG_HAS_INSTRUMENT, &flags, ret->instrument) ||
        tg_admit_address(r, ret->address) != TG_OK || tg_gate_fingerprint(r, ctx, ret->fingerprint) != TG_OK) {
        return false;
    }
    ret->flags = flags;
    ret->environment = ctx->environment;
    ret->partner = ctx->partner;
    ret->credential = ctx->credential;
    ret->wait_ms = (uint32_t)ctx->conf->admit_wait_ms;
    ret->ttl_s = profile->ttl_s;
    ngx_memcpy(ret->request_id, ctx->request_id, sizeof(ret->request_id));
    /* All of these live as long as the configuration, longer than any question. */
    ret->route = tg_gate_span(ctx->conf->route);
    ret->profile = profile->name;
    ret->operation = operation->name;
    ret->method = operation->method;
    ret->path_template = operation->path;
    return true;
}

static struct tg_span tg_admit_copy(struct tg_gate_ctx *ctx, struct tg_span bytes)
{
    u_char *copy = ngx_pnalloc(ctx->request->pool, bytes.len + 1);

    if (copy == NULL) {
        return tg_span(NULL, 0);
    }
    ngx_memcpy(copy, bytes.ptr, bytes.len);
    return tg_span(copy, bytes.len);
}

static void tg_admit_allow(struct tg_gate_ctx *ctx, const struct tg_admit_answer *answer)
{
    ctx->ticket = answer->ticket;
    ctx->admitted = true;
    if (answer->credential.len == 0) {
        return;
    }
    /* A line end in it would write fields of its own into the request. */
    if (tg_field_value_ok(answer->credential)) {
        ctx->credential_value = (u_char *)(uintptr_t)tg_admit_copy(ctx, answer->credential).ptr;
    }
    ctx->credential_bytes = ctx->credential_value == NULL ? 0 : answer->credential.len;
    if (ctx->credential_value == NULL) {
        tg_gate_settle_abandon(ctx, TG_OUTCOME_NOT_SENT, TG_REASON_INTERNAL);
        ctx->verdict = TG_VERDICT_REFUSE;
        ctx->reason = TG_REASON_INTERNAL;
    }
}

static void tg_admit_replay(struct tg_gate_ctx *ctx, const struct tg_admit_answer *answer)
{
    ctx->stored = tg_admit_copy(ctx, answer->answer);
    ngx_memcpy(ctx->original_id, answer->original_id, sizeof(ctx->original_id));
    if (ctx->stored.ptr == NULL) {
        ctx->verdict = TG_VERDICT_REFUSE;
        ctx->reason = TG_REASON_INTERNAL;
    }
}

static bool tg_admit_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    struct tg_gate_ctx *ctx = slot->data;
    struct tg_admit_answer answer;

    if (frame != NULL && tg_admit_answer_read(frame->body, &answer) != TG_OK) {
        return false;
    }
    ctx->admit_ms = (uint32_t)(ngx_current_msec - ctx->asked_ms);
    ctx->step = TG_STEP_ADMIT_ANSWERED;
    if (frame == NULL) {
        /* It may have been claimed: said to the keeper that nothing was sent. */
        ctx->verdict = TG_VERDICT_REFUSE;
        ctx->reason = tg_gate_link_up() ? TG_REASON_KEEPER_TIMEOUT : TG_REASON_KEEPER_UNAVAILABLE;
        tg_gate_settle_abandon(ctx, TG_OUTCOME_NOT_SENT, ctx->reason);
        tg_gate_wake(ctx);
        return true;
    }
    tg_gate_latency(TG_LATENCY_ADMIT, (uint64_t)ctx->admit_ms * 1000);
    ctx->verdict = answer.verdict;
    ctx->reason = answer.reason;
    ctx->retry_after_s = answer.retry_after_s;
    ctx->judged_by_keeper = true;
    if (answer.verdict == TG_VERDICT_ALLOW) {
        tg_admit_allow(ctx, &answer);
    } else {
        ctx->slot = NULL;
        tg_gate_slot_free(slot);
    }
    if (answer.verdict == TG_VERDICT_REPLAY) {
        tg_admit_replay(ctx, &answer);
    } else if (answer.verdict != TG_VERDICT_ALLOW && answer.reason == TG_REASON_OK) {
        /* No, and no reason: closed. */
        ctx->reason = TG_REASON_INTERNAL;
    }
    tg_gate_wake(ctx);
    return true;
}

enum tg_gate_next tg_gate_admit_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_gate_slot *slot;

    if (!tg_gate_link_ready()) {
        ctx->reason = TG_REASON_KEEPER_UNAVAILABLE;
        return TG_NEXT_REFUSE;
    }
    slot = tg_gate_slot_take(ctx);
    if (slot == NULL) {
        ctx->reason = TG_REASON_SLOTS_EXHAUSTED;
        return TG_NEXT_REFUSE;
    }
    if (!tg_gate_admit_fill(r, ctx, &slot->question.as.admit)) {
        tg_gate_slot_free(slot);
        ctx->reason = TG_REASON_INTERNAL;
        return TG_NEXT_REFUSE;
    }
    slot->question.type = TG_FRAME_ADMIT;
    ctx->slot = slot;
    ctx->asked_ms = ngx_current_msec;
    ctx->step = TG_STEP_ADMIT_ASKED;
    tg_gate_slot_ask(slot, ctx->conf->admit_wait_ms, tg_admit_answered);
    tg_gate_suspend(r);
    return TG_NEXT_WAIT;
}
