/*
 * credential.c - the caller's credential ends here; the route's own begins here, and is wiped when it has been sent.
 *
 * It stands in three places: the copy of ADMIT's answer (the field's value), the buffer that proxy_pass built from
 * the fields, and the kernel's socket. The first two are wiped at the upstream's answer, or at the latest when the
 * request ends.
 */
#include "crypto/crypto.h"
#include "gate/fields.h"
#include "gate/steps.h"

static bool tg_credential_is_dropped(const ngx_table_elt_t *field, void *data)
{
    const struct tg_gate_location_conf *conf = data;
    struct tg_span name = tg_gate_span(field->key);

    return tg_gate_field_is(name, conf->profile->credential_field) ||
           tg_gate_field_is(name, tg_gate_span(conf->upstream_credential)) ||
           /* The answer is stored and inspected: it has to come as it is. */
           tg_gate_field_is(name, TG_SPAN("accept-encoding"));
}

/* The caller's key is overwritten where nginx's header buffer holds it: that buffer is used again as it is. */
static void tg_credential_wipe_callers(ngx_http_request_t *r, struct tg_span name)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (tg_gate_field_is(tg_gate_span(field[i].key), name)) {
                tg_wipe(field[i].value.data, field[i].value.len);
            }
        }
    }
}

ngx_int_t tg_gate_credential_swap(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    const struct tg_gate_location_conf *conf = ctx->conf;
    ngx_table_elt_t *field;

    tg_credential_wipe_callers(r, conf->profile->credential_field);
    /* The predicate only reads what it is given. */
    if (tg_gate_fields_drop(r, tg_credential_is_dropped, (void *)(uintptr_t)conf) == NGX_ERROR) {
        return NGX_ERROR;
    }
    /* nginx's own pointer into the list: no variable may show the caller's key from here on. */
    r->headers_in.authorization = NULL;
    if (ctx->credential_value == NULL) {
        return NGX_OK;
    }
    field = ngx_list_push(&r->headers_in.headers);
    if (field == NULL) {
        return NGX_ERROR;
    }
    field->key = conf->upstream_credential;
    field->lowcase_key = conf->upstream_credential.data;
    field->hash = conf->upstream_credential_hash;
    field->value.data = ctx->credential_value;
    field->value.len = ctx->credential_bytes;
    ctx->credential_header = field;
    return NGX_OK;
}

void tg_gate_credential_wipe(struct tg_gate_ctx *ctx, bool all)
{
    ngx_http_upstream_t *upstream = ctx->request->upstream;
    ngx_buf_t *sent;

    if (ctx->credential_value == NULL) {
        return;
    }
    if (upstream != NULL && upstream->request_bufs != NULL) {
        /* The first buffer holds the request's head, which proxy_pass made; the others are the body. */
        sent = upstream->request_bufs->buf;
        if (!all && sent->pos != sent->last) {
            /* The upstream answered before it had read everything. */
            return;
        }
        if (sent->start != NULL && sent->end > sent->start && upstream->request_sent) {
            tg_wipe(sent->start, (size_t)(sent->end - sent->start));
        }
    }
    tg_wipe(ctx->credential_value, ctx->credential_bytes);
    ctx->credential_value = NULL;
    ctx->credential_bytes = 0;
    if (ctx->credential_header != NULL) {
        ctx->credential_header->value.len = 0;
    }
}
