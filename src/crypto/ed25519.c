/*
 * ed25519.c - signatures of RFC 8032 5.1 by a 32-byte seed.
 *
 * Promises: as crypto.h; a signature that does not fit is TG_ERR_INPUT, whatever is wrong with it.
 * Does not: offer contexts or prehashing (Ed25519ctx, Ed25519ph).
 */
#include <openssl/evp.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

static const uint8_t nothing;

enum tg_err tg_ed25519_public(const uint8_t seed[TG_KEY_BYTES], uint8_t ret[32])
{
    size_t len = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, TG_KEY_BYTES);
    bool fine = key != NULL && EVP_PKEY_get_raw_public_key(key, ret, &len) == 1 && len == 32;
    EVP_PKEY_free(key);
    if (!fine) {
        tg_contexts_forget_errors();
        tg_wipe(ret, 32);
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_ed25519_sign(const uint8_t seed[TG_KEY_BYTES], struct tg_span bytes, uint8_t ret[TG_SIGNATURE_BYTES])
{
    size_t len = TG_SIGNATURE_BYTES;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, TG_KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const uint8_t *from = bytes.len == 0 ? &nothing : bytes.ptr;
    bool fine = key != NULL && context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, ret, &len, from, bytes.len) == 1 && len == TG_SIGNATURE_BYTES;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!fine) {
        tg_contexts_forget_errors();
        tg_wipe(ret, TG_SIGNATURE_BYTES);
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_ed25519_verify(const uint8_t public_key[32], struct tg_span bytes,
                              const uint8_t signature[TG_SIGNATURE_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const uint8_t *from = bytes.len == 0 ? &nothing : bytes.ptr;
    enum tg_err err = TG_ERR_BUG;
    if (key != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1) {
        int fits = EVP_DigestVerify(context, signature, TG_SIGNATURE_BYTES, from, bytes.len);
        err = fits == 1 ? TG_OK : TG_ERR_INPUT;
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (err != TG_OK) {
        tg_contexts_forget_errors();
    }
    return err;
}
