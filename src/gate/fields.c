/*
 * fields.c - framing and field checks at POST_READ, and the removal of trust fields.
 *
 * nginx refuses most framing faults by itself; they are judged here again, so
 * that a change in nginx (or h2, which shares less of its code) opens nothing.
 */
#include "gate/fields.h"

#include "core/http/field.h"
#include "gate/layout.h"
#include "gate/zone.h"

#include "base/banned.h"

/* What one pass over the fields has seen. */
struct tg_fields_seen {
    unsigned host;
    unsigned content_length;
    unsigned transfer_encoding;
    bool alias; /* Content_Length and the like: CGI-like upstreams fold '_' and '-' (RFC 3875 4.1.18) */
    bool malformed;
    bool coding; /* Transfer-Encoding other than chunked */
    bool length; /* Content-Length that is not digits */
    bool upgrade;
    bool expectation;
    bool connection; /* connection-specific fields, which h2 forbids (RFC 9113 8.2.2) */
};

static struct tg_span tg_fields_span(ngx_str_t text)
{
    return tg_span(text.data, text.len);
}

static u_char tg_fields_folded(u_char byte)
{
    return byte == '_' ? '-' : ngx_tolower(byte);
}

bool tg_gate_field_same(const uint8_t *name, const uint8_t *wanted, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (tg_fields_folded(name[i]) != tg_fields_folded(wanted[i])) {
            return false;
        }
    }
    return true;
}

static bool tg_fields_connection(struct tg_span name)
{
    return tg_span_equal_nocase(name, TG_SPAN("connection")) || tg_span_equal_nocase(name, TG_SPAN("keep-alive")) ||
           tg_span_equal_nocase(name, TG_SPAN("proxy-connection")) ||
           tg_span_equal_nocase(name, TG_SPAN("transfer-encoding")) || tg_span_equal_nocase(name, TG_SPAN("upgrade"));
}

static void tg_fields_length(struct tg_fields_seen *seen, struct tg_span name, struct tg_span value)
{
    uint64_t length;

    if (tg_gate_field_is(name, TG_SPAN("content-length"))) {
        seen->alias |= !tg_span_equal_nocase(name, TG_SPAN("content-length"));
        seen->content_length++;
        seen->length |= tg_content_length_parse(value, &length) != TG_OK;
    } else if (tg_gate_field_is(name, TG_SPAN("transfer-encoding"))) {
        seen->alias |= !tg_span_equal_nocase(name, TG_SPAN("transfer-encoding"));
        seen->transfer_encoding++;
        seen->coding |= !tg_span_equal_nocase(value, TG_SPAN("chunked"));
    }
}

/* nginx takes a line without a colon for a field without a value: its value then begins where its name ends. */
static bool tg_fields_without_colon(ngx_http_request_t *r, const ngx_table_elt_t *field)
{
    return r->http_version < NGX_HTTP_VERSION_20 && field->value.len == 0 &&
           field->value.data == field->key.data + field->key.len;
}

static void tg_fields_see(ngx_http_request_t *r, struct tg_fields_seen *seen, const ngx_table_elt_t *field)
{
    struct tg_span name = tg_fields_span(field->key);
    struct tg_span value = tg_span_trim(tg_fields_span(field->value));

    /* nginx trims SP but not HTAB around a value; both are OWS (RFC 9110 5.6.3), so they are no fault. */
    seen->malformed |= !tg_field_name_ok(name) || !tg_field_value_ok(value) || tg_fields_without_colon(r, field);
    tg_fields_length(seen, name, value);
    seen->connection |= tg_fields_connection(name);
    if (tg_span_equal_nocase(name, TG_SPAN("host"))) {
        seen->host++;
    } else if (tg_span_equal_nocase(name, TG_SPAN("upgrade"))) {
        seen->upgrade = true;
    } else if (tg_span_equal_nocase(name, TG_SPAN("expect"))) {
        seen->expectation |= !tg_span_equal_nocase(value, TG_SPAN("100-continue"));
    }
}

static bool tg_fields_framing_bad(ngx_http_request_t *r, const struct tg_fields_seen *seen)
{
    /* RFC 9112 6.1: a server ought to refuse TE with CL, and TE in HTTP/1.0, as attempted smuggling. */
    if (seen->alias || seen->length || seen->content_length > 1 || seen->transfer_encoding > 1 || seen->host > 1) {
        return true;
    }
    if (seen->transfer_encoding > 0 && (seen->content_length > 0 || r->http_version < NGX_HTTP_VERSION_11)) {
        return true;
    }
    if (r->http_version >= NGX_HTTP_VERSION_20) {
        return seen->connection;
    }
    /* HTTP/0.9 has no fields at all: no caller of a payment API speaks it. */
    return r->http_version < NGX_HTTP_VERSION_10;
}

uint16_t tg_gate_fields_check(ngx_http_request_t *r)
{
    struct tg_fields_seen seen = {0};

    if (r->headers_in.headers.last == NULL &&
        ngx_list_init(&r->headers_in.headers, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK) {
        /* HTTP/0.9: nginx made no list of fields, and whoever adds one would write to nowhere. */
        return TG_REASON_INTERNAL;
    }
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            tg_fields_see(r, &seen, &field[i]);
        }
    }
    if (tg_fields_framing_bad(r, &seen)) {
        return TG_REASON_REQUEST_FRAMING;
    }
    if (seen.malformed) {
        return TG_REASON_FIELD_MALFORMED;
    }
    if (seen.coding) {
        return TG_REASON_TRANSFER_CODING;
    }
    if (seen.upgrade) {
        return TG_REASON_UPGRADE;
    }
    return seen.expectation ? TG_REASON_EXPECTATION : TG_REASON_OK;
}

ngx_table_elt_t *tg_gate_field_find(ngx_http_request_t *r, struct tg_span name, size_t *count)
{
    ngx_table_elt_t *found = NULL;

    *count = 0;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (tg_span_equal_nocase(tg_fields_span(field[i].key), name)) {
                found = found == NULL ? &field[i] : found;
                (*count)++;
            }
        }
    }
    return found;
}

bool tg_gate_field_aliased(ngx_http_request_t *r, struct tg_span name)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            struct tg_span key = tg_fields_span(field[i].key);

            if (tg_gate_field_is(key, name) && !tg_span_equal_nocase(key, name)) {
                return true;
            }
        }
    }
    return false;
}

/* The number of runs of kept fields, so that all memory is taken before anything changes. */
static ngx_uint_t tg_fields_runs(ngx_http_request_t *r, tg_gate_field_drop_fn drop, void *data, ngx_int_t *dropped)
{
    ngx_uint_t runs = 0;

    *dropped = 0;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;
        bool open = false;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool gone = drop(&field[i], data);

            runs += !gone && !open;
            open = !gone;
            *dropped += gone;
        }
    }
    return runs;
}

ngx_int_t tg_gate_fields_drop(ngx_http_request_t *r, tg_gate_field_drop_fn drop, void *data)
{
    ngx_list_t *list = &r->headers_in.headers;
    ngx_list_part_t first = list->part;
    ngx_list_part_t *run = NULL;
    ngx_list_part_t *spare;
    ngx_int_t dropped;
    ngx_uint_t runs = tg_fields_runs(r, drop, data, &dropped);

    if (dropped == 0) {
        return 0;
    }
    if (runs == 0) {
        /* Only the first part may be empty: nginx's loops look at element 0 of every other one. */
        list->part.nelts = 0;
        list->part.next = NULL;
        list->last = &list->part;
        list->nalloc = first.nelts > 0 ? first.nelts : 1;
        return dropped;
    }
    spare = ngx_palloc(r->pool, runs * sizeof(*spare));
    if (spare == NULL) {
        return NGX_ERROR;
    }
    /* Each run of neighbours becomes a part over the same memory: elements do not move. */
    for (ngx_list_part_t *part = &first; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;
        bool open = false;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (drop(&field[i], data)) {
                open = false;
                continue;
            }
            if (!open) {
                ngx_list_part_t *next = run == NULL ? &list->part : spare++;

                if (run != NULL) {
                    run->next = next;
                }
                run = next;
                run->elts = &field[i];
                run->nelts = 0;
                open = true;
            }
            run->nelts++;
        }
    }
    run->next = NULL;
    list->last = run;
    list->nalloc = run->nelts; /* full: the next push takes a part of its own */
    return dropped;
}

static bool tg_fields_is_trust(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    return tg_field_is_trust(tg_fields_span(field->key));
}

static bool tg_fields_is_override(const ngx_table_elt_t *field, void *data)
{
    (void)data;
    return tg_field_is_override(tg_fields_span(field->key));
}

static const struct tg_layout_realip *tg_fields_realip(ngx_http_request_t *r)
{
    /* The search is by name: once for each configuration, not for each request. */
    static const volatile ngx_cycle_t *searched;
    static const ngx_module_t *realip;

    if (searched != ngx_cycle) {
        searched = ngx_cycle;
        realip = tg_layout_module((const ngx_cycle_t *)ngx_cycle, "ngx_http_realip_module");
    }
    return realip == NULL ? NULL : r->loc_conf[realip->ctx_index];
}

/*
 * Stock realip names the peers that may speak for others. Its handler may not have run yet, so the connection's own
 * address is compared too; once it has run, the address has changed. A peer that is believed by PROXY protocol
 * alone passes its client's fields through unread, so those are not believed.
 */
static bool tg_fields_peer_trusted(ngx_http_request_t *r)
{
    const struct tg_layout_realip *conf = tg_fields_realip(r);
    ngx_str_t name = ngx_string("realip_remote_addr");
    ngx_http_variable_value_t *value;

    if (conf == NULL || conf->from == NULL || conf->type == TG_LAYOUT_REALIP_PROXY) {
        return false;
    }
    if (ngx_cidr_match(r->connection->sockaddr, conf->from) == NGX_OK) {
        return true;
    }
    value = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
    return value != NULL && value->valid && !value->not_found &&
           !tg_span_equal(tg_span(value->data, value->len), tg_fields_span(r->connection->addr_text));
}

static void tg_fields_strip(ngx_http_request_t *r, tg_gate_field_drop_fn is_stripped)
{
    ngx_int_t dropped = tg_gate_fields_drop(r, is_stripped, NULL);

    if (dropped != 0) {
        tg_gate_count(TG_METRIC_STRIPPED);
    }
    if (dropped != NGX_ERROR) {
        return;
    }
    /* Out of memory: nothing could be unlinked, so the values are emptied in place. */
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (is_stripped(&field[i], NULL)) {
                field[i].value.len = 0;
            }
        }
    }
}

void tg_gate_fields_strip(ngx_http_request_t *r)
{
    if (tg_fields_peer_trusted(r)) {
        /* It speaks for its clients' addresses; what its clients send beside that it passes on unread. */
        tg_fields_strip(r, tg_fields_is_override);
        return;
    }
    tg_fields_strip(r, tg_fields_is_trust);
#if (NGX_HTTP_X_FORWARDED_FOR)
    r->headers_in.x_forwarded_for.nelts = 0;
#endif
#if (NGX_HTTP_REALIP)
    r->headers_in.x_real_ip = NULL;
#endif
}
