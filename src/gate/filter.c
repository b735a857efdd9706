/*
 * filter.c - holds the answer of an admitted call until SETTLE has been answered, then lets it go or replaces it.
 *
 * Stands right before nginx's copy filter in the module order, so buffers come in memory and add_header, gzip and
 * chunking run after the release. No policy lives here: settle.c says what an answer means.
 */
#include "gate/steps.h"
#include "gate/zone.h"

/* The first buffer for a body of unknown length; doubled up to the limit. */
#define TG_HELD_BYTES_FIRST 2048

/* r->buffered has four bits; SSI uses 1, SUB 2, COPY 4 (ngx_http_request.h). */
#define TG_FILTER_BUFFERED 0x08

static ngx_http_output_header_filter_pt tg_filter_next_header;
static ngx_http_output_body_filter_pt tg_filter_next_body;

static bool tg_filter_has_no_body(ngx_http_request_t *r)
{
    return r->method == NGX_HTTP_HEAD || r->headers_out.status == NGX_HTTP_NO_CONTENT ||
           r->headers_out.status == NGX_HTTP_NOT_MODIFIED;
}

/* A length twice, a coding twice or one other than chunked: two readers may see two answers (RFC 9112 6.1, 6.3). */
static bool tg_filter_framing_unclear(const ngx_http_upstream_t *upstream)
{
    ngx_uint_t lengths = 0;
    ngx_uint_t codings = 0;

    for (const ngx_list_part_t *part = &upstream->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            struct tg_span name = tg_gate_span(field[i].key);

            if (tg_span_equal_nocase(name, TG_SPAN("content-length"))) {
                lengths++;
            } else if (tg_span_equal_nocase(name, TG_SPAN("transfer-encoding"))) {
                codings += tg_span_equal_nocase(tg_span_trim(tg_gate_span(field[i].value)), TG_SPAN("chunked")) ? 1 : 2;
            }
        }
    }
    return lengths > 1 || codings > 1;
}

/* What can be refused before any of the body is there. */
static bool tg_filter_answer_unfit(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    const ngx_http_upstream_t *upstream = r->upstream;

    /* 1xx as a final status, HTTP/0.9 garbage (status 0), and what nginx would tunnel past every filter. */
    if (r->headers_out.status < NGX_HTTP_OK || r->headers_out.status > 599 || upstream->upgrade ||
        tg_filter_framing_unclear(upstream)) {
        return true;
    }
    if (tg_filter_has_no_body(r)) {
        return false;
    }
    /* Two framings at once: who reads it otherwise reads another answer (RFC 9112 6.3). */
    if (upstream->headers_in.chunked && upstream->headers_in.content_length != NULL) {
        return true;
    }
    /* An end that is only the connection's end cannot be told from a cut (RFC 9112 8). */
    if (upstream->headers_in.content_length_n < 0 && !upstream->headers_in.chunked) {
        return true;
    }
    return upstream->headers_in.content_length_n > (off_t)ctx->conf->hold_bytes_max;
}

static ngx_int_t tg_filter_hold(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    ngx_http_upstream_t *upstream = r->upstream;

    ctx->hold = TG_HOLD_GATHERING;
    ctx->held_bytes = 0;
    ctx->over = false;
    ctx->cut = false;
    ctx->heard_ms = ngx_current_msec;
    r->main_filter_need_in_memory = 1;
    /* range_body runs before us and range_header at the release: a range would split what belongs together. */
    r->allow_ranges = 0;
    /* While nginx sends an upstream's answer its cleanup is armed; an answer of nginx's own comes after it. */
    ctx->upstream_answer = upstream != NULL && upstream->cleanup != NULL;
    tg_gate_credential_wipe(ctx, false);
    if (!ctx->upstream_answer) {
        r->http_version = ctx->http_version;
        return NGX_OK;
    }
    ctx->upstream_status = (uint16_t)ngx_min(r->headers_out.status, 999);
    if (!tg_filter_answer_unfit(r, ctx)) {
        tg_gate_framing_watch(upstream, ctx);
        return NGX_OK;
    }
    /* nginx ends the upstream and comes back with a 502 of its own, which is held and settled in the place of this. */
    ctx->answer_unfit = true;
    ngx_http_clean_header(r);
    r->http_version = ctx->http_version;
    upstream->upgrade = 0;
    return NGX_HTTP_BAD_GATEWAY;
}

static ngx_int_t tg_filter_header(ngx_http_request_t *r)
{
    struct tg_gate_ctx *ctx = r == r->main ? tg_gate_ctx_find(r) : NULL;

    if (ctx == NULL) {
        return tg_filter_next_header(r);
    }
    if (ctx->mode == TG_GATE_ON && ctx->step == TG_STEP_PASSED && ctx->hold != TG_HOLD_RELEASED) {
        if (ctx->hold == TG_HOLD_ASKED || ctx->hold == TG_HOLD_OVER) {
            return NGX_ERROR;
        }
        return tg_filter_hold(r, ctx);
    }
    if (ctx->mode == TG_GATE_OBSERVE && r->upstream != NULL && r->upstream->cleanup != NULL) {
        ctx->upstream_answer = true;
        ctx->upstream_status = (uint16_t)ngx_min(r->headers_out.status, 999);
    }
    if (tg_gate_answer_mark(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    return tg_filter_next_header(r);
}

/* ---- gathering ---- */

static ngx_int_t tg_filter_room(ngx_http_request_t *r, struct tg_gate_ctx *ctx, size_t more)
{
    size_t need = ctx->held_bytes + more;
    size_t cap = ctx->held_cap == 0 ? TG_HELD_BYTES_FIRST : ctx->held_cap;
    u_char *larger;

    if (need <= ctx->held_cap) {
        return NGX_OK;
    }
    if (r->headers_out.content_length_n > 0 && (size_t)r->headers_out.content_length_n >= need) {
        cap = (size_t)r->headers_out.content_length_n;
    }
    while (cap < need) {
        cap *= 2;
    }
    cap = ngx_min(cap, ngx_max(ctx->conf->hold_bytes_max, need));
    larger = ngx_pnalloc(r->pool, cap);
    if (larger == NULL) {
        return NGX_ERROR;
    }
    if (ctx->held_bytes > 0) {
        ngx_memcpy(larger, ctx->held, ctx->held_bytes);
        ngx_pfree(r->pool, ctx->held);
    }
    ctx->held = larger;
    ctx->held_cap = cap;
    return NGX_OK;
}

/* Too much: the rest is not read, and that upstream connection is not used again. */
static void tg_filter_over(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    ctx->over = true;
    ctx->held_bytes = 0;
    if (r->upstream != NULL && r->upstream->cleanup != NULL) {
        tg_gate_framing_end(r->upstream);
    }
}

static ngx_int_t tg_filter_take(ngx_http_request_t *r, struct tg_gate_ctx *ctx, ngx_buf_t *buf)
{
    size_t bytes = ngx_buf_in_memory(buf) ? (size_t)(buf->last - buf->pos) : 0;

    if (buf->in_file && !ngx_buf_in_memory(buf)) {
        /* The copy filter puts files into memory; what it did not is not looked at, so it is not let through. */
        ctx->cut = true;
        buf->file_pos = buf->file_last;
        return NGX_OK;
    }
    if (bytes == 0 || ctx->over) {
        buf->pos = buf->last;
        return NGX_OK;
    }
    ctx->heard_ms = ngx_current_msec;
    if (bytes > ctx->conf->hold_bytes_max - ctx->held_bytes) {
        tg_filter_over(r, ctx);
        buf->pos = buf->last;
        return NGX_OK;
    }
    if (tg_filter_room(r, ctx, bytes) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_memcpy(ctx->held + ctx->held_bytes, buf->pos, bytes);
    ctx->held_bytes += bytes;
    /* Taken: the upstream's buffer is free for its next bytes. */
    buf->pos = buf->last;
    return NGX_OK;
}

static bool tg_filter_upstream_failed(ngx_http_request_t *r)
{
    const ngx_http_upstream_t *upstream = r->upstream;

    /* nginx ends an answer that broke off after its header with a flush and no last buffer. */
    return upstream != NULL && upstream->cleanup == NULL && upstream->header_sent && !r->err_status;
}

static ngx_int_t tg_filter_gather(ngx_http_request_t *r, struct tg_gate_ctx *ctx, ngx_chain_t *in)
{
    bool last = false;
    bool flush = false;

    for (; in != NULL; in = in->next) {
        last |= in->buf->last_buf;
        flush |= in->buf->flush;
        if (tg_filter_take(r, ctx, in->buf) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    if (!last && !(flush && tg_filter_upstream_failed(r))) {
        return NGX_OK;
    }
    ctx->cut |= !last;
    tg_gate_settle_judge(r, ctx);
    ctx->hold = TG_HOLD_ASKED;
    r->buffered |= TG_FILTER_BUFFERED;
    /* send_timeout is for clients that do not read, not for a keeper that writes to its disk. */
    r->connection->write->delayed = 1;
    tg_gate_settle_ask(r, ctx);
    return NGX_AGAIN;
}

/* ---- letting go ---- */

static void tg_filter_count(const struct tg_gate_ctx *ctx)
{
    if (ctx->reason != TG_REASON_OK) {
        tg_gate_count_reason(ctx->reason, false);
    }
    if (ctx->outcome == TG_OUTCOME_UNKNOWN || ctx->reason == TG_REASON_OUTCOME_UNKNOWN_KEEPER) {
        tg_gate_count(TG_METRIC_OUTCOME_UNKNOWN);
    }
}

static ngx_int_t tg_filter_release(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    ngx_event_t *write = r->connection->write;
    struct tg_span body = tg_span(ctx->held, ctx->held_bytes);
    ngx_chain_t *out;
    ngx_int_t rc;

    r->buffered &= (unsigned)~TG_FILTER_BUFFERED & 0x0f;
    write->delayed = 0;
    if (write->timer_set) {
        ngx_del_timer(write);
    }
    ctx->hold = TG_HOLD_RELEASED;
    tg_filter_count(ctx);
    r->http_version = ctx->http_version;
    if (ctx->refused_answer) {
        ngx_http_clean_header(r);
        if (tg_gate_problem_apply(r, ctx, ctx->reason, &body) != NGX_OK) {
            return NGX_ERROR;
        }
        if (r->err_status) {
            r->err_status = r->headers_out.status;
        }
    } else if (ctx->upstream_answer) {
        tg_gate_upstream_key_echo(r, ctx);
    }
    if (r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        /* RFC 9110 8.6: no Content-Length in a 204; the upstream's own would make a client wait for a body. */
        ngx_http_clear_content_length(r);
    }
    if (tg_gate_answer_mark(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    rc = tg_filter_next_header(r);
    if (rc == NGX_ERROR || r->header_only) {
        return rc;
    }
    if (rc > NGX_OK) {
        return NGX_ERROR;
    }
    out = tg_gate_last_chain(r, body);
    return out == NULL ? NGX_ERROR : tg_filter_next_body(r, out);
}

static void tg_filter_swallow(ngx_chain_t *in)
{
    for (; in != NULL; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

static ngx_int_t tg_filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct tg_gate_ctx *ctx = r == r->main ? tg_gate_ctx_find(r) : NULL;

    if (ctx == NULL) {
        return tg_filter_next_body(r, in);
    }
    switch (ctx->hold) {
    case TG_HOLD_GATHERING:
        return tg_filter_gather(r, ctx, in);
    case TG_HOLD_ASKED:
        tg_filter_swallow(in);
        return NGX_AGAIN;
    case TG_HOLD_OVER:
        tg_filter_swallow(in);
        return tg_filter_release(r, ctx);
    default:
        return tg_filter_next_body(r, in);
    }
}

ngx_int_t tg_gate_filter_init(ngx_conf_t *cf)
{
    (void)cf;
    tg_filter_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = tg_filter_header;
    tg_filter_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = tg_filter_body;
    return NGX_OK;
}
