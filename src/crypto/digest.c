/*
 * digest.c - SHA-256 (FIPS 180-4).
 *
 * Promises: as crypto.h; lengths in front of parts make the list injective; no copy of what was digested stays.
 * Does not: stream: callers have whole spans.
 */
/* A payment has seven digests of a few dozen bytes. EVP makes and wipes a context on the heap for each, which takes
 * longer than the digest itself; SHA256_CTX is the one state that OpenSSL lets a caller place (mac.c does so too). */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>

#include "base/endian.h"
#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

/* OpenSSL takes a pointer even for nothing. */
static const uint8_t nothing;

static bool add(SHA256_CTX *state, struct tg_span bytes)
{
    return SHA256_Update(state, bytes.len == 0 ? &nothing : bytes.ptr, bytes.len) == 1;
}

static enum tg_err finish(SHA256_CTX *state, bool fine, uint8_t ret[TG_DIGEST_BYTES])
{
    fine = fine && SHA256_Final(ret, state) == 1;
    /* It holds the last bytes as they came: of an API key, of a payer. */
    tg_wipe(state, sizeof(*state));
    if (fine) {
        return TG_OK;
    }
    tg_contexts_forget_errors();
    tg_wipe(ret, TG_DIGEST_BYTES);
    return TG_ERR_BUG;
}

enum tg_err tg_sha256(struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES])
{
    SHA256_CTX state;
    bool fine = SHA256_Init(&state) == 1 && add(&state, bytes);
    return finish(&state, fine, ret);
}

enum tg_err tg_sha256_parts(const struct tg_span *parts, size_t count, uint8_t ret[TG_DIGEST_BYTES])
{
    SHA256_CTX state;
    bool fine = SHA256_Init(&state) == 1;
    for (size_t i = 0; i < count && fine; i++) {
        uint8_t len[8];
        tg_be64_write(len, parts[i].len);
        fine = add(&state, tg_span(len, sizeof(len))) && add(&state, parts[i]);
    }
    return finish(&state, fine, ret);
}
