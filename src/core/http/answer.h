/*
 * answer.h - an upstream's answer as it is stored for replays.
 *
 * Layout: u16 status, u16 field count, each field u16 name length, u16 value
 * length, name, value; then the body to the end. Opaque to keeper and sealer.
 * Only fields that matter to a client are kept (tg_answer_field_kept).
 */
#ifndef TG_CORE_HTTP_ANSWER_H
#define TG_CORE_HTTP_ANSWER_H

#include "base/buf.h"

#define TG_ANSWER_FIELDS_MAX 64 /* payment APIs send about 20; what cannot be kept whole is not replayed at all */

struct tg_answer_field {
    struct tg_span name;
    struct tg_span value;
};

struct tg_answer {
    uint16_t status;
    size_t field_count;
    struct tg_answer_field fields[TG_ANSWER_FIELDS_MAX];
    struct tg_span body;
};

/* False for hop-by-hop fields, Date, Server, Set-Cookie, Content-Length, Transfer-Encoding, Connection and the like. */
bool tg_answer_field_kept(struct tg_span name);

/* TG_ERR_ROOM when it does not fit out. */
TG_MUST_CHECK enum tg_err tg_answer_write(struct tg_buf *out, const struct tg_answer *answer);
TG_MUST_CHECK enum tg_err tg_answer_read(struct tg_span stored, struct tg_answer *ret);

#endif
