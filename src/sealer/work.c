/*
 * work.c - the operations of the sealer.
 *
 * Promises: as work.h.
 * Does not: tell why a tag or MAC does not fit.
 */
#include "sealer/work.h"

#include <string.h>

#include "base/banned.h"

/* The library's word as a status: shape and tags are the asker's fault, the rest is ours. */
static uint8_t status_of(enum tg_err err)
{
    if (err == TG_OK) {
        return TG_SEAL_DONE;
    }
    return err == TG_ERR_INPUT ? TG_SEAL_BAD : TG_SEAL_FAILED;
}

static uint8_t do_mac(const struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t *len)
{
    const struct tg_mac_key *key = tg_keys_find_mac(&sealer->keys, work->key);
    if (key == NULL) {
        return TG_SEAL_NO_KEY;
    }
    *len = TG_DIGEST_BYTES;
    return status_of(tg_mac(key, work->input, out));
}

static uint8_t do_verify(const struct tg_sealer *sealer, const struct tg_seal_work *work)
{
    uint8_t mac[TG_DIGEST_BYTES];
    const struct tg_mac_key *key = tg_keys_find_mac(&sealer->keys, work->key);
    if (key == NULL) {
        return TG_SEAL_NO_KEY;
    }
    if (work->input.len < TG_DIGEST_BYTES) {
        return TG_SEAL_BAD;
    }
    struct tg_span text = tg_span_sub(work->input, TG_DIGEST_BYTES, SIZE_MAX);
    enum tg_err err = tg_mac(key, text, mac);
    bool fits = err == TG_OK && tg_equal_secret(mac, work->input.ptr, sizeof(mac));
    tg_wipe(mac, sizeof(mac));
    return err != TG_OK ? TG_SEAL_FAILED : (fits ? TG_SEAL_DONE : TG_SEAL_BAD);
}

static uint8_t do_sign(const struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t *len)
{
    const uint8_t *seed = tg_keys_find(&sealer->keys, work->key, TG_KEY_USE_SIGN);
    if (seed == NULL) {
        return TG_SEAL_NO_KEY;
    }
    *len = TG_SIGNATURE_BYTES;
    return status_of(tg_ed25519_sign(seed, work->input, out));
}

static uint8_t do_public(const struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t *len)
{
    const uint8_t *seed = tg_keys_find(&sealer->keys, work->key, TG_KEY_USE_SIGN);
    if (seed == NULL || work->input.len != 0) {
        return seed == NULL ? TG_SEAL_NO_KEY : TG_SEAL_BAD;
    }
    *len = TG_KEY_BYTES;
    return status_of(tg_ed25519_public(seed, out));
}

static uint8_t do_seal_or_open(const struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out,
                               size_t cap, size_t *len)
{
    const uint8_t *key = work->key >= TG_SEAL_KEY_SEGMENT ? tg_ring_find(&sealer->ring, work->key - TG_SEAL_KEY_SEGMENT)
                                                          : tg_keys_find(&sealer->keys, work->key, TG_KEY_USE_SEAL);
    if (key == NULL) {
        return TG_SEAL_NO_KEY;
    }
    if (work->operation == TG_SEAL_SEAL) {
        return status_of(tg_aead_seal(key, work->aad, work->input, out, cap, len));
    }
    return status_of(tg_aead_open(key, work->aad, work->input, out, cap, len));
}

static uint8_t do_segment(struct tg_sealer *sealer, const struct tg_seal_work *work)
{
    if (work->key < TG_SEAL_KEY_SEGMENT) {
        return TG_SEAL_NO_KEY;
    }
    if (work->input.len != 0) {
        return TG_SEAL_BAD;
    }
    uint32_t segment = work->key - TG_SEAL_KEY_SEGMENT;
    return status_of(work->operation == TG_SEAL_KEY_MAKE ? tg_ring_make(&sealer->ring, segment)
                                                         : tg_ring_destroy(&sealer->ring, segment));
}

/* How the process is guarded: nothing secret, so that `tollgate status` can show it. */
static uint8_t do_guard(const struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t cap,
                        size_t *len)
{
    struct tg_span text = tg_span_string(sealer->guard);
    if (work->key != 0 || work->input.len != 0) {
        return TG_SEAL_BAD;
    }
    if (text.len > cap) {
        return TG_SEAL_FAILED;
    }
    if (text.len > 0) {
        memcpy(out, text.ptr, text.len);
    }
    *len = text.len;
    return TG_SEAL_DONE;
}

static uint8_t dispatch(struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t cap,
                        size_t *len)
{
    switch (work->operation) {
    case TG_SEAL_MAC:
        return do_mac(sealer, work, out, len);
    case TG_SEAL_VERIFY_MAC:
        return do_verify(sealer, work);
    case TG_SEAL_SIGN:
        return do_sign(sealer, work, out, len);
    case TG_SEAL_PUBLIC:
        return do_public(sealer, work, out, len);
    case TG_SEAL_SEAL:
    case TG_SEAL_OPEN:
        return do_seal_or_open(sealer, work, out, cap, len);
    case TG_SEAL_KEY_MAKE:
    case TG_SEAL_KEY_DESTROY:
        return do_segment(sealer, work);
    case TG_SEAL_GUARD:
        return do_guard(sealer, work, out, cap, len);
    default:
        return TG_SEAL_BAD;
    }
}

uint8_t tg_work_do(struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    /* Every fixed-size output fits, so that only SEAL and OPEN look at cap. */
    if (cap < TG_SIGNATURE_BYTES) {
        return TG_SEAL_FAILED;
    }
    uint8_t status = dispatch(sealer, work, out, cap, len);
    if (status != TG_SEAL_DONE) {
        *len = 0;
    }
    return status;
}

/* RFC 4231, case 2. */
static bool test_mac(void)
{
    static const uint8_t expected[TG_DIGEST_BYTES] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
        0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    };
    uint8_t mac[TG_DIGEST_BYTES];
    return tg_hmac_sha256(TG_SPAN("Jefe"), TG_SPAN("what do ya want for nothing?"), mac) == TG_OK &&
           tg_equal_secret(mac, expected, sizeof(mac));
}

/* There and back, and a changed byte is noticed. */
static bool test_seal(void)
{
    static const uint8_t key[TG_KEY_BYTES] = {1};
    uint8_t sealed[TG_SEAL_OVERHEAD_BYTES + 4];
    uint8_t plain[4];
    size_t len = 0;
    if (tg_aead_seal(key, TG_SPAN("aad"), TG_SPAN("text"), sealed, sizeof(sealed), &len) != TG_OK ||
        tg_aead_open(key, TG_SPAN("aad"), tg_span(sealed, len), plain, sizeof(plain), &len) != TG_OK ||
        memcmp(plain, "text", sizeof(plain)) != 0) {
        return false;
    }
    sealed[TG_NONCE_BYTES] ^= 1;
    return tg_aead_open(key, TG_SPAN("aad"), tg_span(sealed, sizeof(sealed)), plain, sizeof(plain), &len) ==
           TG_ERR_INPUT;
}

static bool test_sign(void)
{
    static const uint8_t seed[TG_KEY_BYTES] = {2};
    uint8_t public_key[TG_KEY_BYTES];
    uint8_t signature[TG_SIGNATURE_BYTES];
    return tg_ed25519_public(seed, public_key) == TG_OK && tg_ed25519_sign(seed, TG_SPAN("text"), signature) == TG_OK &&
           tg_ed25519_verify(public_key, TG_SPAN("text"), signature) == TG_OK &&
           tg_ed25519_verify(public_key, TG_SPAN("test"), signature) == TG_ERR_INPUT;
}

enum tg_err tg_work_self_test(void)
{
    return test_mac() && test_seal() && test_sign() ? TG_OK : TG_ERR_BUG;
}
