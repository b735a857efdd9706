/*
 * log.c - the variables of log.h.
 *
 * They are read by stock log_format when the request ends; nothing is formatted
 * for a request whose log does not name them.
 */
#include "gate/log.h"

#include "base/banned.h"

/* 2^32 - 1 in decimal. */
#define TG_LOG_NUMBER_CHARS_MAX 10

enum tg_log_text {
    TG_LOG_REQUEST_ID = 0,
    TG_LOG_REASON,
    TG_LOG_VERDICT,
    TG_LOG_OPERATION,
    TG_LOG_TEMPLATE,
    TG_LOG_ROUTE,
    TG_LOG_MODE,
    TG_LOG_OUTCOME
};

enum tg_log_number { TG_LOG_PARTNER = 0, TG_LOG_AUTH_MS, TG_LOG_ADMIT_MS, TG_LOG_SETTLE_MS, TG_LOG_UPSTREAM_MS };

static struct tg_span tg_log_verdict(const struct tg_gate_ctx *ctx)
{
    switch (ctx->verdict) {
    case TG_VERDICT_ALLOW:
        return TG_SPAN("allow");
    case TG_VERDICT_REPLAY:
        return TG_SPAN("replay");
    case TG_VERDICT_CHALLENGE:
        return TG_SPAN("challenge");
    case TG_VERDICT_REFUSE:
        return TG_SPAN("refuse");
    default:
        /* Refused by the gate alone, before the keeper was asked. */
        return ctx->reason != TG_REASON_OK ? TG_SPAN("refuse") : tg_span(NULL, 0);
    }
}

static struct tg_span tg_log_outcome(const struct tg_gate_ctx *ctx)
{
    switch (ctx->outcome) {
    case TG_OUTCOME_FINAL:
        return TG_SPAN("final");
    case TG_OUTCOME_NOT_EXECUTED:
        return TG_SPAN("not_executed");
    case TG_OUTCOME_UNKNOWN:
        return TG_SPAN("unknown");
    case TG_OUTCOME_NOT_SENT:
        return TG_SPAN("not_sent");
    default:
        return tg_span(NULL, 0);
    }
}

static struct tg_span tg_log_mode(const struct tg_gate_ctx *ctx)
{
    if (ctx->conf == NULL) {
        return tg_span(NULL, 0);
    }
    return ctx->mode == TG_GATE_ON ? TG_SPAN("on") : ctx->mode == TG_GATE_OBSERVE ? TG_SPAN("observe") : TG_SPAN("off");
}

static struct tg_span tg_log_span(const struct tg_gate_ctx *ctx, uintptr_t which)
{
    switch (which) {
    case TG_LOG_REQUEST_ID:
        return tg_span(ctx->request_id_text, TG_REQUEST_ID_CHARS);
    case TG_LOG_REASON:
        return tg_span_string(tg_reason_entry(ctx->reason)->name);
    case TG_LOG_VERDICT:
        return tg_log_verdict(ctx);
    case TG_LOG_OPERATION:
        return ctx->operation != NULL ? ctx->operation->name : tg_span(NULL, 0);
    case TG_LOG_TEMPLATE:
        return ctx->operation != NULL ? ctx->operation->path : tg_span(NULL, 0);
    case TG_LOG_ROUTE:
        return ctx->conf != NULL ? tg_span(ctx->conf->route.data, ctx->conf->route.len) : tg_span(NULL, 0);
    case TG_LOG_MODE:
        return tg_log_mode(ctx);
    default:
        return tg_log_outcome(ctx);
    }
}

static ngx_int_t tg_log_text_get(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    const struct tg_gate_ctx *ctx = tg_gate_ctx_find(r);
    struct tg_span text = ctx == NULL ? tg_span(NULL, 0) : tg_log_span(ctx, data);

    if (text.len == 0) {
        value->not_found = 1;
        return NGX_OK;
    }
    value->data = (u_char *)(uintptr_t)text.ptr;
    value->len = text.len & 0xfffffff; /* 28 bits wide; the texts are short */
    value->valid = 1;
    value->no_cacheable = 1; /* a later look may see more */
    value->not_found = 0;
    return NGX_OK;
}

/* Time from the first byte sent to the last one received, of the only try (proxy_next_upstream is off). */
static bool tg_log_upstream_ms(ngx_http_request_t *r, uint32_t *ret)
{
    const ngx_http_upstream_state_t *state;

    if (r->main->upstream_states == NULL || r->main->upstream_states->nelts == 0) {
        return false;
    }
    state = r->main->upstream_states->elts;
    state += r->main->upstream_states->nelts - 1;
    if (state->response_time == (ngx_msec_t)-1) {
        return false;
    }
    *ret = (uint32_t)state->response_time;
    return true;
}

static bool tg_log_value(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, uintptr_t which, uint32_t *ret)
{
    switch (which) {
    case TG_LOG_PARTNER:
        *ret = ctx->partner;
        return ctx->partner != 0;
    case TG_LOG_AUTH_MS:
        *ret = ctx->auth_ms;
        return true;
    case TG_LOG_ADMIT_MS:
        *ret = ctx->admit_ms;
        return true;
    case TG_LOG_SETTLE_MS:
        *ret = ctx->settle_ms;
        return true;
    default:
        return tg_log_upstream_ms(r, ret);
    }
}

static ngx_int_t tg_log_number_get(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t data)
{
    const struct tg_gate_ctx *ctx = tg_gate_ctx_find(r);
    uint32_t number = 0;
    struct tg_buf text;

    if (ctx == NULL || !tg_log_value(r, ctx, data, &number)) {
        value->not_found = 1;
        return NGX_OK;
    }
    text = tg_buf(ngx_pnalloc(r->pool, TG_LOG_NUMBER_CHARS_MAX), TG_LOG_NUMBER_CHARS_MAX);
    if (text.ptr == NULL) {
        return NGX_ERROR;
    }
    tg_buf_put_decimal(&text, number);
    value->len = text.len & 0xfffffff;
    value->data = text.ptr;
    value->valid = 1;
    value->no_cacheable = 1;
    value->not_found = 0;
    return NGX_OK;
}

static ngx_http_variable_t tg_log_list[] = {
    {ngx_string("tollgate_request_id"), NULL, tg_log_text_get, TG_LOG_REQUEST_ID, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_reason"), NULL, tg_log_text_get, TG_LOG_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_verdict"), NULL, tg_log_text_get, TG_LOG_VERDICT, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_operation"), NULL, tg_log_text_get, TG_LOG_OPERATION, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_template"), NULL, tg_log_text_get, TG_LOG_TEMPLATE, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_route"), NULL, tg_log_text_get, TG_LOG_ROUTE, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_mode"), NULL, tg_log_text_get, TG_LOG_MODE, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_outcome"), NULL, tg_log_text_get, TG_LOG_OUTCOME, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_partner"), NULL, tg_log_number_get, TG_LOG_PARTNER, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_auth_ms"), NULL, tg_log_number_get, TG_LOG_AUTH_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_admit_ms"), NULL, tg_log_number_get, TG_LOG_ADMIT_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_settle_ms"), NULL, tg_log_number_get, TG_LOG_SETTLE_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
    {ngx_string("tollgate_upstream_ms"), NULL, tg_log_number_get, TG_LOG_UPSTREAM_MS, NGX_HTTP_VAR_NOCACHEABLE, 0},
};

ngx_int_t tg_gate_log_variables(ngx_conf_t *cf)
{
    for (size_t i = 0; i < sizeof(tg_log_list) / sizeof(*tg_log_list); i++) {
        ngx_http_variable_t *added = ngx_http_add_variable(cf, &tg_log_list[i].name, tg_log_list[i].flags);

        if (added == NULL) {
            return NGX_ERROR;
        }
        added->get_handler = tg_log_list[i].get_handler;
        added->data = tg_log_list[i].data;
    }
    return NGX_OK;
}
