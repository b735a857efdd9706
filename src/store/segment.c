/*
 * segment.c - statements of one segment file; see segment.h.
 *
 * Promises: statements are prepared once; answers are bound without a copy.
 * Does not: checkpoint (checkpoint.c does) or fsync itself: COMMIT does, once.
 */
#include "store/segment.h"

#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "store/migrate.h"
#include "store/sqlite.h"

enum tg_err tg_segment_path(const char *folder, uint32_t number, const char *suffix, char ret[TG_STORE_PATH_BYTES_MAX])
{
    int len = snprintf(ret, TG_STORE_PATH_BYTES_MAX, "%s/segments/segment-%010u.%s", folder, number, suffix);
    return len > 0 && len < TG_STORE_PATH_BYTES_MAX ? TG_OK : TG_ERR_LIMIT;
}

static enum tg_err prepare(struct tg_segment *segment)
{
    const struct {
        const char *sql;
        sqlite3_stmt **statement;
    } rows[] = {
        {"BEGIN IMMEDIATE", &segment->begin},
        {"COMMIT", &segment->commit},
        {"INSERT INTO entry (sequence, kind, body, sealed) VALUES (?1, ?2, ?3, ?4)", &segment->insert},
        {"INSERT INTO counter_change (body) VALUES (?1)", &segment->counter},
        {"SELECT kind, body, sealed FROM entry WHERE sequence = ?1", &segment->read},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum tg_err err = tg_sqlite_prepare(segment->db, rows[i].sql, rows[i].statement);
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}

enum tg_err tg_segment_open(const char *folder, uint32_t number, bool create, struct tg_segment *ret)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    memset(ret, 0, sizeof(*ret));
    ret->number = number;
    enum tg_err err = tg_segment_path(folder, number, "sqlite", path);
    if (err == TG_OK)
        err = tg_sqlite_open(path, create, &ret->db);
    if (err == TG_OK)
        err = tg_migrate(ret->db, &tg_schema_segment);
    if (err == TG_OK)
        err = prepare(ret);
    if (err != TG_OK)
        tg_segment_close(ret);
    return err;
}

void tg_segment_close(struct tg_segment *segment)
{
    sqlite3_stmt *statements[] = {segment->begin, segment->commit, segment->insert, segment->counter, segment->read};
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        (void)sqlite3_finalize(statements[i]);
    (void)sqlite3_close(segment->db);
    memset(segment, 0, sizeof(*segment));
}

enum tg_err tg_segment_begin(struct tg_segment *segment)
{
    return tg_sqlite_run(segment->begin);
}

enum tg_err tg_segment_commit(struct tg_segment *segment)
{
    return tg_sqlite_run(segment->commit);
}

void tg_segment_rollback(struct tg_segment *segment)
{
    (void)sqlite3_exec(segment->db, "ROLLBACK", NULL, NULL, NULL);
}

enum tg_err tg_segment_insert(struct tg_segment *segment, const struct tg_row *row, struct tg_span sealed)
{
    uint8_t bytes[TG_ROW_BYTES_MAX];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    tg_row_write(&body, row);
    if (tg_buf_done(&body) != TG_OK)
        return TG_ERR_BUG; /* every part is bounded: see TG_ROW_BYTES_MAX */
    sqlite3_stmt *insert = segment->insert;
    int rc = sqlite3_bind_int64(insert, 1, (sqlite3_int64)row->sequence);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, 2, (int)row->kind);
    if (rc == SQLITE_OK)
        rc = tg_sqlite_bind_blob(insert, 3, tg_buf_span(&body));
    if (rc == SQLITE_OK)
        rc = sealed.len == 0 ? sqlite3_bind_null(insert, 4) : tg_sqlite_bind_blob(insert, 4, sealed);
    return rc == SQLITE_OK ? tg_sqlite_run(insert) : tg_sqlite_err(rc);
}

static enum tg_err hold(sqlite3_stmt *read, uint64_t sequence, struct tg_row_held *ret, struct tg_arena *arena,
                        struct tg_span *sealed)
{
    struct tg_span body = tg_sqlite_bytes(read, 1);
    if (body.len > sizeof(ret->bytes))
        return TG_ERR_CORRUPT;
    if (body.len > 0)
        memcpy(ret->bytes, body.ptr, body.len);
    enum tg_err err = tg_row_read((enum tg_row_kind)sqlite3_column_int(read, 0), sequence,
                                  tg_span(ret->bytes, body.len), &ret->row);
    if (err != TG_OK || sealed == NULL)
        return err;
    *sealed = tg_span(NULL, 0);
    if (!ret->row.has_answer)
        return TG_OK;
    struct tg_span answer = tg_sqlite_bytes(read, 2);
    if (answer.len == 0)
        return TG_ERR_CORRUPT;
    *sealed = tg_arena_copy(arena, answer);
    return sealed->ptr == NULL ? TG_ERR_ROOM : TG_OK;
}

enum tg_err tg_segment_read(struct tg_segment *segment, uint64_t sequence, struct tg_row_held *ret,
                            struct tg_arena *arena, struct tg_span *sealed)
{
    int rc = sqlite3_bind_int64(segment->read, 1, (sqlite3_int64)sequence);
    if (rc != SQLITE_OK)
        return tg_sqlite_err(rc);
    rc = sqlite3_step(segment->read);
    enum tg_err err = TG_OK;
    if (rc == SQLITE_ROW)
        err = hold(segment->read, sequence, ret, arena, sealed);
    else
        err = rc == SQLITE_DONE ? TG_ERR_ABSENT : tg_sqlite_err(rc);
    (void)sqlite3_reset(segment->read);
    return err;
}

enum tg_err tg_segment_scan(struct tg_segment *segment, uint64_t from, uint64_t to, size_t limit, bool with_answers,
                            enum tg_err (*each)(void *user, const struct tg_row *row, struct tg_span sealed),
                            void *user)
{
    sqlite3_stmt *scan = NULL;
    enum tg_err err = tg_sqlite_prepare(
        segment->db, "SELECT sequence, kind, body, sealed FROM entry WHERE sequence BETWEEN ?1 AND ?2 ORDER BY sequence",
        &scan);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_bind_int64(scan, 1, (sqlite3_int64)from);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(scan, 2, (sqlite3_int64)(to > INT64_MAX ? INT64_MAX : to));
    err = tg_sqlite_err(rc);
    for (size_t count = 0; err == TG_OK && count < limit; count++) {
        rc = sqlite3_step(scan);
        if (rc != SQLITE_ROW) {
            err = tg_sqlite_err(rc);
            break;
        }
        struct tg_row row;
        err = tg_row_read((enum tg_row_kind)sqlite3_column_int(scan, 1), (uint64_t)sqlite3_column_int64(scan, 0),
                          tg_sqlite_bytes(scan, 2), &row);
        struct tg_span sealed = {NULL, 0};
        if (err == TG_OK && with_answers && row.has_answer)
            sealed = tg_sqlite_bytes(scan, 3);
        if (err == TG_OK)
            err = each(user, &row, sealed);
    }
    sqlite3_finalize(scan);
    return err;
}

enum tg_err tg_segment_last(struct tg_segment *segment, uint64_t *ret)
{
    sqlite3_stmt *last = NULL;
    enum tg_err err = tg_sqlite_prepare(segment->db, "SELECT coalesce(max(sequence), 0) FROM entry", &last);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(last);
    *ret = (uint64_t)sqlite3_column_int64(last, 0);
    sqlite3_finalize(last);
    return rc == SQLITE_ROW ? TG_OK : tg_sqlite_err(rc);
}

/* Counters that one row holds, and what each takes: partner, day, environment, currency, reserved, committed. */
#define COUNTERS_MAX 512u
#define COUNTER_BYTES 28u

struct counter_row {
    uint8_t bytes[COUNTERS_MAX * COUNTER_BYTES];
    size_t len;
};

static enum tg_err flush_counters(struct tg_segment *segment, struct counter_row *row)
{
    if (row->len == 0)
        return TG_OK;
    int rc = tg_sqlite_bind_blob(segment->counter, 1, tg_span(row->bytes, row->len));
    row->len = 0;
    return rc == SQLITE_OK ? tg_sqlite_run(segment->counter) : tg_sqlite_err(rc);
}

static enum tg_err add_counter(struct tg_segment *segment, struct counter_row *row,
                               const struct tg_quota_counter *counter)
{
    enum tg_err err = row->len == sizeof(row->bytes) ? flush_counters(segment, row) : TG_OK;
    uint8_t *to = row->bytes + row->len;
    tg_be32_write(to, counter->key.partner);
    tg_be32_write(to + 4, (uint32_t)counter->key.day);
    to[8] = counter->key.environment;
    memcpy(to + 9, counter->key.currency, sizeof(counter->key.currency));
    tg_be64_write(to + 12, (uint64_t)counter->reserved);
    tg_be64_write(to + 20, (uint64_t)counter->committed);
    row->len += COUNTER_BYTES;
    return err;
}

enum tg_err tg_segment_write_counters(struct tg_segment *segment, struct tg_quota *quota)
{
    struct counter_row row; /* 14 KB that need no zeroes */
    row.len = 0;
    while (quota->marked != NULL) {
        struct tg_quota_counter *counter = quota->marked;
        enum tg_err err = add_counter(segment, &row, counter);
        if (err != TG_OK)
            return err;
        quota->marked = counter->next_marked;
        counter->marked = false;
    }
    return flush_counters(segment, &row);
}

enum tg_err tg_segment_write_all_counters(struct tg_segment *segment, const struct tg_quota *quota)
{
    struct counter_row row; /* 14 KB that need no zeroes */
    row.len = 0;
    for (size_t i = 0; i < quota->buckets; i++)
        for (const struct tg_quota_counter *counter = quota->table[i]; counter != NULL; counter = counter->next) {
            enum tg_err err = add_counter(segment, &row, counter);
            if (err != TG_OK)
                return err;
        }
    return flush_counters(segment, &row);
}

static enum tg_err take_counters(struct tg_span body, struct tg_quota *quota)
{
    if (body.len == 0 || body.len % COUNTER_BYTES != 0)
        return TG_ERR_CORRUPT;
    for (const uint8_t *from = body.ptr; from < body.ptr + body.len; from += COUNTER_BYTES) {
        struct tg_quota_key key = {.partner = tg_be32_read(from), .day = (int32_t)tg_be32_read(from + 4),
                                   .environment = from[8]};
        memcpy(key.currency, from + 9, sizeof(key.currency));
        struct tg_quota_counter *counter = tg_quota_counter(quota, &key);
        if (counter == NULL)
            return TG_ERR_DOWN;
        counter->reserved = (int64_t)tg_be64_read(from + 12);
        counter->committed = (int64_t)tg_be64_read(from + 20);
    }
    return TG_OK;
}

static enum tg_err read_changes(struct tg_segment *segment, struct tg_quota *quota)
{
    sqlite3_stmt *all = NULL;
    enum tg_err err = tg_sqlite_prepare(segment->db, "SELECT body FROM counter_change ORDER BY number", &all);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(all);
    for (; rc == SQLITE_ROW && err == TG_OK; rc = sqlite3_step(all))
        err = take_counters(tg_sqlite_bytes(all, 0), quota);
    sqlite3_finalize(all);
    return err != TG_OK ? err : tg_sqlite_err(rc);
}

/* The table that segments had before: what they hold comes before every change. */
static enum tg_err read_first_counters(struct tg_segment *segment, struct tg_quota *quota)
{
    sqlite3_stmt *all = NULL;
    enum tg_err err = tg_sqlite_prepare(
        segment->db, "SELECT partner, day, environment, currency, reserved, committed FROM counter", &all);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(all);
    for (; rc == SQLITE_ROW && err == TG_OK; rc = sqlite3_step(all)) {
        struct tg_quota_key key = {.partner = (uint32_t)sqlite3_column_int64(all, 0), .day = sqlite3_column_int(all, 1),
                                   .environment = (uint8_t)sqlite3_column_int(all, 2)};
        struct tg_span currency = tg_sqlite_bytes(all, 3);
        struct tg_quota_counter *counter = NULL;
        if (currency.len != sizeof(key.currency)) {
            err = TG_ERR_CORRUPT;
            break;
        }
        memcpy(key.currency, currency.ptr, sizeof(key.currency));
        counter = tg_quota_counter(quota, &key);
        if (counter == NULL) {
            err = TG_ERR_DOWN;
            break;
        }
        counter->reserved = sqlite3_column_int64(all, 4);
        counter->committed = sqlite3_column_int64(all, 5);
    }
    sqlite3_finalize(all);
    return err != TG_OK ? err : tg_sqlite_err(rc);
}

enum tg_err tg_segment_read_counters(struct tg_segment *segment, struct tg_quota *quota)
{
    enum tg_err err = read_first_counters(segment, quota);
    return err == TG_OK ? read_changes(segment, quota) : err;
}
