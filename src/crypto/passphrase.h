/*
 * passphrase.h - a key from a passphrase, and a digest over a stream.
 *
 * Promises: scrypt (RFC 7914) with r = 8 and p = 1; the work is the caller's choice within bounds, so that a file can
 * name what it was made with and none can ask for more memory than TG_SCRYPT_WORK_MAX means.
 * Does not: judge the passphrase.
 */
#ifndef TG_CRYPTO_PASSPHRASE_H
#define TG_CRYPTO_PASSPHRASE_H

#include "crypto/crypto.h"

#define TG_SCRYPT_SALT_BYTES 16
#define TG_SCRYPT_WORK_MIN 10     /* 1 MiB: for tests */
#define TG_SCRYPT_WORK_DEFAULT 17 /* 128 MiB, half a second: an operator waits once, a guesser each time */
#define TG_SCRYPT_WORK_MAX 20     /* 1 GiB */

/* work: logarithm of N to base 2. TG_ERR_LIMIT: outside the bounds. */
TG_MUST_CHECK enum tg_err tg_scrypt(struct tg_span passphrase, const uint8_t salt[TG_SCRYPT_SALT_BYTES], unsigned work,
                                    uint8_t ret[TG_KEY_BYTES]);

/* SHA-256 of what comes in pieces. end frees; call it also when an add has failed. */
struct tg_sha256_stream {
    void *context;
};
TG_MUST_CHECK enum tg_err tg_sha256_begin(struct tg_sha256_stream *stream);
TG_MUST_CHECK enum tg_err tg_sha256_add(struct tg_sha256_stream *stream, struct tg_span bytes);
TG_MUST_CHECK enum tg_err tg_sha256_end(struct tg_sha256_stream *stream, uint8_t ret[TG_DIGEST_BYTES]);

#endif
