/*
 * postgres_act.h - an administrative act as bytes, for a row of tollgate_event.
 *
 * Promises: a version first; one writer, one strict reader; texts are cut at
 * the store's limits, an act must not fail for its words.
 * Does not: know the database.
 */
#ifndef TG_STORE_POSTGRES_ACT_H
#define TG_STORE_POSTGRES_ACT_H

#include "store/event.h"

/* Head, two texts of words, two of JSON. */
#define TG_PG_ACT_BYTES_MAX (64u + 2u * TG_ACT_WORDS_BYTES_MAX + 2u * TG_ACT_JSON_BYTES_MAX)

/* The caller checks tg_buf_done(out). before_json and after_json are found out here. */
void tg_pg_act_write(struct tg_buf *out, const struct tg_event_act *act);
/* Spans borrow from body; sequence is the row's. TG_ERR_CORRUPT for anything else. */
TG_MUST_CHECK enum tg_err tg_pg_act_read(struct tg_span body, struct tg_event_act *ret);

#endif
