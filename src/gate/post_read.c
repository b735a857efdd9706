/*
 * post_read.c - POST_READ: the request id, the field checks, the fields that nobody outside may set.
 *
 * Runs once for each main request of a server that has gated locations, after stock realip. What the checks say is
 * only noted: the location, and with it the mode, is known in PREACCESS.
 */
#include "core/http/field.h"
#include "gate/fields.h"
#include "gate/steps.h"

static bool tg_post_read_is_own(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    /* Ours alone, in observe too: an upstream and its logs trust it. */
    return tg_gate_field_is(tg_gate_span(field->key), TG_SPAN("tollgate-request-id"));
}

static bool tg_post_read_is_bad_id(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    return tg_gate_field_is(tg_gate_span(field->key), TG_SPAN("x-request-id"));
}

static bool tg_post_read_is_trace(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    return tg_span_equal_nocase(tg_gate_span(field->key), TG_SPAN("traceparent")) ||
           tg_span_equal_nocase(tg_gate_span(field->key), TG_SPAN("tracestate"));
}

/* The caller's own id is echoed and passed on when it is harmless, else it goes no further. */
static ngx_int_t tg_post_read_client_id(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    size_t count;
    ngx_table_elt_t *field = tg_gate_field_find(r, TG_SPAN("x-request-id"), &count);

    if (count == 1 && tg_client_request_id_ok(tg_gate_span(field->value)) &&
        !tg_gate_field_aliased(r, TG_SPAN("x-request-id"))) {
        ctx->client_request_id = field->value;
        return NGX_OK;
    }
    return tg_gate_fields_drop(r, tg_post_read_is_bad_id, NULL) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}

/* W3C Trace Context 3.2.2: an invalid traceparent ends the trace, and its tracestate with it. */
static ngx_int_t tg_post_read_trace(ngx_http_request_t *r)
{
    size_t count;
    ngx_table_elt_t *field = tg_gate_field_find(r, TG_SPAN("traceparent"), &count);

    if (field == NULL || (count == 1 && tg_traceparent_ok(tg_gate_span(field->value)))) {
        return NGX_OK;
    }
    return tg_gate_fields_drop(r, tg_post_read_is_trace, NULL) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}

/* nginx does not set up the list for HTTP/0.9, which has no fields. */
static ngx_int_t tg_post_read_list(ngx_http_request_t *r)
{
    if (r->headers_in.headers.last != NULL) {
        return NGX_OK;
    }
    return ngx_list_init(&r->headers_in.headers, r->pool, 4, sizeof(ngx_table_elt_t));
}

ngx_int_t tg_gate_post_read(ngx_http_request_t *r)
{
    const struct tg_gate_server_conf *server = ngx_http_get_module_srv_conf(r, ngx_http_tollgate_module);
    struct tg_gate_ctx *ctx;

    if (r != r->main || (!server->gated && !server->observed)) {
        return NGX_DECLINED;
    }
    ctx = tg_gate_ctx_find(r);
    if (ctx != NULL) {
        return NGX_DECLINED;
    }
    ctx = tg_gate_ctx_make(r);
    if (ctx == NULL || tg_post_read_list(r) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    ctx->field_reason = tg_gate_fields_check(r);
    if (server->gated) {
        tg_gate_fields_strip(r);
    }
    if (tg_gate_fields_drop(r, tg_post_read_is_own, NULL) == NGX_ERROR || tg_post_read_client_id(r, ctx) != NGX_OK ||
        tg_post_read_trace(r) != NGX_OK ||
        tg_gate_header_add_in(r, TG_SPAN("Tollgate-Request-Id"), TG_SPAN("tollgate-request-id"),
                              tg_span(ctx->request_id_text, TG_REQUEST_ID_CHARS)) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    return NGX_DECLINED;
}
