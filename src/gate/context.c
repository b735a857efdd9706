/*
 * context.c - a request's context: made, found again, woken, and taken leave of.
 *
 * Internal redirects and error_page clear r->ctx. The pool's cleanup list survives them, so the context is found
 * there. The request's own cleanup list runs earlier, when the connection ends under a waiting request: then slots are
 * given back or handed on, and nothing may be asked for this request any more.
 */
#include "gate/steps.h"
#include "gate/zone.h"

struct tg_span tg_gate_span(ngx_str_t text)
{
    return tg_span(text.data, text.len);
}

/* The pool goes: the last thing that happens to a context. */
static void tg_ctx_destroyed(void *data)
{
    struct tg_gate_ctx *ctx = data;

    tg_gate_credential_wipe(ctx, true);
    ctx->gone = true;
}

/* The request ends, by itself or because its client left. */
static void tg_ctx_ended(void *data)
{
    struct tg_gate_ctx *ctx = data;
    struct tg_gate_slot *slot = ctx->slot;

    ctx->gone = true;
    tg_gate_credential_wipe(ctx, true);
    if (slot == NULL) {
        return;
    }
    if (ctx->mode == TG_GATE_OBSERVE) {
        tg_gate_observe_end(ctx->request, ctx);
        return;
    }
    if (ctx->hold != TG_HOLD_OVER && ctx->hold != TG_HOLD_RELEASED) {
        tg_gate_count(TG_METRIC_CLIENT_GONE);
    }
    if (ctx->admitted && !ctx->settled) {
        uint8_t outcome = ctx->outcome != 0 ? ctx->outcome : tg_gate_settle_outcome_sent(ctx->request);

        tg_gate_settle_abandon(ctx, outcome,
                               outcome == TG_OUTCOME_NOT_SENT ? TG_REASON_UPSTREAM_UNREACHABLE
                                                              : TG_REASON_OUTCOME_UNKNOWN_CUT);
        return;
    }
    if (ctx->step == TG_STEP_ADMIT_ASKED) {
        tg_gate_settle_abandon(ctx, TG_OUTCOME_NOT_SENT, TG_REASON_KEEPER_TIMEOUT);
        return;
    }
    ctx->slot = NULL;
    tg_gate_slot_free(slot);
}

struct tg_gate_ctx *tg_gate_ctx_find(ngx_http_request_t *r)
{
    struct tg_gate_ctx *ctx = ngx_http_get_module_ctx(r->main, ngx_http_tollgate_module);

    if (ctx != NULL || r->main->pool == NULL) {
        return ctx;
    }
    for (ngx_pool_cleanup_t *cleanup = r->main->pool->cleanup; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == tg_ctx_destroyed) {
            ctx = cleanup->data;
            ngx_http_set_ctx(r->main, ctx, ngx_http_tollgate_module);
            return ctx;
        }
    }
    return NULL;
}

struct tg_gate_ctx *tg_gate_ctx_make(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *destroyed = ngx_pool_cleanup_add(r->pool, 0);
    ngx_http_cleanup_t *ended = ngx_http_cleanup_add(r, 0);
    struct tg_gate_ctx *ctx = ngx_pcalloc(r->pool, sizeof(*ctx));
    struct tg_buf text;

    if (destroyed == NULL || ended == NULL || ctx == NULL) {
        return NULL;
    }
    if (!tg_gate_request_id(ctx->request_id)) {
        return NULL;
    }
    text = tg_buf(ctx->request_id_text, sizeof(ctx->request_id_text));
    tg_buf_put_hex(&text, tg_span(ctx->request_id, sizeof(ctx->request_id)));
    ctx->request = r;
    ctx->began_ms = ngx_current_msec;
    destroyed->handler = tg_ctx_destroyed;
    destroyed->data = ctx;
    ended->handler = tg_ctx_ended;
    ended->data = ctx;
    ngx_http_set_ctx(r, ctx, ngx_http_tollgate_module);
    return ctx;
}

void tg_gate_suspend(ngx_http_request_t *r)
{
    /* A client that leaves while we wait is noticed (settle_hold: taken back when the call is let through). */
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_core_run_phases;
}

void tg_gate_wake(struct tg_gate_ctx *ctx)
{
    if (ctx == NULL || ctx->gone) {
        return;
    }
    /* Posted, never run from here: one lost link wakes many requests, and each may end others. */
    ngx_post_event(ctx->request->connection->write, &ngx_posted_events);
}

uint8_t tg_gate_shape(const struct tg_gate_ctx *ctx)
{
    if (ctx == NULL || ctx->conf == NULL) {
        return TG_PROBLEM_PLAIN;
    }
    if (ctx->conf->shape != 0) {
        return (uint8_t)ctx->conf->shape;
    }
    return ctx->conf->profile != NULL ? ctx->conf->profile->problem_shape : TG_PROBLEM_PLAIN;
}

void tg_gate_address(ngx_http_request_t *r, uint8_t ret[16])
{
    const struct sockaddr *address = r->connection->sockaddr;

    ngx_memzero(ret, 16);
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

        ret[10] = 0xff;
        ret[11] = 0xff;
        ngx_memcpy(ret + 12, &v4->sin_addr, 4);
    }
#if (NGX_HAVE_INET6)
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

        ngx_memcpy(ret, &v6->sin6_addr, 16);
    }
#endif
}
