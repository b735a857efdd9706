/*
 * segment.h - one file of the record: a SQLite database with rows by sequence number and the counters.
 *
 * Promises: rows go in by ascending sequence and are never changed; reading a
 * row by its number costs one look into a B-tree whose right edge is warm.
 * Does not: know claims, or which segment a number is in (state.c does).
 */
#ifndef TG_STORE_SEGMENT_H
#define TG_STORE_SEGMENT_H

#include <sqlite3.h>

#include "base/arena.h"
#include "store/quota.h"
#include "store/row.h"

#define TG_STORE_PATH_BYTES_MAX 4096

struct tg_segment {
    sqlite3 *db; /* NULL: not open */
    uint32_t number;
    sqlite3_stmt *begin, *commit, *insert, *counter, *read;
};

/* A row with the bytes that its spans borrow. */
struct tg_row_held {
    struct tg_row row;
    uint8_t bytes[TG_ROW_BYTES_MAX];
};

/* suffix: "sqlite", "sqlite-wal", "keys", ... */
TG_MUST_CHECK enum tg_err tg_segment_path(const char *folder, uint32_t number, const char *suffix,
                                          char ret[TG_STORE_PATH_BYTES_MAX]);

/* Opens (or makes, when create is set), migrates forward. TG_ERR_DENIED: newer than this program; TG_ERR_CORRUPT: lost. */
TG_MUST_CHECK enum tg_err tg_segment_open(const char *folder, uint32_t number, bool create, struct tg_segment *ret);
void tg_segment_close(struct tg_segment *segment); /* takes a zeroed one too */

TG_MUST_CHECK enum tg_err tg_segment_begin(struct tg_segment *segment);
TG_MUST_CHECK enum tg_err tg_segment_commit(struct tg_segment *segment);
void tg_segment_rollback(struct tg_segment *segment);

TG_MUST_CHECK enum tg_err tg_segment_insert(struct tg_segment *segment, const struct tg_row *row,
                                            struct tg_span sealed);

/* TG_ERR_ABSENT: no such row. sealed may be NULL; else the answer's copy in the arena (TG_ERR_ROOM when full). */
TG_MUST_CHECK enum tg_err tg_segment_read(struct tg_segment *segment, uint64_t sequence, struct tg_row_held *ret,
                                          struct tg_arena *arena, struct tg_span *sealed);

/* Rows from `from` to `to` in order, at most limit; each row's spans live during the call. with_answers: sealed is
 * filled too. A callback that returns other than TG_OK ends the scan with that. */
TG_MUST_CHECK enum tg_err tg_segment_scan(struct tg_segment *segment, uint64_t from, uint64_t to, size_t limit,
                                          bool with_answers,
                                          enum tg_err (*each)(void *user, const struct tg_row *row,
                                                              struct tg_span sealed),
                                          void *user);
/* The highest sequence number, 0 when there is none. */
TG_MUST_CHECK enum tg_err tg_segment_last(struct tg_segment *segment, uint64_t *ret);

/* Writes marked counters and unmarks them; or, for a snapshot, all. */
TG_MUST_CHECK enum tg_err tg_segment_write_counters(struct tg_segment *segment, struct tg_quota *quota);
TG_MUST_CHECK enum tg_err tg_segment_write_all_counters(struct tg_segment *segment, const struct tg_quota *quota);
TG_MUST_CHECK enum tg_err tg_segment_read_counters(struct tg_segment *segment, struct tg_quota *quota);

#endif
