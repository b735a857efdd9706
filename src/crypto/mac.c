/*
 * mac.c - HMAC-SHA-256 (FIPS 198-1) and HKDF (RFC 5869).
 *
 * Promises: as crypto.h. A prepared key is the two states of SHA-256 after the key's blocks, in the caller's memory and
 * nowhere else: OpenSSL's own HMAC context would hold the key on the heap, and take four times as long for a short
 * text. Does not: compare MACs (compare.c).
 */
/* SHA256_CTX is the one state that OpenSSL lets a caller place; EVP has its own on the heap. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <string.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

/* RFC 5869 2.3: at most 255 blocks. */
#define HKDF_BYTES_MAX (255u * TG_DIGEST_BYTES)
/* FIPS 198-1, 4: what the key is combined with. */
#define INNER_PAD 0x36
#define OUTER_PAD 0x5c

_Static_assert(sizeof(SHA256_CTX) == sizeof(((struct tg_mac_key *)0)->inner), "a state of SHA-256 fits in its place");

/* OpenSSL takes a pointer even for nothing. */
static const uint8_t nothing;

static const uint8_t *at(struct tg_span bytes)
{
    return bytes.len == 0 ? &nothing : bytes.ptr;
}

/* The state after one block of the key under a pad. */
static bool work_in(uint8_t block[SHA256_CBLOCK], uint8_t pad, uint32_t ret[TG_MAC_STATE_WORDS])
{
    SHA256_CTX state;
    for (size_t i = 0; i < SHA256_CBLOCK; i++) {
        block[i] ^= pad;
    }
    bool fine = SHA256_Init(&state) == 1 && SHA256_Update(&state, block, SHA256_CBLOCK) == 1;
    memcpy(ret, &state, sizeof(state));
    tg_wipe(&state, sizeof(state));
    return fine;
}

/* From a state over the bytes to the digest. */
static bool run(const uint32_t from[TG_MAC_STATE_WORDS], struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    SHA256_CTX state;
    memcpy(&state, from, sizeof(state));
    bool fine = SHA256_Update(&state, at(bytes), bytes.len) == 1 && SHA256_Final(ret, &state) == 1;
    tg_wipe(&state, sizeof(state));
    return fine;
}

enum tg_err tg_mac_prepare(struct tg_mac_key *ret, struct tg_span key)
{
    uint8_t block[SHA256_CBLOCK] = {0};
    bool fine = true;
    if (key.len > sizeof(block)) { /* FIPS 198-1, 4, step 2 */
        fine = tg_sha256(key, block) == TG_OK;
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    fine = fine && work_in(block, INNER_PAD, ret->inner) && work_in(block, INNER_PAD ^ OUTER_PAD, ret->outer);
    tg_wipe(block, sizeof(block));
    if (!fine) {
        tg_contexts_forget_errors();
        tg_wipe(ret, sizeof(*ret));
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_mac(const struct tg_mac_key *key, struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    uint8_t inner[TG_DIGEST_BYTES];
    bool fine = run(key->inner, bytes, inner) && run(key->outer, tg_span(inner, sizeof(inner)), ret);
    tg_wipe(inner, sizeof(inner));
    if (!fine) {
        tg_contexts_forget_errors();
        tg_wipe(ret, TG_DIGEST_BYTES);
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_hmac_sha256(struct tg_span key, struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    struct tg_mac_key prepared;
    enum tg_err err = tg_mac_prepare(&prepared, key);
    if (err != TG_OK) {
        tg_wipe(ret, TG_DIGEST_BYTES);
        return err;
    }
    err = tg_mac(&prepared, bytes, ret);
    tg_wipe(&prepared, sizeof(prepared));
    return err;
}

enum tg_err tg_hkdf_sha256(struct tg_span key, struct tg_span info, uint8_t *ret, size_t ret_len)
{
    if (ret_len > HKDF_BYTES_MAX) {
        tg_wipe(ret, ret_len);
        return TG_ERR_LIMIT;
    }
    EVP_KDF *kdf = tg_context_hkdf();
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    /* OpenSSL's parameters are not const, yet only read. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)at(key), key.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)at(info), info.len),
        OSSL_PARAM_construct_end(),
    };
    bool fine = context != NULL && EVP_KDF_derive(context, ret, ret_len, params) == 1;
    EVP_KDF_CTX_free(context);
    if (!fine) {
        tg_contexts_forget_errors();
        tg_wipe(ret, ret_len);
        return TG_ERR_BUG;
    }
    return TG_OK;
}
