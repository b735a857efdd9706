/*
 * auth.c - AUTH: asked once a second and key at most.
 */
#include "gate/auth.h"

#include "core/http/field.h"
#include "crypto/crypto.h"
#include "gate/certificate.h"
#include "gate/fields.h"
#include "gate/link.h"
#include "gate/zone.h"

/* A partner uses few keys and a worker serves few partners at once: 512 places of 120 bytes, one place a key. */
#define TG_AUTH_PLACES 512

/* A revoked key lives on for at most this long when its FLUSH is lost; the link's loss flushes too. */
#define TG_AUTH_FRESH_MS 1000

struct tg_auth_place {
    uint8_t key_hash[TG_DIGEST_BYTES];
    uint8_t certificate[TG_DIGEST_BYTES];
    bool has_certificate;
    bool used;
    ngx_msec_t until_ms;
    struct tg_auth_answer answer;
};

static struct tg_auth_place tg_auth_places[TG_AUTH_PLACES];
static bool tg_auth_any;

static struct tg_auth_place *tg_auth_place(const struct tg_auth *auth)
{
    /* The hash of a random key spreads by itself; no caller can choose it against us without making valid keys. */
    return &tg_auth_places[((size_t)auth->key_hash[0] << 8 | auth->key_hash[1]) % TG_AUTH_PLACES];
}

const struct tg_auth_answer *tg_gate_auth_cached(const struct tg_auth *auth)
{
    const struct tg_auth_place *place = tg_auth_place(auth);

    if (!place->used || (ngx_msec_int_t)(place->until_ms - ngx_current_msec) <= 0 ||
        place->has_certificate != auth->has_certificate ||
        !tg_equal_secret(place->key_hash, auth->key_hash, TG_DIGEST_BYTES) ||
        (auth->has_certificate && ngx_memcmp(place->certificate, auth->certificate, TG_DIGEST_BYTES) != 0)) {
        return NULL;
    }
    return &place->answer;
}

/* True for the hash of a key that was remembered: its shape was checked then, and is all that its bytes say. */
static bool tg_auth_shape_known(const struct tg_auth *auth)
{
    const struct tg_auth_place *place = tg_auth_place(auth);

    return place->used && tg_equal_secret(place->key_hash, auth->key_hash, TG_DIGEST_BYTES);
}

void tg_gate_auth_remember(const struct tg_auth *auth, const struct tg_auth_answer *answer)
{
    struct tg_auth_place *place = tg_auth_place(auth);

    ngx_memcpy(place->key_hash, auth->key_hash, TG_DIGEST_BYTES);
    ngx_memcpy(place->certificate, auth->certificate, TG_DIGEST_BYTES);
    place->has_certificate = auth->has_certificate;
    place->answer = *answer;
    place->until_ms = ngx_current_msec + TG_AUTH_FRESH_MS;
    place->used = true;
    tg_auth_any = true;
}

void tg_gate_auth_flush(void)
{
    if (tg_auth_any) {
        tg_wipe(tg_auth_places, sizeof(tg_auth_places));
        tg_auth_any = false;
    }
}

/* ---- the key in the request ---- */

/* "Bearer" SP key, the scheme in any case (RFC 6750 2.1, RFC 9110 11.1); another field carries the bare key. */
static struct tg_span tg_auth_key(const struct tg_profile *profile, struct tg_span value)
{
    struct tg_span scheme = TG_SPAN("bearer ");

    value = tg_span_trim(value);
    if (!tg_span_equal_nocase(profile->credential_field, TG_SPAN("authorization"))) {
        return value;
    }
    if (value.len <= scheme.len || !tg_span_equal_nocase(tg_span_sub(value, 0, scheme.len), scheme)) {
        return tg_span(NULL, 0);
    }
    return tg_span_trim(tg_span_sub(value, scheme.len, value.len));
}

uint16_t tg_gate_auth_read(ngx_http_request_t *r, const struct tg_profile *profile, struct tg_auth *ret)
{
    size_t count;
    ngx_table_elt_t *field = tg_gate_field_find(r, profile->credential_field, &count);
    struct tg_span key;

    ngx_memzero(ret, sizeof(*ret));
    if (field == NULL) {
        return TG_REASON_CREDENTIAL_MISSING;
    }
    if (count > 1) {
        return TG_REASON_CREDENTIAL_MALFORMED;
    }
    key = tg_auth_key(profile, tg_gate_span(field->value));
    if (key.len != TG_API_KEY_CHARS) {
        return TG_REASON_CREDENTIAL_MALFORMED;
    }
    if (tg_sha256(key, ret->key_hash) != TG_OK) {
        return TG_REASON_INTERNAL;
    }
    if (!tg_auth_shape_known(ret) && !tg_api_key_shape_ok(key)) {
        return TG_REASON_CREDENTIAL_MALFORMED;
    }
    if (!tg_gate_certificate(r, &ret->has_certificate, ret->certificate)) {
        return TG_REASON_INTERNAL;
    }
    ngx_memcpy(ret->key_prefix, key.ptr, TG_API_KEY_PREFIX_CHARS);
    tg_gate_address(r, ret->address);
    return TG_REASON_OK;
}

/* ---- the question ---- */

static void tg_auth_take(struct tg_gate_ctx *ctx, const struct tg_auth_answer *answer)
{
    ctx->partner = answer->partner;
    ctx->credential = answer->credential;
    ctx->environment = answer->environment;
}

static bool tg_auth_answered(struct tg_gate_slot *slot, const struct tg_frame *frame)
{
    struct tg_gate_ctx *ctx = slot->data;
    struct tg_auth_answer answer;

    if (frame != NULL) {
        if (tg_auth_answer_read(frame->body, &answer) != TG_OK) {
            return false;
        }
        ctx->reason = answer.reason;
        ctx->retry_after_s = answer.retry_after_s;
        if (answer.reason == TG_REASON_OK) {
            tg_auth_take(ctx, &answer);
            tg_gate_auth_remember(slot->owned, &answer);
        }
    } else {
        ctx->reason = tg_gate_link_up() ? TG_REASON_KEEPER_TIMEOUT : TG_REASON_KEEPER_UNAVAILABLE;
    }
    ctx->auth_ms = (uint32_t)(ngx_current_msec - ctx->asked_ms);
    ctx->step = TG_STEP_AUTH_ANSWERED;
    ctx->slot = NULL;
    tg_gate_slot_free(slot);
    tg_gate_wake(ctx);
    return true;
}

enum tg_gate_next tg_gate_auth_ask(ngx_http_request_t *r, struct tg_gate_ctx *ctx)
{
    const struct tg_auth_answer *known;
    struct tg_gate_slot *slot;
    struct tg_auth auth;

    ctx->reason = tg_gate_auth_read(r, ctx->conf->profile, &auth);
    if (ctx->reason != TG_REASON_OK) {
        return TG_NEXT_REFUSE;
    }
    known = tg_gate_auth_cached(&auth);
    if (known != NULL) {
        tg_gate_count(TG_METRIC_AUTH_CACHED);
        ctx->authenticated_from_cache = true;
        ctx->step = TG_STEP_AUTH_ANSWERED;
        tg_auth_take(ctx, known);
        return TG_NEXT_GO;
    }
    if (!tg_gate_link_ready()) {
        ctx->reason = TG_REASON_KEEPER_UNAVAILABLE;
        return TG_NEXT_REFUSE;
    }
    slot = tg_gate_slot_take(ctx);
    if (slot == NULL) {
        ctx->reason = TG_REASON_SLOTS_EXHAUSTED;
        return TG_NEXT_REFUSE;
    }
    /* What was asked, for the cache: the slot's question is cleared when the answer is there. */
    slot->owned = ngx_alloc(sizeof(auth), r->connection->log);
    if (slot->owned == NULL) {
        tg_gate_slot_free(slot);
        ctx->reason = TG_REASON_INTERNAL;
        return TG_NEXT_REFUSE;
    }
    ngx_memcpy(slot->owned, &auth, sizeof(auth));
    slot->question.type = TG_FRAME_AUTH;
    slot->question.as.auth = auth;
    ctx->slot = slot;
    ctx->asked_ms = ngx_current_msec;
    ctx->step = TG_STEP_AUTH_ASKED;
    tg_gate_count(TG_METRIC_AUTH_ASKED);
    tg_gate_slot_ask(slot, ctx->conf->admit_wait_ms, tg_auth_answered);
    tg_gate_suspend(r);
    return TG_NEXT_WAIT;
}
