/*
 * crypto.h - a thin face over OpenSSL 3: digests, MACs, AEAD, randomness, secrets.
 *
 * Promises: no OpenSSL type is seen here; every function works on borrowed
 * spans and caller memory; a failure of the library is TG_ERR_BUG and leaves
 * outputs wiped. Contexts are made once and kept, because fetching an
 * algorithm costs more than a small digest.
 * Does not: keep keys, know formats, or log.
 */
#ifndef TG_CRYPTO_CRYPTO_H
#define TG_CRYPTO_CRYPTO_H

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#define TG_KEY_BYTES 32
#define TG_NONCE_BYTES 12
#define TG_TAG_BYTES 16
#define TG_SIGNATURE_BYTES 64

/* SHA-256 of bytes. */
TG_MUST_CHECK enum tg_err tg_sha256(struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES]);

/* SHA-256 over many parts, each preceded by its length as 8 bytes big-endian, so that no two lists collide. */
TG_MUST_CHECK enum tg_err tg_sha256_parts(const struct tg_span *parts, size_t count, uint8_t ret[TG_DIGEST_BYTES]);

/* HMAC-SHA-256 (FIPS 198-1). */
TG_MUST_CHECK enum tg_err tg_hmac_sha256(struct tg_span key, struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES]);

/* A key of HMAC-SHA-256, worked in once: as secret as the key itself, to be placed and wiped like it. */
#define TG_MAC_STATE_WORDS 28
struct tg_mac_key {
    uint32_t inner[TG_MAC_STATE_WORDS];
    uint32_t outer[TG_MAC_STATE_WORDS];
};
TG_MUST_CHECK enum tg_err tg_mac_prepare(struct tg_mac_key *ret, struct tg_span key);
/* The same as tg_hmac_sha256 with that key, in half the time or less. */
TG_MUST_CHECK enum tg_err tg_mac(const struct tg_mac_key *key, struct tg_span bytes, uint8_t ret[TG_DIGEST_BYTES]);

/* HKDF-SHA-256 (RFC 5869), empty salt, at most 255 * 32 bytes out. */
TG_MUST_CHECK enum tg_err tg_hkdf_sha256(struct tg_span key, struct tg_span info, uint8_t *ret, size_t ret_len);

/* AES-256-GCM (SP 800-38D) under a fresh random nonce. out gets nonce, ciphertext, tag: plain.len + 28 bytes. */
TG_MUST_CHECK enum tg_err tg_aead_seal(const uint8_t key[TG_KEY_BYTES], struct tg_span aad, struct tg_span plain,
                                       uint8_t *out, size_t out_cap, size_t *out_len);

/* The reverse; TG_ERR_INPUT when the tag does not fit. out is wiped on failure. */
TG_MUST_CHECK enum tg_err tg_aead_open(const uint8_t key[TG_KEY_BYTES], struct tg_span aad, struct tg_span sealed,
                                       uint8_t *out, size_t out_cap, size_t *out_len);

/* Ed25519 (RFC 8032) by a 32-byte seed. */
TG_MUST_CHECK enum tg_err tg_ed25519_public(const uint8_t seed[TG_KEY_BYTES], uint8_t ret[32]);
TG_MUST_CHECK enum tg_err tg_ed25519_sign(const uint8_t seed[TG_KEY_BYTES], struct tg_span bytes,
                                          uint8_t ret[TG_SIGNATURE_BYTES]);
TG_MUST_CHECK enum tg_err tg_ed25519_verify(const uint8_t public_key[32], struct tg_span bytes,
                                            const uint8_t signature[TG_SIGNATURE_BYTES]);

/* Bytes from the kernel's generator by way of OpenSSL's. */
TG_MUST_CHECK enum tg_err tg_random(void *ret, size_t len);

/* True when equal; time depends on len only. */
bool tg_equal_secret(const void *a, const void *b, size_t len);

/* Overwrites memory in a way that the compiler keeps. ptr may be NULL when len is 0. */
void tg_wipe(void *ptr, size_t len);

/*
 * A secret of up to cap bytes on pages of its own: locked, left out of core
 * dumps and forks (memfd_secret where the kernel has it), wiped when freed.
 */
struct tg_secret {
    uint8_t *ptr;
    size_t len; /* bytes in use */
    size_t cap;
    size_t pages; /* bytes mapped */
};
enum tg_secret_kind { TG_SECRET_MEMFD = 1, TG_SECRET_LOCKED = 2, TG_SECRET_UNLOCKED = 3 };
TG_MUST_CHECK enum tg_err tg_secret_make(struct tg_secret *ret, size_t cap, enum tg_secret_kind *kind);
void tg_secret_free(struct tg_secret *secret); /* takes a zeroed or freed one too */

#endif
