/*
 * frame.h - the envelope of every message between two processes of the house.
 *
 * A frame is a 16-byte header and a body, all integers big-endian:
 *
 *    0       4        5      6      8       12      16
 *    | len   | version| type | slot | turn  | zero  | body: len bytes ...
 *
 * slot and turn belong to the asker: an answer carries them back unchanged, and
 * an answer whose turn is old is dropped by the asker. Anything that breaks
 * this page (version, unknown type, len over the type's limit, zero not zero)
 * closes the link: peers are never corrected, only left.
 *
 * Does not: read or write descriptors.
 */
#ifndef TG_WIRE_FRAME_H
#define TG_WIRE_FRAME_H

#include "base/buf.h"
#include "base/limits.h"

#define TG_FRAME_HEADER_BYTES 16
#define TG_FRAME_VERSION 1
#define TG_FRAME_BODY_BYTES_MAX (4u * 1024u * 1024u)

/* Slot of frames that answer nothing (FLUSH). */
#define TG_FRAME_SLOT_NONE 0xffffu

enum tg_frame_type {
    /* gate -> keeper, and the answer */
    TG_FRAME_HELLO = 1,
    TG_FRAME_HELLO_ANSWER = 2,
    TG_FRAME_AUTH = 3,
    TG_FRAME_AUTH_ANSWER = 4,
    TG_FRAME_ADMIT = 5,
    TG_FRAME_ADMIT_ANSWER = 6,
    TG_FRAME_SETTLE = 7,
    TG_FRAME_SETTLE_ANSWER = 8,
    TG_FRAME_NOTE = 9, /* no answer */
    TG_FRAME_STATS = 10,
    TG_FRAME_STATS_ANSWER = 11,
    TG_FRAME_FLUSH = 12, /* keeper -> gate, unasked: drop cached AUTH answers */
    /* cli -> keeper, JSON bodies */
    TG_FRAME_ADMIN = 32,
    TG_FRAME_ADMIN_ANSWER = 33, /* may come several times: flag in the JSON "more" */
    /* keeper -> sealer */
    TG_FRAME_SEAL = 64,
    TG_FRAME_SEAL_ANSWER = 65
};

/* Who sits at the other end: decided by the socket and SO_PEERCRED, never by a message. */
enum tg_role { TG_ROLE_GATE = 1, TG_ROLE_ADMIN = 2, TG_ROLE_KEEPER = 3, TG_ROLE_SEALER = 4 };

struct tg_frame {
    uint8_t type;
    uint16_t slot;
    uint32_t turn;
    struct tg_span body; /* borrowed from the input buffer */
};

/* Largest body that `type` may carry when sent by `role`; 0: that role may not send it. */
size_t tg_frame_limit(enum tg_role role, uint8_t type);

/*
 * Looks at the first bytes of an input stream sent by `role`.
 * TG_OK: *frame is whole and *used says how many bytes it took.
 * TG_ERR_ROOM: more bytes are needed; *used is the whole frame's size once the header is known, else 0.
 * TG_ERR_INPUT, TG_ERR_LIMIT: close the link.
 */
TG_MUST_CHECK enum tg_err tg_frame_read(enum tg_role role, struct tg_span input, struct tg_frame *frame, size_t *used);

/* Writes a header whose body follows at once; body_len is filled in by tg_frame_end. Returns the frame's offset. */
size_t tg_frame_begin(struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn);

/* Fills in the length of the frame begun at `offset`. The caller checks tg_buf_done(out). */
void tg_frame_end(struct tg_buf *out, size_t offset);

#endif
