/*
 * frame.c - reading and writing the envelope, and the table of who may send what.
 *
 * Promises: as frame.h. A length is checked against the sender's limit before anybody makes room for it.
 * Does not: look into bodies.
 */
#include "wire/frame.h"

#include "base/endian.h"

#include "base/banned.h"

/* Every gate message without an answer inside: TG_SMALL_FRAME_BYTES_MAX of message.h less the header. */
#define SMALL_BODY_MAX (2048u - TG_FRAME_HEADER_BYTES)

/* Counters as text: some hundred lines of a hundred bytes, with room to grow. */
#define STATS_BODY_MAX (256u * 1024u)

/* An answer and the fields around it. */
#define ANSWER_BODY_MAX (TG_ANSWER_BYTES_MAX + SMALL_BODY_MAX)

struct rule {
    uint8_t role;
    uint8_t type;
    uint32_t limit;
};

static const struct rule rules[] = {
    {TG_ROLE_GATE, TG_FRAME_HELLO, SMALL_BODY_MAX},
    {TG_ROLE_GATE, TG_FRAME_AUTH, SMALL_BODY_MAX},
    {TG_ROLE_GATE, TG_FRAME_ADMIT, SMALL_BODY_MAX},
    {TG_ROLE_GATE, TG_FRAME_SETTLE, ANSWER_BODY_MAX},
    {TG_ROLE_GATE, TG_FRAME_NOTE, SMALL_BODY_MAX},
    {TG_ROLE_GATE, TG_FRAME_STATS, SMALL_BODY_MAX},
    {TG_ROLE_ADMIN, TG_FRAME_ADMIN, TG_FRAME_BODY_BYTES_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_HELLO_ANSWER, SMALL_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_AUTH_ANSWER, SMALL_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_ADMIT_ANSWER, ANSWER_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_SETTLE_ANSWER, SMALL_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_STATS_ANSWER, STATS_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_FLUSH, SMALL_BODY_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_ADMIN_ANSWER, TG_FRAME_BODY_BYTES_MAX},
    {TG_ROLE_KEEPER, TG_FRAME_SEAL, TG_FRAME_BODY_BYTES_MAX},
    {TG_ROLE_SEALER, TG_FRAME_SEAL_ANSWER, TG_FRAME_BODY_BYTES_MAX},
};

size_t tg_frame_limit(enum tg_role role, uint8_t type)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].role == role && rules[i].type == type) {
            return rules[i].limit;
        }
    }
    return 0;
}

enum tg_err tg_frame_read(enum tg_role role, struct tg_span input, struct tg_frame *frame, size_t *used)
{
    *frame = (struct tg_frame){0};
    *used = 0;
    if (input.len < TG_FRAME_HEADER_BYTES) {
        return TG_ERR_ROOM;
    }
    struct tg_cursor cursor = tg_cursor(input);
    uint32_t len = tg_cursor_u32(&cursor);
    uint8_t version = tg_cursor_u8(&cursor);
    uint8_t type = tg_cursor_u8(&cursor);
    uint16_t slot = tg_cursor_u16(&cursor);
    uint32_t turn = tg_cursor_u32(&cursor);
    uint32_t zero = tg_cursor_u32(&cursor);
    size_t limit = tg_frame_limit(role, type);
    if (version != TG_FRAME_VERSION || zero != 0 || limit == 0) {
        return TG_ERR_INPUT;
    }
    if (len > limit) {
        return TG_ERR_LIMIT;
    }
    *used = TG_FRAME_HEADER_BYTES + (size_t)len;
    if (input.len < *used) {
        return TG_ERR_ROOM;
    }
    *frame = (struct tg_frame){type, slot, turn, tg_cursor_span(&cursor, len)};
    return TG_OK;
}

size_t tg_frame_begin(struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn)
{
    size_t offset = out->len;
    tg_buf_put_u32(out, 0);
    tg_buf_put_u8(out, TG_FRAME_VERSION);
    tg_buf_put_u8(out, type);
    tg_buf_put_u16(out, slot);
    tg_buf_put_u32(out, turn);
    tg_buf_put_u32(out, 0);
    return offset;
}

void tg_frame_end(struct tg_buf *out, size_t offset)
{
    if (out->over) {
        return;
    }
    size_t len = out->len - offset - TG_FRAME_HEADER_BYTES;
    if (len > TG_FRAME_BODY_BYTES_MAX) {
        out->over = true;
        return;
    }
    tg_be32_write(out->ptr + offset, (uint32_t)len);
}
