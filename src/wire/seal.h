/*
 * seal.h - what the keeper asks of the sealer: many small works in one frame.
 *
 * Body of SEAL: u16 count, then each work: u8 operation, u32 key id, u32 len,
 * len bytes of input. Body of SEAL_ANSWER: u16 count, then each result in the
 * same order: u8 status (0 done, else tg_seal_status), u32 len, len bytes.
 * One failed work fails alone; a frame that breaks this page closes the link.
 *
 * Does not: carry keys in either direction.
 */
#ifndef TG_WIRE_SEAL_H
#define TG_WIRE_SEAL_H

#include "wire/frame.h"

#define TG_SEAL_WORKS_MAX 2048    /* works in one frame: 512 admits with four MACs each */
#define TG_SEAL_OVERHEAD_BYTES 28 /* 12 nonce in front, 16 tag behind */

enum tg_seal_operation {
    TG_SEAL_MAC = 1,         /* input -> 32 bytes HMAC-SHA-256 */
    TG_SEAL_VERIFY_MAC = 2,  /* 32 bytes MAC, then input -> nothing; status says */
    TG_SEAL_SIGN = 3,        /* input -> 64 bytes Ed25519 */
    TG_SEAL_SEAL = 4,        /* u16 aad len, aad, plaintext -> nonce, ciphertext, tag (AES-256-GCM) */
    TG_SEAL_OPEN = 5,        /* u16 aad len, aad, sealed -> plaintext */
    TG_SEAL_KEY_MAKE = 6,    /* key id is a segment key: made and durable -> nothing. Again: the same key stays */
    TG_SEAL_KEY_DESTROY = 7, /* segment key overwritten and durable -> nothing. Absent: done */
    TG_SEAL_PUBLIC = 8,      /* key id of a signing key -> 32 bytes public key */
    TG_SEAL_GUARD = 9        /* key id 0, no input -> how this process is guarded, a text of "name=value" words */
};

enum tg_seal_status {
    TG_SEAL_DONE = 0,
    TG_SEAL_NO_KEY = 1, /* no such key, or destroyed, or not of this use */
    TG_SEAL_BAD = 2,    /* MAC or tag does not fit, or the input's shape is wrong */
    TG_SEAL_FAILED = 3  /* the disk or the library failed; nothing was done */
};

/* Fixed keys, each with one use; segment keys are TG_SEAL_KEY_SEGMENT + segment number. */
enum tg_seal_key {
    TG_SEAL_KEY_CLAIM = 1,       /* MAC: claim keys */
    TG_SEAL_KEY_FINGERPRINT = 2, /* MAC: fingerprints */
    TG_SEAL_KEY_PSEUDONYM = 3,   /* MAC: payer, payee, instrument, address */
    TG_SEAL_KEY_CREDENTIAL = 4,  /* seal, open: upstream credentials */
    TG_SEAL_KEY_RECORD = 5,      /* sign: the record */
    TG_SEAL_KEY_SEGMENT = 0x10000
};

struct tg_seal_work {
    uint8_t operation;
    uint32_t key;
    struct tg_span aad; /* SEAL and OPEN */
    struct tg_span input;
};

struct tg_seal_result {
    uint8_t status;
    struct tg_span output; /* borrowed from the frame */
};

/* Begins a SEAL frame; add works, then end. The caller checks tg_buf_done(out). */
struct tg_seal_writer {
    struct tg_buf *out;
    size_t frame;
    size_t count_at;
    uint16_t count;
};
void tg_seal_begin(struct tg_seal_writer *writer, struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn);
void tg_seal_add_work(struct tg_seal_writer *writer, const struct tg_seal_work *work);
void tg_seal_add_result(struct tg_seal_writer *writer, uint8_t status, struct tg_span output);
void tg_seal_end(struct tg_seal_writer *writer);
size_t tg_seal_work_size(const struct tg_seal_work *work); /* bytes that adding it takes */

/* Readers over a body: count first, then one at a time; tg_cursor_done at the end. */
TG_MUST_CHECK enum tg_err tg_seal_read_count(struct tg_cursor *cursor, uint16_t *count);
TG_MUST_CHECK enum tg_err tg_seal_read_work(struct tg_cursor *cursor, struct tg_seal_work *work);
TG_MUST_CHECK enum tg_err tg_seal_read_result(struct tg_cursor *cursor, struct tg_seal_result *result);

#endif
