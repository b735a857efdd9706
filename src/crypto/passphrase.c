/*
 * passphrase.c - as passphrase.h, by OpenSSL.
 */
#include "crypto/passphrase.h"

#include <openssl/evp.h>

#include "base/banned.h"

#define SCRYPT_R 8
#define SCRYPT_P 1
/* 128 * r * (N + p) bytes and a little. */
#define SCRYPT_MEMORY(n) (128ull * SCRYPT_R * ((n) + SCRYPT_P + 2) + 65536)

enum tg_err tg_scrypt(struct tg_span passphrase, const uint8_t salt[TG_SCRYPT_SALT_BYTES], unsigned work,
                      uint8_t ret[TG_KEY_BYTES])
{
    tg_wipe(ret, TG_KEY_BYTES);
    if (work < TG_SCRYPT_WORK_MIN || work > TG_SCRYPT_WORK_MAX || passphrase.len == 0) {
        return TG_ERR_LIMIT;
    }
    uint64_t n = UINT64_C(1) << work;
    int done = EVP_PBE_scrypt((const char *)passphrase.ptr, passphrase.len, salt, TG_SCRYPT_SALT_BYTES, n, SCRYPT_R,
                              SCRYPT_P, SCRYPT_MEMORY(n), ret, TG_KEY_BYTES);
    if (done != 1) {
        tg_wipe(ret, TG_KEY_BYTES);
        return TG_ERR_BUG;
    }
    return TG_OK;
}

enum tg_err tg_sha256_begin(struct tg_sha256_stream *stream)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    stream->context = context;
    return context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? TG_OK : TG_ERR_BUG;
}

enum tg_err tg_sha256_add(struct tg_sha256_stream *stream, struct tg_span bytes)
{
    return EVP_DigestUpdate(stream->context, bytes.ptr, bytes.len) == 1 ? TG_OK : TG_ERR_BUG;
}

enum tg_err tg_sha256_end(struct tg_sha256_stream *stream, uint8_t ret[TG_DIGEST_BYTES])
{
    unsigned len = 0;
    bool done = stream->context != NULL && EVP_DigestFinal_ex(stream->context, ret, &len) == 1 &&
                len == TG_DIGEST_BYTES;
    EVP_MD_CTX_free(stream->context);
    stream->context = NULL;
    return done ? TG_OK : TG_ERR_BUG;
}
