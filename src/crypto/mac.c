/*
 * mac.c - HMAC-SHA-256 (FIPS 198-1) and HKDF (RFC 5869).
 *
 * Promises: as crypto.h.
 * Does not: compare MACs (compare.c).
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

/* RFC 5869 2.3: at most 255 blocks. */
#define HKDF_BYTES_MAX (255u * TG_DIGEST_BYTES)

/* EVP takes a pointer even for nothing, and a NULL key means "the one before" to EVP_MAC_init. */
static const uint8_t nothing;

static const uint8_t *at(struct tg_span bytes)
{
    return bytes.len == 0 ? &nothing : bytes.ptr;
}

enum tg_err tg_hmac_sha256(struct tg_span key, struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    struct tg_contexts *contexts = tg_contexts_get();
    size_t len = 0;
    if (contexts != NULL && EVP_MAC_init(contexts->mac, at(key), key.len, NULL) == 1 &&
        EVP_MAC_update(contexts->mac, at(bytes), bytes.len) == 1 &&
        EVP_MAC_final(contexts->mac, ret, &len, TG_DIGEST_BYTES) == 1 && len == TG_DIGEST_BYTES) {
        return TG_OK;
    }
    tg_contexts_forget_errors();
    tg_wipe(ret, TG_DIGEST_BYTES);
    return TG_ERR_BUG;
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
