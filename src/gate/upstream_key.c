/*
 * upstream_key.c - the idempotency key as the upstream sees it.
 *
 * All partners of a route share one upstream credential, and with it one space of keys there: what two of them happen
 * to name alike must not be one payment. So the upstream gets a digest over who calls, the operation and the key; the
 * same one at every retry, however the caller writes its key. A key that was not judged does not go on at all.
 * The upstream may say the key again in its answer: the caller is shown its own.
 * Does not: keep anything. The digest is made anew for each try.
 */
#include "base/endian.h"
#include "crypto/crypto.h"
#include "gate/fields.h"
#include "gate/steps.h"

/* 160 bits as hexadecimal digits: Open Banking UK takes no longer key than 40 characters. */
#define TG_UPSTREAM_KEY_BYTES 20

static bool tg_upstream_key_is_callers(const ngx_table_elt_t *field, void *data)
{
    const struct tg_profile *profile = data;

    return tg_gate_field_is(tg_gate_span(field->key), profile->idempotency_field);
}

/* As the claim: who calls, where, which operation, which key. Each part goes in with its length. */
static ngx_int_t tg_upstream_key_write(const struct tg_gate_ctx *ctx, struct tg_buf *out)
{
    uint8_t partner[4];
    uint8_t digest[TG_DIGEST_BYTES];
    /* The environment is the keeper's claim space too: observed calls have another one, but theirs goes on as it is. */
    const struct tg_span parts[] = {tg_span(partner, sizeof(partner)), tg_span(&ctx->environment, 1),
                                    ctx->operation->method, ctx->operation->path,
                                    tg_span(ctx->key_digest, sizeof(ctx->key_digest))};

    tg_be32_write(partner, ctx->partner);
    if (tg_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), digest) != TG_OK) {
        return NGX_ERROR;
    }
    tg_buf_put_hex(out, tg_span(digest, TG_UPSTREAM_KEY_BYTES));
    return tg_buf_done(out) == TG_OK ? NGX_OK : NGX_ERROR;
}

ngx_int_t tg_gate_upstream_key_swap(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    const struct tg_profile *profile = ctx->conf->profile;
    struct tg_buf out;
    ngx_table_elt_t *field;
    size_t count;

    if (!ctx->has_key) {
        /* The predicate only reads what it is given. */
        return tg_gate_fields_drop(r, tg_upstream_key_is_callers, (void *)(uintptr_t)profile) == NGX_ERROR ? NGX_ERROR
                                                                                                           : NGX_OK;
    }
    field = tg_gate_field_find(r, profile->idempotency_field, &count);
    if (field == NULL || count != 1) {
        return NGX_ERROR;
    }
    out = tg_buf(ngx_pnalloc(r->pool, 2 * TG_UPSTREAM_KEY_BYTES), 2 * TG_UPSTREAM_KEY_BYTES);
    if (out.ptr == NULL || tg_upstream_key_write(ctx, &out) != NGX_OK) {
        return NGX_ERROR;
    }
    field->value.data = out.ptr;
    field->value.len = out.len;
    return NGX_OK;
}

void tg_gate_upstream_key_echo(ngx_http_request_t *r, const struct tg_gate_ctx *ctx)
{
    bool said = false;

    for (ngx_list_part_t *part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *field = part->elts;

        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (field[i].hash == 0 ||
                !tg_span_equal_nocase(tg_gate_span(field[i].key), ctx->conf->profile->idempotency_field)) {
                continue;
            }
            if (said || ctx->key_raw.len == 0) {
                field[i].hash = 0;
                continue;
            }
            field[i].value = ctx->key_raw;
            said = true;
        }
    }
}
