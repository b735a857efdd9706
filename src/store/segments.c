/*
 * segments.c - the list of segments, as tollgate.sqlite keeps it.
 *
 * Promises: a segment that is not in the list has no row anybody was told of.
 * Does not: touch segment files.
 */
#include <string.h>

#include "store/sqlite.h"
#include "store/state.h"

#define COLUMNS                                                                                                        \
    "number, first_sequence, last_sequence, opened_us, sealed_us, claims_end_us, answers_end_us, last_event_us, "      \
    "events, purged, leaving"

static void read_info(sqlite3_stmt *row, struct tg_segment_info *info)
{
    *info = (struct tg_segment_info){
        .number = (uint32_t)sqlite3_column_int64(row, 0),
        .first = (uint64_t)sqlite3_column_int64(row, 1),
        .last = (uint64_t)sqlite3_column_int64(row, 2),
        .opened_us = sqlite3_column_int64(row, 3),
        .sealed_us = sqlite3_column_int64(row, 4),
        .claims_end_us = sqlite3_column_int64(row, 5),
        .answers_end_us = sqlite3_column_int64(row, 6),
        .last_event_us = sqlite3_column_int64(row, 7),
        .events = (uint64_t)sqlite3_column_int64(row, 8),
        .purged = sqlite3_column_int(row, 9) != 0,
        .leaving = (enum tg_leaving)sqlite3_column_int(row, 10),
    };
    if (info->sealed_us == 0)
        info->last = UINT64_MAX;
}

enum tg_err tg_segments_load(struct tg_store *store)
{
    sqlite3_stmt *all = NULL;
    enum tg_err err = tg_sqlite_prepare(store->setup, "SELECT " COLUMNS " FROM segment ORDER BY number", &all);
    if (err != TG_OK)
        return err;
    int rc = SQLITE_DONE;
    while (err == TG_OK && (rc = sqlite3_step(all)) == SQLITE_ROW) {
        struct tg_segment_info info;
        read_info(all, &info);
        bool follows = store->info_count == 0 || (tg_state_open_info(store)->sealed_us != 0 &&
                                                  info.first > tg_state_open_info(store)->last);
        err = follows ? tg_state_add_info(store, &info) : TG_ERR_CORRUPT;
    }
    sqlite3_finalize(all);
    if (err == TG_OK)
        err = tg_sqlite_err(rc);
    if (err == TG_OK && store->info_count > 0 && tg_state_open_info(store)->sealed_us != 0)
        err = TG_ERR_CORRUPT; /* the last one is always open */
    return err;
}

enum tg_err tg_segments_save(struct tg_store *store, const struct tg_segment_info *info)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(
        store->setup, "REPLACE INTO segment (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)", &put);
    if (err != TG_OK)
        return err;
    const int64_t values[] = {info->number, (int64_t)info->first, info->sealed_us == 0 ? 0 : (int64_t)info->last,
                              info->opened_us, info->sealed_us, info->claims_end_us, info->answers_end_us,
                              info->last_event_us, (int64_t)info->events, info->purged, info->leaving};
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < 11; i++)
        rc = sqlite3_bind_int64(put, i + 1, values[i]);
    err = rc == SQLITE_OK ? tg_sqlite_run(put) : tg_sqlite_err(rc);
    sqlite3_finalize(put);
    return err;
}

enum tg_err tg_segments_begin(struct tg_store *store, const struct tg_segment_info *fresh)
{
    enum tg_err err = tg_sqlite_exec(store->setup, "BEGIN IMMEDIATE");
    if (err != TG_OK)
        return err;
    for (size_t i = 0; err == TG_OK && i < store->info_count; i++) {
        struct tg_segment_info *info = &store->infos[i];
        bool save = info->changed || i + 1 == store->info_count;
        if (save)
            err = tg_segments_save(store, info);
        info->changed = false;
    }
    if (err == TG_OK)
        err = tg_segments_save(store, fresh);
    if (err == TG_OK)
        err = tg_sqlite_exec(store->setup, "COMMIT");
    if (err != TG_OK)
        (void)sqlite3_exec(store->setup, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

enum tg_err tg_segments_forget(struct tg_store *store, uint32_t number)
{
    struct tg_segment_info *info = tg_state_info(store, number);
    if (info == NULL)
        return TG_ERR_ABSENT;
    sqlite3_stmt *forget = NULL;
    enum tg_err err = tg_sqlite_prepare(store->setup, "DELETE FROM segment WHERE number = ?1", &forget);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_bind_int64(forget, 1, number);
    err = rc == SQLITE_OK ? tg_sqlite_run(forget) : tg_sqlite_err(rc);
    sqlite3_finalize(forget);
    if (err != TG_OK)
        return err;
    size_t at = (size_t)(info - store->infos);
    memmove(info, info + 1, (store->info_count - at - 1) * sizeof(*info));
    store->info_count--;
    return TG_OK;
}
