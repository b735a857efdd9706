/*
 * framing.c - an upstream's answer whose framing breaks in the middle.
 *
 * nginx drops the whole request when a chunk cannot be parsed: the caller would see a closed connection and no word
 * about its payment. The input filter that proxy_pass installs is wrapped, so that such an answer ends early, is known
 * as cut, and takes the way of every other cut answer.
 */
#include "gate/steps.h"

/* The answer ends here as far as nginx is concerned; its connection is not used again. */
void tg_gate_framing_end(ngx_http_upstream_t *upstream)
{
    upstream->keepalive = 0;
    upstream->length = 0;
    if (upstream->pipe != NULL) {
        upstream->pipe->upstream_done = 1;
    }
}

static void tg_framing_broken(struct tg_gate_ctx *ctx)
{
    ctx->cut = true;
    tg_gate_framing_end(ctx->request->upstream);
}

static ngx_int_t tg_framing_pipe_filter(ngx_event_pipe_t *pipe, ngx_buf_t *buf)
{
    struct tg_gate_ctx *ctx = tg_gate_ctx_find(pipe->input_ctx);

    if (ctx->framing.pipe_filter(pipe, buf) != NGX_OK) {
        tg_framing_broken(ctx);
    }
    return NGX_OK;
}

static ngx_int_t tg_framing_filter(void *data, ssize_t bytes)
{
    struct tg_gate_ctx *ctx = tg_gate_ctx_find(data);

    if (ctx->framing.filter(data, bytes) != NGX_OK) {
        tg_framing_broken(ctx);
    }
    return NGX_OK;
}

static ngx_int_t tg_framing_init(void *data)
{
    ngx_http_request_t *r = data;
    struct tg_gate_ctx *ctx = tg_gate_ctx_find(r);
    ngx_http_upstream_t *upstream = r->upstream;

    if (ctx->framing.init(data) != NGX_OK) {
        return NGX_ERROR;
    }
    /* Chosen by init for this answer's framing; the plain copy of nginx's core knows no error but lack of memory. */
    if (upstream->buffering && upstream->pipe->input_filter != NULL) {
        ctx->framing.pipe_filter = upstream->pipe->input_filter;
        upstream->pipe->input_filter = tg_framing_pipe_filter;
    } else if (!upstream->buffering && upstream->input_filter != NULL) {
        ctx->framing.filter = upstream->input_filter;
        upstream->input_filter = tg_framing_filter;
    }
    return NGX_OK;
}

void tg_gate_framing_watch(ngx_http_upstream_t *upstream, struct tg_gate_ctx *ctx)
{
    /* input_ctx is the request for proxy_pass, as for every upstream module that sets an init function. */
    if (upstream->input_filter_init == NULL || upstream->input_filter_ctx != ctx->request ||
        upstream->input_filter_init == tg_framing_init) {
        return;
    }
    ctx->framing.init = upstream->input_filter_init;
    upstream->input_filter_init = tg_framing_init;
}
