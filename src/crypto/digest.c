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

/* Parts up to this length are gathered and given in one: a call of EVP costs more than to copy them. */
#define GATHERED_BYTES 192u

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

/* Short bytes on their way into a digest. */
struct gathered {
    EVP_MD_CTX *context;
    size_t len;
    uint8_t bytes[GATHERED_BYTES];
};

static bool gathered_flush(struct gathered *gathered)
{
    bool fine = EVP_DigestUpdate(gathered->context, gathered->bytes, gathered->len) == 1;
    gathered->len = 0;
    return fine;
}

static bool gathered_add(struct gathered *gathered, struct tg_span bytes)
{
    if (bytes.len > sizeof(gathered->bytes) - gathered->len && !gathered_flush(gathered)) {
        return false;
    }
    if (bytes.len > sizeof(gathered->bytes)) {
        return EVP_DigestUpdate(gathered->context, bytes.ptr, bytes.len) == 1;
    }
    if (bytes.len > 0) {
        memcpy(gathered->bytes + gathered->len, bytes.ptr, bytes.len);
        gathered->len += bytes.len;
    }
    return true;
}

enum tg_err tg_sha256_parts(const struct tg_span *parts, size_t count, uint8_t ret[TG_DIGEST_BYTES])
{
    struct tg_contexts *contexts = tg_contexts_get();
    if (contexts == NULL) {
        tg_wipe(ret, TG_DIGEST_BYTES);
        return TG_ERR_BUG;
    }
    struct gathered gathered;
    gathered.context = contexts->digest;
    gathered.len = 0;
    bool fine = EVP_DigestInit_ex2(gathered.context, tg_context_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && fine; i++) {
        uint8_t len[8];
        tg_be64_write(len, parts[i].len);
        fine = gathered_add(&gathered, tg_span(len, sizeof(len))) && gathered_add(&gathered, parts[i]);
    }
    fine = fine && gathered_flush(&gathered);
    /* Parts may be personal: no copy stays. */
    tg_wipe(gathered.bytes, sizeof(gathered.bytes));
    return finish(gathered.context, fine, ret) ? TG_OK : TG_ERR_BUG;
}
