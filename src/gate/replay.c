/*
 * replay.c - the answer of an earlier try, from the record, marked as such.
 */
#include "core/http/answer.h"
#include "gate/steps.h"
#include "gate/zone.h"

static ngx_int_t tg_replay_fields(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, const struct tg_answer *answer)
{
    for (size_t i = 0; i < answer->field_count; i++) {
        struct tg_span name = answer->fields[i].name;
        struct tg_span value = answer->fields[i].value;

        if (tg_span_equal_nocase(name, TG_SPAN("content-type"))) {
            r->headers_out.content_type.data = (u_char *)(uintptr_t)value.ptr;
            r->headers_out.content_type.len = value.len;
            r->headers_out.content_type_len = value.len;
        } else if (tg_gate_header_add_out(r, name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    tg_gate_upstream_key_echo(r, ctx);
    return NGX_OK;
}

static ngx_int_t tg_replay_marks(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    struct tg_buf id = tg_buf(ngx_pnalloc(r->pool, TG_REQUEST_ID_CHARS), TG_REQUEST_ID_CHARS);

    if (id.ptr == NULL) {
        return NGX_ERROR;
    }
    tg_buf_put_hex(&id, tg_span(ctx->original_id, sizeof(ctx->original_id)));
    if (tg_gate_header_add_out(r, TG_SPAN("Idempotent-Replayed"), TG_SPAN("true")) != NGX_OK) {
        return NGX_ERROR;
    }
    return tg_gate_header_add_out(r, TG_SPAN("Tollgate-Original-Request-Id"), tg_buf_span(&id));
}

ngx_int_t tg_gate_replay(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_answer answer;
    ngx_chain_t *out;
    ngx_int_t rc;

    if (tg_answer_read(ctx->stored, &answer) != TG_OK || answer.status < NGX_HTTP_OK) {
        ctx->reason = TG_REASON_INTERNAL;
        return tg_gate_refuse(r, ctx);
    }
    ctx->step = TG_STEP_ANSWERED;
    ctx->replayed = true;
    tg_gate_count(TG_METRIC_REPLAYED);
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    r->headers_out.status = answer.status;
    r->headers_out.content_length_n = (off_t)answer.body.len;
    if (answer.status == NGX_HTTP_NO_CONTENT) {
        /* RFC 9110 8.6: no Content-Length in a 204. */
        r->headers_out.content_length_n = -1;
        r->header_only = 1;
    }
    out = tg_gate_last_chain(r, answer.body);
    if (out == NULL || tg_replay_fields(r, ctx, &answer) != NGX_OK || tg_replay_marks(r, ctx) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    rc = ngx_http_send_header(r);
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = ngx_http_output_filter(r, out);
    }
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}
