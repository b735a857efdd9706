/*
 * preaccess.c - PREACCESS: the steps of a gated call, in their order, each passed once.
 *
 * nginx enters a phase handler again at every event of the connection; ctx->step says where the call stands.
 * PREACCESS, not ACCESS: `satisfy any` must not overrule a refusal.
 */
#include "gate/auth.h"
#include "gate/steps.h"
#include "gate/zone.h"

/*
 * The request comes by once more: an internal redirect (error_page, try_files, X-Accel-Redirect) brought it to a
 * gated location after a verdict. A verdict holds for one location; a second call to an upstream would be a second
 * payment. The filter turns this into what the first call's outcome asks for.
 */
static ngx_int_t tg_preaccess_again(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "tollgate: internal redirect to a gated location after a verdict");
    if (ctx->mode == TG_GATE_OBSERVE) {
        return NGX_DECLINED;
    }
    return NGX_HTTP_BAD_GATEWAY;
}

static void tg_preaccess_begin(ngx_http_request_t *r, struct tg_gate_ctx *ctx, const struct tg_gate_location_conf *conf)
{
    ctx->conf = conf;
    ctx->mode = (uint8_t)conf->mode;
    tg_gate_count(TG_METRIC_REQUESTS);
    if (conf->mode == TG_GATE_OBSERVE) {
        tg_gate_count(TG_METRIC_OBSERVED);
        return;
    }
    /* If-Match and the like are the upstream's: nginx would put 412 or 304 in the place of a paid answer. */
    r->disable_not_modified = 1;
    ctx->http_version = r->http_version;
}

/* Everything before the keeper is asked who calls. */
static enum tg_gate_next tg_preaccess_first(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    if (ctx->conf->profile == NULL || ctx->conf->route.len == 0) {
        ctx->reason = TG_REASON_INTERNAL;
        return TG_NEXT_REFUSE;
    }
    if (ctx->field_reason != TG_REASON_OK) {
        ctx->reason = ctx->field_reason;
        return TG_NEXT_REFUSE;
    }
    return tg_gate_auth_ask(r, ctx);
}

/* Who calls is known; what they ask for decides whether the body is read at all. */
static enum tg_gate_next tg_preaccess_known(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    if (ctx->reason != TG_REASON_OK) {
        return TG_NEXT_REFUSE;
    }
    if (tg_gate_call_match(r, ctx) != TG_NEXT_GO) {
        return TG_NEXT_REFUSE;
    }
    if (tg_gate_body_announced_too_large(r)) {
        ctx->reason = TG_REASON_BODY_TOO_LARGE;
        return TG_NEXT_REFUSE;
    }
    return TG_NEXT_GO;
}

static void tg_preaccess_body_read(ngx_http_request_t *r)
{
    struct tg_gate_ctx *ctx = tg_gate_ctx_find(r);

    if (ctx != NULL && ctx->step == TG_STEP_BODY_ASKED) {
        ctx->step = TG_STEP_BODY_READ;
    }
    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

static ngx_int_t tg_preaccess_read_body(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    ngx_int_t rc;

    ctx->step = TG_STEP_BODY_ASKED;
    r->request_body_in_single_buf = 1;
    rc = ngx_http_read_client_request_body(r, tg_preaccess_body_read);
    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE && ctx->mode == TG_GATE_ON) {
        ctx->reason = TG_REASON_BODY_TOO_LARGE;
        return tg_gate_refuse(r, ctx);
    }
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }
    /* Gives back the reference that the body reader took; the request may be gone after this. */
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

static enum tg_gate_next tg_preaccess_admit(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    if (tg_gate_body_take(r, ctx) != TG_NEXT_GO || tg_gate_call_read(r, ctx) != TG_NEXT_GO) {
        return TG_NEXT_REFUSE;
    }
    return tg_gate_admit_ask(r, ctx);
}

/* ADMIT was answered: on, from the record, or no. */
static ngx_int_t tg_preaccess_verdict(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    if (ctx->verdict == TG_VERDICT_REPLAY) {
        return tg_gate_replay(r, ctx);
    }
    if (ctx->verdict != TG_VERDICT_ALLOW || !ctx->admitted) {
        return tg_gate_refuse(r, ctx);
    }
    if (tg_gate_hop_drop(r, ctx) != NGX_OK || tg_gate_upstream_key_swap(r, ctx) != NGX_OK ||
        tg_gate_credential_swap(r, ctx) != NGX_OK) {
        tg_gate_settle_abandon(ctx, TG_OUTCOME_NOT_SENT, TG_REASON_INTERNAL);
        ctx->reason = TG_REASON_INTERNAL;
        return tg_gate_refuse(r, ctx);
    }
    /* A client that leaves from here on must not cancel the payment: undo what tg_gate_suspend() set. */
    r->read_event_handler = ngx_http_block_reading;
    ctx->step = TG_STEP_PASSED;
    tg_gate_count(TG_METRIC_ALLOWED);
    return NGX_DECLINED;
}

static ngx_int_t tg_preaccess_gate(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    enum tg_gate_next next = TG_NEXT_GO;

    if (ctx->step == TG_STEP_NEW) {
        next = tg_preaccess_first(r, ctx);
    }
    if (next == TG_NEXT_GO && ctx->step == TG_STEP_AUTH_ANSWERED) {
        next = tg_preaccess_known(r, ctx);
        if (next == TG_NEXT_GO) {
            return tg_preaccess_read_body(r, ctx);
        }
    }
    if (next == TG_NEXT_GO && ctx->step == TG_STEP_BODY_READ) {
        next = tg_preaccess_admit(r, ctx);
    }
    if (next == TG_NEXT_REFUSE) {
        return tg_gate_refuse(r, ctx);
    }
    if (ctx->step == TG_STEP_ADMIT_ANSWERED) {
        return tg_preaccess_verdict(r, ctx);
    }
    /* Asked and not answered: some other event of the connection brought us here. */
    return ctx->step == TG_STEP_BODY_ASKED ? NGX_DONE : NGX_AGAIN;
}

ngx_int_t tg_gate_preaccess(ngx_http_request_t *r)
{
    const struct tg_gate_location_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_tollgate_module);
    struct tg_gate_ctx *ctx;

    if (conf->mode == TG_GATE_OFF || conf->problem != NULL) {
        return NGX_DECLINED;
    }
    if (r != r->main) {
        /* A subrequest has no call of its own to be judged. */
        return conf->mode == TG_GATE_ON ? NGX_HTTP_FORBIDDEN : NGX_DECLINED;
    }
    ctx = tg_gate_ctx_find(r);
    if (ctx == NULL) {
        ctx = tg_gate_ctx_make(r);
    }
    if (ctx == NULL) {
        return conf->mode == TG_GATE_ON ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_DECLINED;
    }
    if (ctx->conf == NULL) {
        tg_preaccess_begin(r, ctx, conf);
    } else if (ctx->conf != conf || ctx->step == TG_STEP_PASSED || ctx->step == TG_STEP_ANSWERED) {
        return tg_preaccess_again(r, ctx);
    }
    if (ctx->mode == TG_GATE_OBSERVE) {
        if (ctx->step == TG_STEP_NEW) {
            if (r->request_body == NULL && !tg_gate_body_announced_too_large(r)) {
                return tg_preaccess_read_body(r, ctx);
            }
            ctx->step = TG_STEP_BODY_READ;
        }
        return ctx->step == TG_STEP_BODY_ASKED ? NGX_DONE : tg_gate_observe(r, ctx);
    }
    return tg_preaccess_gate(r, ctx);
}
