/*
 * call.c - what is called: the operation, the facts of the message, the idempotency key.
 */
#include "core/http/field.h"
#include "core/http/template.h"
#include "core/payment/profile.h"
#include "crypto/crypto.h"
#include "gate/fields.h"
#include "gate/steps.h"

/* The path as the client sent it, without its query: decoding belongs to the upstream alone. */
struct tg_span tg_gate_call_path(ngx_http_request_t *r)
{
    struct tg_span target = tg_gate_span(r->unparsed_uri);

    target.len = tg_span_find(target, '?');
    return target;
}

/*
 * Many upstreams merge query and form, and some take a method from it: a query says what nobody judges. So only plain
 * reads may have one.
 */
static enum tg_reason tg_call_query(ngx_http_request_t *r, const struct tg_operation *operation)
{
    struct tg_span target = tg_gate_span(r->unparsed_uri);
    size_t mark = tg_span_find(target, '?');
    bool read = tg_span_equal(operation->method, TG_SPAN("GET")) || tg_span_equal(operation->method, TG_SPAN("HEAD"));

    if (mark == target.len) {
        return TG_REASON_OK;
    }
    if (!read || operation->body != TG_BODY_NONE || operation->money_moving) {
        return TG_REASON_QUERY_UNEXPECTED;
    }
    return tg_query_ok(tg_span_sub(target, mark + 1, target.len)) ? TG_REASON_OK : TG_REASON_QUERY_MALFORMED;
}

enum tg_gate_next tg_gate_call_match(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    bool path_known = false;

    ctx->operation =
        tg_profile_match(ctx->conf->profile, tg_gate_span(r->method_name), tg_gate_call_path(r), &path_known);
    if (ctx->operation == NULL) {
        ctx->reason = path_known ? TG_REASON_METHOD_NOT_ALLOWED : TG_REASON_OPERATION_UNKNOWN;
        return TG_NEXT_REFUSE;
    }
    ctx->reason = (uint16_t)tg_call_query(r, ctx->operation);
    return ctx->reason == TG_REASON_OK ? TG_NEXT_GO : TG_NEXT_REFUSE;
}

/* A field's only value, empty when it is absent; false when it is repeated, or there in another spelling. */
static bool tg_call_field(ngx_http_request_t *r, struct tg_span name, struct tg_span *ret)
{
    size_t count;
    ngx_table_elt_t *field = tg_gate_field_find(r, name, &count);

    *ret = field == NULL ? tg_span(NULL, 0) : tg_gate_span(field->value);
    return count <= 1 && !tg_gate_field_aliased(r, name);
}

static enum tg_reason tg_call_key(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    const struct tg_profile *profile = ctx->conf->profile;
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    struct tg_span key;
    ngx_table_elt_t *field;
    size_t count;

    if (ctx->operation->idempotency == TG_IDEMPOTENCY_NONE) {
        return TG_REASON_OK;
    }
    field = tg_gate_field_find(r, profile->idempotency_field, &count);
    if (tg_gate_field_aliased(r, profile->idempotency_field)) {
        return TG_REASON_KEY_MALFORMED;
    }
    if (field == NULL) {
        return ctx->operation->idempotency == TG_IDEMPOTENCY_REQUIRED ? TG_REASON_KEY_MISSING : TG_REASON_OK;
    }
    if (count > 1 || tg_idempotency_key_parse(tg_gate_span(field->value), profile->idempotency_key_bytes_max, unquoted,
                                              &key) != TG_OK) {
        return TG_REASON_KEY_MALFORMED;
    }
    if (tg_sha256(key, ctx->key_digest) != TG_OK) {
        return TG_REASON_INTERNAL;
    }
    ctx->has_key = true;
    if (field->value.data[0] != '"') {
        ctx->key_raw = field->value;
    }
    return TG_REASON_OK;
}

static bool tg_call_card_allowed(const struct tg_gate_ctx *ctx)
{
    if (ctx->conf->card_data == TG_GATE_CARD_BY_PROFILE) {
        return ctx->conf->profile->card_numbers_allowed;
    }
    return ctx->conf->card_data == TG_GATE_CARD_ALLOW;
}

/* A bound field in a spelling that the fingerprint does not cover. */
static bool tg_call_bound_aliased(ngx_http_request_t *r, const struct tg_profile *profile)
{
    for (size_t i = 0; i < profile->bound_field_count; i++) {
        if (tg_gate_field_aliased(r, profile->bound_fields[i])) {
            return true;
        }
    }
    return false;
}

enum tg_gate_next tg_gate_call_read(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    struct tg_span type;
    struct tg_span coding;
    struct tg_arena arena;
    size_t bytes = tg_facts_arena_size(ctx->body.len);
    void *memory = ngx_palloc(r->pool, bytes);

    ctx->reason = TG_REASON_INTERNAL;
    if (memory == NULL) {
        return TG_NEXT_REFUSE;
    }
    arena = tg_arena(memory, bytes);
    ctx->reason = TG_REASON_FIELD_MALFORMED;
    if (tg_call_bound_aliased(r, ctx->conf->profile)) {
        return TG_NEXT_REFUSE;
    }
    ctx->reason = TG_REASON_MEDIA_TYPE;
    if (!tg_call_field(r, TG_SPAN("content-type"), &type)) {
        return TG_NEXT_REFUSE;
    }
    ctx->reason = TG_REASON_ENCODING;
    if (!tg_call_field(r, TG_SPAN("content-encoding"), &coding)) {
        return TG_NEXT_REFUSE;
    }
    ctx->reason = (uint16_t)tg_facts_read(ctx->conf->profile, ctx->operation, type, coding, ctx->body, &arena,
                                          &ctx->facts, &ctx->where);
    if (ctx->reason == TG_REASON_OK && ctx->facts.card_number_in_clear && !tg_call_card_allowed(ctx)) {
        ctx->reason = TG_REASON_CARD_NUMBER_IN_CLEAR;
    }
    if (ctx->reason == TG_REASON_OK) {
        ctx->reason = (uint16_t)tg_call_key(r, ctx);
    }
    return ctx->reason == TG_REASON_OK ? TG_NEXT_GO : TG_NEXT_REFUSE;
}
