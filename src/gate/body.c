/*
 * body.c - the request body as one span in memory.
 *
 * What is inspected is what is forwarded: the chain that nginx will send becomes the very buffer that core reads.
 * A body that nginx has put into a file, or one over the limit, is refused (413): it never is parsed in part.
 */
#include "gate/fields.h"
#include "gate/steps.h"

bool tg_gate_body_announced_too_large(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > (off_t)TG_BODY_BYTES_MAX;
}

/* The chain's length; false when a part of it is not in memory or it is over the limit. */
static bool tg_body_measure(const ngx_chain_t *chain, size_t *ret_len, ngx_uint_t *ret_bufs)
{
    *ret_len = 0;
    *ret_bufs = 0;
    for (; chain != NULL; chain = chain->next) {
        const ngx_buf_t *buf = chain->buf;

        if (buf->in_file || buf->temp_file) {
            return false;
        }
        if (ngx_buf_in_memory(buf)) {
            *ret_len += (size_t)(buf->last - buf->pos);
            *ret_bufs += 1;
        }
        if (*ret_len > TG_BODY_BYTES_MAX) {
            return false;
        }
    }
    return true;
}

static ngx_int_t tg_body_flatten(ngx_http_request_t *r, size_t len)
{
    ngx_buf_t *flat = ngx_create_temp_buf(r->pool, len);
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);

    if (flat == NULL || link == NULL) {
        return NGX_ERROR;
    }
    for (ngx_chain_t *chain = r->request_body->bufs; chain != NULL; chain = chain->next) {
        if (ngx_buf_in_memory(chain->buf) && chain->buf->last > chain->buf->pos) {
            flat->last = ngx_cpymem(flat->last, chain->buf->pos, (size_t)(chain->buf->last - chain->buf->pos));
        }
    }
    link->buf = flat;
    link->next = NULL;
    r->request_body->bufs = link;
    return NGX_OK;
}

static bool tg_body_is_transfer_encoding(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    return tg_span_equal_nocase(tg_gate_span(field->key), TG_SPAN("transfer-encoding"));
}

/* Re-framed with a length: no two parsers on the way can disagree about where it ends (RFC 9112 6.3). */
static ngx_int_t tg_body_reframe(ngx_http_request_t *r, size_t len)
{
    if (r->headers_in.chunked) {
        if (tg_gate_fields_drop(r, tg_body_is_transfer_encoding, NULL) == NGX_ERROR) {
            return NGX_ERROR;
        }
        r->headers_in.chunked = 0;
        r->headers_in.transfer_encoding = NULL;
        r->headers_in.content_length_n = (off_t)len;
    } else if (len > 0) {
        r->headers_in.content_length_n = (off_t)len;
    }
    return NGX_OK;
}

enum tg_gate_next tg_gate_body_take(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    size_t len = 0;
    ngx_uint_t bufs = 0;

    ctx->reason = TG_REASON_BODY_TOO_LARGE;
    if (r->request_body == NULL) {
        /* Only in observe, when the body was announced to be too large. */
        return TG_NEXT_REFUSE;
    }
    if (r->request_body->temp_file != NULL || !tg_body_measure(r->request_body->bufs, &len, &bufs)) {
        return TG_NEXT_REFUSE;
    }
    ctx->reason = TG_REASON_INTERNAL;
    if (bufs > 1 && tg_body_flatten(r, len) != NGX_OK) {
        return TG_NEXT_REFUSE;
    }
    for (ngx_chain_t *chain = r->request_body->bufs; chain != NULL; chain = chain->next) {
        if (ngx_buf_in_memory(chain->buf) && chain->buf->last > chain->buf->pos) {
            ctx->body = tg_span(chain->buf->pos, len);
            break;
        }
    }
    if (ctx->mode == TG_GATE_ON && tg_body_reframe(r, len) != NGX_OK) {
        return TG_NEXT_REFUSE;
    }
    ctx->reason = TG_REASON_OK;
    return TG_NEXT_GO;
}
