/*
 * sealed.h - a file of any length, sealed under a passphrase: written once from front to back, read the same way.
 *
 * Layout: "TOLLGATE-SEALED\1", u8 work of scrypt, 16 bytes salt; then pieces: u32 length, AES-256-GCM of at most
 * 1 MiB under the derived key. Each piece's associated data is the head, its number and whether it is the last, so
 * that none can be left out, moved, added or taken from another file.
 *
 * Promises: nothing that was read is given out before its piece's tag fits; an end that is missing is an error.
 * Does not: hide the length.
 */
#ifndef TG_CLI_SEALED_H
#define TG_CLI_SEALED_H

#include "base/span.h"
#include "crypto/crypto.h"
#include "crypto/passphrase.h"

#define TG_SEALED_HEAD_BYTES 33
#define TG_SEALED_PIECE_BYTES (1024u * 1024u)
#define TG_SEALED_OVERHEAD_BYTES 28 /* nonce and tag */

struct tg_sealed {
    int fd;
    uint8_t head[TG_SEALED_HEAD_BYTES];
    uint8_t key[TG_KEY_BYTES];
    uint64_t number; /* of the next piece */
    size_t len;      /* writing: bytes in plain; reading: bytes given so far */
    size_t have;     /* reading: bytes in plain */
    bool last;       /* reading: plain is the last piece */
    uint8_t *plain;
    uint8_t *cipher;
};

/* A new file (0600, never over another one). work: see crypto/passphrase.h. Complains. */
TG_MUST_CHECK enum tg_err tg_sealed_create(struct tg_sealed *sealed, const char *path, struct tg_span passphrase,
                                           unsigned work);
TG_MUST_CHECK enum tg_err tg_sealed_write(struct tg_sealed *sealed, struct tg_span bytes);
/* The last piece, synced. */
TG_MUST_CHECK enum tg_err tg_sealed_finish(struct tg_sealed *sealed);

/* Complains. TG_ERR_CORRUPT: no such file; the passphrase shows with the first read. */
TG_MUST_CHECK enum tg_err tg_sealed_open(struct tg_sealed *sealed, const char *path, struct tg_span passphrase);
/* Exactly len bytes. TG_ERR_CORRUPT: changed, cut off, or another passphrase; TG_ERR_DOWN: not read. */
TG_MUST_CHECK enum tg_err tg_sealed_read(struct tg_sealed *sealed, void *ret, size_t len);
/* TG_OK when everything was read and the file ends there. */
TG_MUST_CHECK enum tg_err tg_sealed_end(struct tg_sealed *sealed);

/* Wipes and closes; takes a zeroed one too (fd -1). */
void tg_sealed_close(struct tg_sealed *sealed);

#endif
