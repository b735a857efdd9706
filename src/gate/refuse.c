/*
 * refuse.c - refusals on their way to the caller: a problem document in the dialect's shape, and what must stand beside
 * it.
 */
#include "core/http/problem.h"
#include "gate/steps.h"
#include "gate/zone.h"

/* Retry-After where the keeper named none: soon, since these pass by themselves. */
#define TG_RETRY_AFTER_S 1

/* Methods that one path of a profile may know: "GET, POST, ..." */
#define TG_ALLOW_BYTES_MAX 256

static ngx_str_t tg_refuse_string(struct tg_span span)
{
    ngx_str_t text = {span.len, (u_char *)(uintptr_t)span.ptr};

    return text;
}

ngx_chain_t *tg_gate_last_chain(ngx_http_request_t *r, struct tg_span body)
{
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (link == NULL || buf == NULL) {
        return NULL;
    }
    if (body.len > 0) {
        buf->pos = (u_char *)(uintptr_t)body.ptr;
        buf->last = buf->pos + body.len;
        buf->memory = 1;
    }
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    link->buf = buf;
    link->next = NULL;
    return link;
}

/* ---- fields beside the document ---- */

/* RFC 9110 15.5.6: 405 names the methods that the path knows. */
static struct tg_span tg_refuse_allow(ngx_http_request_t *r, const struct tg_profile *profile)
{
    struct tg_buf out = tg_buf(ngx_pnalloc(r->pool, TG_ALLOW_BYTES_MAX), TG_ALLOW_BYTES_MAX);
    struct tg_span path = tg_gate_call_path(r);
    bool known;

    if (out.ptr == NULL) {
        return tg_span(NULL, 0);
    }
    for (size_t i = 0; i < profile->operation_count; i++) {
        const struct tg_operation *operation = &profile->operations[i];

        /* Each method once: by the first operation that the path reaches with it. */
        if (tg_profile_match(profile, operation->method, path, &known) != operation) {
            continue;
        }
        if (out.len > 0) {
            tg_buf_put(&out, TG_SPAN(", "));
        }
        tg_buf_put(&out, operation->method);
    }
    return tg_buf_done(&out) == TG_OK ? tg_buf_span(&out) : tg_span(NULL, 0);
}

static bool tg_refuse_has_retry(const struct tg_gate_ctx *ctx, uint16_t reason, uint16_t status)
{
    return ctx->retry_after_s > 0 || reason == TG_REASON_KEY_IN_FLIGHT || status == NGX_HTTP_SERVICE_UNAVAILABLE ||
           status == NGX_HTTP_TOO_MANY_REQUESTS;
}

static ngx_int_t tg_refuse_retry_after(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    u_char *text = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    uint16_t wait_s = ctx->retry_after_s > 0 ? ctx->retry_after_s : TG_RETRY_AFTER_S;

    if (text == NULL) {
        return NGX_ERROR;
    }
    return tg_gate_header_add_out(r, TG_SPAN("Retry-After"),
                                  tg_span(text, (size_t)(ngx_sprintf(text, "%ui", (ngx_uint_t)wait_s) - text)));
}

static ngx_int_t tg_refuse_fields(ngx_http_request_t *r, struct tg_gate_ctx *ctx, uint16_t reason, uint16_t status)
{
    struct tg_span retry = tg_problem_should_retry(tg_gate_shape(ctx), reason);
    struct tg_span allow;

    if (tg_gate_header_add_out(r, TG_SPAN("Cache-Control"), TG_SPAN("no-store")) != NGX_OK) {
        return NGX_ERROR;
    }
    if (retry.len > 0 && tg_gate_header_add_out(r, TG_SPAN("Stripe-Should-Retry"), retry) != NGX_OK) {
        return NGX_ERROR;
    }
    if (status == NGX_HTTP_UNAUTHORIZED &&
        tg_gate_header_add_out(r, TG_SPAN("WWW-Authenticate"),
                               reason == TG_REASON_CREDENTIAL_MISSING
                                   ? TG_SPAN("Bearer realm=\"tollgate\"")
                                   : TG_SPAN("Bearer realm=\"tollgate\", error=\"invalid_token\"")) != NGX_OK) {
        return NGX_ERROR;
    }
    if (reason == TG_REASON_METHOD_NOT_ALLOWED && ctx->conf != NULL && ctx->conf->profile != NULL) {
        allow = tg_refuse_allow(r, ctx->conf->profile);
        if (allow.len > 0 && tg_gate_header_add_out(r, TG_SPAN("Allow"), allow) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return tg_refuse_has_retry(ctx, reason, status) ? tg_refuse_retry_after(r, ctx) : NGX_OK;
}

ngx_int_t tg_gate_problem_apply(ngx_http_request_t *r, struct tg_gate_ctx *ctx, uint16_t reason, struct tg_span *body)
{
    uint8_t shape = tg_gate_shape(ctx);
    struct tg_problem problem = {.reason = reason,
                                 .shape = shape,
                                 .request_id = tg_span(ctx->request_id_text, TG_REQUEST_ID_CHARS),
                                 .pointer = tg_span(ctx->where.text, ctx->where.len)};
    struct tg_buf out = tg_buf(ngx_pnalloc(r->pool, TG_PROBLEM_BYTES_MAX), TG_PROBLEM_BYTES_MAX);
    uint16_t status = tg_problem_status(shape, reason);

    if (out.ptr == NULL || tg_problem_write(&out, &problem) != TG_OK) {
        return NGX_ERROR;
    }
    *body = tg_buf_span(&out);
    r->headers_out.status = status == 0 ? NGX_HTTP_BAD_GATEWAY : status;
    r->headers_out.content_type = tg_refuse_string(tg_problem_content_type(shape));
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_length_n = (off_t)body->len;
    return tg_refuse_fields(r, ctx, reason, status);
}

/* ---- marks on every answer ---- */

static bool tg_mark_has(ngx_http_request_t *r, struct tg_span name, bool drop)
{
    bool found = false;

    for (ngx_list_part_t *part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (field[i].hash != 0 && tg_span_equal_nocase(tg_gate_span(field[i].key), name)) {
                found = true;
                field[i].hash = drop ? 0 : field[i].hash;
            }
        }
    }
    return found;
}

ngx_int_t tg_gate_answer_mark(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_span id = tg_span(ctx->request_id_text, TG_REQUEST_ID_CHARS);

    if (ngx_exiting) {
        /* A leaving worker closes the connection after this answer; nginx 1.22 would not say so. */
        r->keepalive = 0;
    }
    (void)tg_mark_has(r, TG_SPAN("tollgate-request-id"), true);
    if (ctx->mode == TG_GATE_ON && !ctx->replayed) {
        /* These say "from the record", and only we may; an upstream with keys of its own says the first itself. */
        (void)tg_mark_has(r, TG_SPAN("tollgate-original-request-id"), true);
        if (ctx->conf->profile == NULL || !ctx->conf->profile->upstream_idempotent) {
            (void)tg_mark_has(r, TG_SPAN("idempotent-replayed"), true);
        }
    }
    if (tg_gate_header_add_out(r, TG_SPAN("Tollgate-Request-Id"), id) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->client_request_id.len > 0 && !tg_mark_has(r, TG_SPAN("x-request-id"), false) &&
        tg_gate_header_add_out(r, TG_SPAN("X-Request-Id"), tg_gate_span(ctx->client_request_id)) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->mode == TG_GATE_ON && tg_gate_shape(ctx) == TG_PROBLEM_STRIPE &&
        !tg_mark_has(r, TG_SPAN("request-id"), false)) {
        return tg_gate_header_add_out(r, TG_SPAN("Request-Id"), id);
    }
    return NGX_OK;
}

/* ---- sending ---- */

static ngx_int_t tg_refuse_send(ngx_http_request_t *r, struct tg_span body)
{
    ngx_chain_t *out = tg_gate_last_chain(r, body);
    ngx_int_t rc;

    if (out == NULL) {
        return NGX_ERROR;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, out);
}

/* A body that nobody asked for: read away, or the connection goes with it. */
static ngx_int_t tg_refuse_discard(ngx_http_request_t *r, uint16_t reason)
{
    if (reason == TG_REASON_REQUEST_FRAMING || reason == TG_REASON_TRANSFER_CODING ||
        reason == TG_REASON_FIELD_MALFORMED || reason == TG_REASON_BODY_TOO_LARGE) {
        r->keepalive = 0;
    }
    if (r->headers_in.expect != NULL && r->request_body == NULL) {
        /* No "100 Continue" for a body that is refused already (RFC 9110 10.1.1). */
        r->expect_tested = 1;
        r->keepalive = 0;
    }
    return ngx_http_discard_request_body(r);
}

ngx_int_t tg_gate_refuse(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    uint16_t status = tg_problem_status(tg_gate_shape(ctx), ctx->reason);
    struct tg_span body;
    ngx_int_t rc;

    ctx->step = TG_STEP_ANSWERED;
    if (ctx->verdict == 0) {
        ctx->verdict = TG_VERDICT_REFUSE;
    }
    tg_gate_count(TG_METRIC_REFUSED);
    tg_gate_count_reason(ctx->reason, false);
    /* What the keeper decided it has recorded; throttled callers may not fill the record. */
    if (!ctx->judged_by_keeper && ctx->reason != TG_REASON_AUTHENTICATION_THROTTLED) {
        tg_gate_note(ctx, ctx->reason, status, 0);
    }
    rc = tg_refuse_discard(r, ctx->reason);
    if (rc != NGX_OK) {
        return rc;
    }
    if (tg_gate_problem_apply(r, ctx, ctx->reason, &body) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    ngx_http_finalize_request(r, tg_refuse_send(r, body));
    return NGX_DONE;
}

/* What nginx itself refused before the module saw it: error_page leads here. */
ngx_int_t tg_gate_problem_handler(ngx_http_request_t *r)
{
    const struct tg_gate_location_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_tollgate_module);
    struct tg_gate_ctx *ctx = tg_gate_ctx_find(r);
    struct tg_span body;
    ngx_int_t rc;

    if (ctx == NULL) {
        ctx = tg_gate_ctx_make(r);
    }
    if (ctx == NULL || conf->problem == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    if (ctx->reason == TG_REASON_OK) {
        ctx->reason = conf->problem->code;
        tg_gate_count_reason(ctx->reason, false);
    }
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (ctx->conf == NULL) {
        ctx->conf = conf;
    }
    if (tg_gate_problem_apply(r, ctx, conf->problem->code, &body) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    return tg_refuse_send(r, body);
}
