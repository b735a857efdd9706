/*
 * digest.c - SHA-256 (FIPS 180-4).
 *
 * Promises: as crypto.h; lengths in front of parts make the list injective.
 * Does not: stream: callers have whole spans.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/endian.h"
#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

/* EVP takes a pointer even for nothing. */
static const uint8_t nothing;

static const uint8_t *at(struct tg_span bytes)
{
    return bytes.len == 0 ? &nothing : bytes.ptr;
}

static bool finish(EVP_MD_CTX *context, bool fine, uint8_t ret[TG_DIGEST_BYTES])
{
    unsigned len = 0;
    if (fine && EVP_DigestFinal_ex(context, ret, &len) == 1 && len == TG_DIGEST_BYTES) {
        return true;
    }
    tg_contexts_forget_errors();
    tg_wipe(ret, TG_DIGEST_BYTES);
    return false;
}

enum tg_err tg_sha256(struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    struct tg_contexts *contexts = tg_contexts_get();
    if (contexts == NULL) {
        tg_wipe(ret, TG_DIGEST_BYTES);
        return TG_ERR_BUG;
    }
    EVP_MD_CTX *context = contexts->digest;
    bool fine = EVP_DigestInit_ex2(context, tg_context_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, at(bytes), bytes.len) == 1;
    return finish(context, fine, ret) ? TG_OK : TG_ERR_BUG;
}

enum tg_err tg_sha256_parts(const struct tg_span *parts, size_t count, uint8_t ret[TG_DIGEST_BYTES])
{
    struct tg_contexts *contexts = tg_contexts_get();
    if (contexts == NULL) {
        tg_wipe(ret, TG_DIGEST_BYTES);
        return TG_ERR_BUG;
    }
    EVP_MD_CTX *context = contexts->digest;
    bool fine = EVP_DigestInit_ex2(context, tg_context_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && fine; i++) {
        uint8_t len[8];
        tg_be64_write(len, parts[i].len);
        fine = EVP_DigestUpdate(context, len, sizeof(len)) == 1 &&
               EVP_DigestUpdate(context, at(parts[i]), parts[i].len) == 1;
    }
    return finish(context, fine, ret) ? TG_OK : TG_ERR_BUG;
}
