/*
 * ring.h - the segment keys: one file of fixed slots, each a wrapped 32-byte key.
 *
 * A slot is 128 bytes: u32 mark, u32 segment, 60 bytes AES-256-GCM of the key (the mark and segment are its
 * associated data), u32 CRC-32 of those 68 bytes, zeroes. A free slot is all zero.
 *
 * Promises: a key that was made survives any crash after its answer; a slot that was torn by a crash counts as free
 * (its making was never answered); a destroyed key is overwritten on the disk and in memory before the answer. A
 * slot that is whole but does not open shows another master key, and the ring refuses to serve.
 * Does not: promise that a flash drive or a copying file system forgets the old wrapped bytes; without the
 * master key they are of no use.
 */
#ifndef TG_SEALER_RING_H
#define TG_SEALER_RING_H

#include "crypto/crypto.h"

/* Living segments at one time: 13 months of one segment each hour would be 9500. */
#define TG_RING_SLOTS 16384u
#define TG_RING_SLOT_BYTES 128u
#define TG_RING_NAME "answers.ring"

struct tg_ring {
    int fd;
    bool broken;             /* a write or sync failed: what the disk holds is not known until the next start */
    uint32_t torn;           /* slots found torn at open */
    uint32_t count;          /* keys that live */
    uint32_t reach;          /* how far from segment % TG_RING_SLOTS any key stands */
    const uint8_t *wrap_key; /* borrowed */
    struct tg_secret keys;   /* one key a slot */
    enum tg_secret_kind kind;
    uint32_t segment[TG_RING_SLOTS];
    bool used[TG_RING_SLOTS];
};

/* Makes the file in the folder when it is absent, whole or not at all; one that stands there is left alone. Durable. */
TG_MUST_CHECK enum tg_err tg_ring_create(int folder);

/* Opens, locks and reads the file; what it finds is durable then, whatever its last writer came to. wrap_key must
 * outlive the ring. TG_ERR_CORRUPT: not ours, or another master key. */
TG_MUST_CHECK enum tg_err tg_ring_open(struct tg_ring *ring, int folder, const uint8_t *wrap_key);

/* Wipes the keys in memory and closes the file. */
void tg_ring_close(struct tg_ring *ring);

/* The key of a segment, or NULL. Borrowed until the next destroy. */
const uint8_t *tg_ring_find(const struct tg_ring *ring, uint32_t segment);

/* Durable when it returns TG_OK; the same key stays when there is one. TG_ERR_ROOM: no free slot. */
TG_MUST_CHECK enum tg_err tg_ring_make(struct tg_ring *ring, uint32_t segment);

/* Overwritten and durable when it returns TG_OK; also when there is none. */
TG_MUST_CHECK enum tg_err tg_ring_destroy(struct tg_ring *ring, uint32_t segment);

#endif
