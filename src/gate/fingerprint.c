/*
 * fingerprint.c - the digest by which a retry is told from another request under the same key.
 *
 * Only the digest leaves the gate; the sealer turns it into a MAC before it is stored.
 */
#include "crypto/crypto.h"
#include "gate/fields.h"
#include "gate/steps.h"

/* Method, target, content type, body; for each bound field how often it came, and its values. */
#define TG_FINGERPRINT_PARTS (4 + TG_BOUND_FIELDS_MAX + 32)

struct tg_parts {
    struct tg_span part[TG_FINGERPRINT_PARTS];
    uint8_t count_text[TG_BOUND_FIELDS_MAX];
    size_t count;
};

static bool tg_parts_add(struct tg_parts *parts, struct tg_span part)
{
    if (parts->count == TG_FINGERPRINT_PARTS) {
        return false;
    }
    parts->part[parts->count++] = part;
    return true;
}

static bool tg_parts_add_bound(struct tg_parts *parts, ngx_http_request_t *r, struct tg_span name, size_t index)
{
    size_t count;

    (void)tg_gate_field_find(r, name, &count);
    if (count > UINT8_MAX) {
        return false;
    }
    /* How many come is a part of its own: values cannot wander from one field to the next. */
    parts->count_text[index] = (uint8_t)count;
    if (!tg_parts_add(parts, tg_span(&parts->count_text[index], 1))) {
        return false;
    }
    for (ngx_list_part_t *list = &r->headers_in.headers.part; list != NULL; list = list->next) {
        ngx_table_elt_t *field = list->elts;

        for (ngx_uint_t i = 0; i < list->nelts; i++) {
            if (tg_span_equal_nocase(tg_gate_span(field[i].key), name) &&
                !tg_parts_add(parts, tg_gate_span(field[i].value))) {
                return false;
            }
        }
    }
    return true;
}

enum tg_err tg_gate_fingerprint(ngx_http_request_t *r, const struct tg_gate_ctx *ctx, uint8_t ret[TG_DIGEST_BYTES])
{
    const struct tg_profile *profile = ctx->conf->profile;
    struct tg_parts parts = {.count = 0};
    size_t count;
    ngx_table_elt_t *type = tg_gate_field_find(r, TG_SPAN("content-type"), &count);

    (void)tg_parts_add(&parts, tg_gate_span(r->method_name));
    (void)tg_parts_add(&parts, tg_gate_span(r->unparsed_uri));
    (void)tg_parts_add(&parts, type == NULL ? tg_span(NULL, 0) : tg_gate_span(type->value));
    (void)tg_parts_add(&parts, ctx->body);
    for (size_t i = 0; i < profile->bound_field_count; i++) {
        if (!tg_parts_add_bound(&parts, r, profile->bound_fields[i], i)) {
            return TG_ERR_LIMIT;
        }
    }
    return tg_sha256_parts(parts.part, parts.count, ret);
}
