/*
 * event.h - a row of the record as one JSON object, the way operators read it.
 *
 * Promises: strict JSON (RFC 8259): every text is escaped, what is not UTF-8
 * becomes U+FFFD; times are RFC 3339 in UTC with microseconds; pseudonyms and
 * ids are lower-case hex. No newline.
 * Does not: show claim keys, fingerprints or answers.
 */
#ifndef TG_STORE_EVENT_H
#define TG_STORE_EVENT_H

#include "store/row.h"

/* One JSON event: the longest is an act, two texts of TG_ACT_JSON_BYTES_MAX where each byte may become six. */
#define TG_EVENT_BYTES_MAX (128u * 1024u)
#define TG_ACT_WORDS_BYTES_MAX 1024u
#define TG_ACT_JSON_BYTES_MAX 8192u

struct tg_event_act {
    uint64_t sequence;
    int64_t at_us;
    struct tg_span request_id, actor, what, before, after;
    bool before_json, after_json; /* shown as JSON, not as a text that holds it */
    enum tg_err result;
};

/* The caller checks tg_buf_done(out). */
void tg_event_row_write(struct tg_buf *out, const struct tg_row *row);
void tg_event_act_write(struct tg_buf *out, const struct tg_event_act *act);

#endif
