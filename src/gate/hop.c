/*
 * hop.c - fields that end at the gate: those of one hop, and those that the caller's Connection names.
 *
 * nginx leaves out Connection, Keep-Alive, TE, Upgrade and Transfer-Encoding by itself; the rest of RFC 9110 7.6.1 is
 * done here. A field that was judged goes on whatever Connection says: what was admitted is what is forwarded.
 */
#include "gate/fields.h"
#include "gate/steps.h"

/* The values of Connection, taken before anything is dropped: the list of fields is rebuilt meanwhile. */
struct tg_hop {
    const struct tg_profile *profile;
    struct tg_span *named;
    size_t count;
};

/* "a, b ,c" names b. Not a list of quoted strings (RFC 9110 7.6.1). */
static bool tg_hop_list_has(struct tg_span list, struct tg_span name)
{
    while (list.len > 0) {
        size_t end = tg_span_find(list, ',');

        if (tg_span_equal_nocase(tg_span_trim(tg_span_sub(list, 0, end)), name)) {
            return true;
        }
        list = tg_span_sub(list, end + 1, list.len);
    }
    return false;
}

static bool tg_hop_is_named(const struct tg_hop *hop, struct tg_span name)
{
    for (size_t i = 0; i < hop->count; i++) {
        if (tg_hop_list_has(hop->named[i], name)) {
            return true;
        }
    }
    return false;
}

static ngx_int_t tg_hop_read(ngx_http_request_t *r, struct tg_hop *hop)
{
    size_t count;

    if (tg_gate_field_find(r, TG_SPAN("connection"), &count) == NULL) {
        return NGX_OK;
    }
    hop->named = ngx_palloc(r->pool, count * sizeof(*hop->named));
    if (hop->named == NULL) {
        return NGX_ERROR;
    }
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (tg_span_equal_nocase(tg_gate_span(field[i].key), TG_SPAN("connection"))) {
                hop->named[hop->count++] = tg_gate_span(field[i].value);
            }
        }
    }
    return NGX_OK;
}

static bool tg_hop_is_judged(const struct tg_hop *hop, struct tg_span name)
{
    for (size_t i = 0; i < hop->profile->bound_field_count; i++) {
        if (tg_span_equal_nocase(name, hop->profile->bound_fields[i])) {
            return true;
        }
    }
    return tg_span_equal_nocase(name, hop->profile->idempotency_field) ||
           tg_span_equal_nocase(name, TG_SPAN("content-type")) ||
           tg_span_equal_nocase(name, TG_SPAN("content-length")) ||
           tg_span_equal_nocase(name, TG_SPAN("content-encoding")) || tg_span_equal_nocase(name, TG_SPAN("host")) ||
           tg_span_equal_nocase(name, TG_SPAN("connection")) ||
           tg_span_equal_nocase(name, TG_SPAN("tollgate-request-id"));
}

static bool tg_hop_is_dropped(const ngx_table_elt_t *field, void *data)
{
    const struct tg_hop *hop = data;
    struct tg_span name = tg_gate_span(field->key);

    return tg_gate_field_is(name, TG_SPAN("proxy-authorization")) ||
           tg_gate_field_is(name, TG_SPAN("proxy-connection")) || tg_gate_field_is(name, TG_SPAN("trailer")) ||
           /* HTTP_PROXY to a CGI program: where its own calls go. */
           tg_gate_field_is(name, TG_SPAN("proxy")) || (tg_hop_is_named(hop, name) && !tg_hop_is_judged(hop, name));
}

ngx_int_t tg_gate_hop_drop(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    struct tg_hop hop = {.profile = ctx->conf->profile};

    if (tg_hop_read(r, &hop) != NGX_OK) {
        return NGX_ERROR;
    }
    return tg_gate_fields_drop(r, tg_hop_is_dropped, &hop) == NGX_ERROR ? NGX_ERROR : NGX_OK;
}
