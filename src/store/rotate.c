/*
 * rotate.c - between batches: seals the open segment, lets expired claims go, tells which keys are due.
 *
 * Promises: one call does a bounded piece of each. A fresh segment is whole on
 * disk (schema, snapshot of counters) before the list names it, so a crash at
 * any step leaves either the old one open or the new one.
 * Does not: sort keys or remove files on the committer's thread.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/state.h"

/* Slots looked at in one call: 4 MB, under a millisecond. */
#define SWEEP_SLOTS 262144u
#define DAY_US (86400ll * 1000000)

static enum tg_err remove_leftover(const struct tg_store *store, uint32_t number)
{
    static const char *const suffixes[] = {"sqlite", "sqlite-wal", "sqlite-shm", "keys"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char path[TG_STORE_PATH_BYTES_MAX];
        enum tg_err err = tg_segment_path(store->path, number, suffixes[i], path);
        if (err != TG_OK)
            return err;
        if (unlink(path) != 0 && errno != ENOENT)
            return TG_ERR_DOWN;
    }
    return TG_OK;
}

/* The file and its log. SQLite syncs the folder too, but says nothing when that fails. */
static enum tg_err sync_names(const struct tg_store *store, uint32_t number)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    enum tg_err err = tg_segment_path(store->path, number, "sqlite", path);
    return err == TG_OK ? tg_folder_sync(path) : err;
}

enum tg_err tg_rotate_create(struct tg_store *store, uint32_t number)
{
    struct tg_segment fresh;
    enum tg_err err = remove_leftover(store, number); /* of a crash before the list knew it: nobody was told of it */
    if (err == TG_OK)
        err = tg_segment_open(store->path, number, true, &fresh);
    if (err != TG_OK)
        return err;
    err = tg_segment_begin(&fresh);
    if (err == TG_OK)
        err = tg_segment_write_all_counters(&fresh, &store->quota);
    if (err == TG_OK)
        err = tg_segment_commit(&fresh);
    if (err == TG_OK)
        err = sync_names(store, number);
    if (err != TG_OK) {
        tg_segment_close(&fresh);
        return err;
    }
    store->open = fresh;
    tg_checkpointer_watch(store);
    return TG_OK;
}

static enum tg_err seal(struct tg_store *store, int64_t now_us)
{
    struct tg_segment_info *info = tg_state_open_info(store);
    struct tg_segment_info fresh = {.number = info->number + 1, .first = store->sequence + 1, .last = UINT64_MAX,
                                    .opened_us = now_us, .last_event_us = now_us};
    struct tg_segment retired = store->open;
    tg_quota_forget(&store->quota, (int32_t)(now_us / DAY_US) - 2); /* late settles and time zones of clocks included */
    enum tg_err err = tg_rotate_create(store, fresh.number);
    if (err != TG_OK)
        return err;
    (void)sqlite3_wal_hook(retired.db, NULL, NULL);
    info->last = store->sequence;
    info->sealed_us = now_us;
    err = tg_segments_begin(store, &fresh);
    if (err == TG_OK)
        err = tg_checkpointer_key_job(store, info, &retired);
    if (err != TG_OK) {
        tg_segment_close(&retired);
        return err;
    }
    info->bytes = atomic_exchange(&store->open_bytes, 0);
    tg_state_log(store, "a segment was sealed");
    return tg_state_add_info(store, &fresh);
}

static bool due(const struct tg_store *store, int64_t now_us)
{
    const struct tg_segment_info *info = tg_state_open_info(store);
    return info->rows > 0 && (info->rows >= store->segment_rows_max || now_us - info->opened_us >= store->segment_us_max);
}

static void sweep(struct tg_store *store, int64_t now_us)
{
    for (size_t i = 0; store->sweep_number == 0 && i < store->info_count; i++) {
        const struct tg_segment_info *info = &store->infos[i];
        if (info->sealed_us != 0 && !info->dropped && info->claims_end_us <= now_us) {
            store->sweep_number = info->number;
            store->sweep_shard = 0;
        }
    }
    struct tg_segment_info *info = tg_state_info(store, store->sweep_number);
    if (info == NULL) {
        store->sweep_number = 0;
        return;
    }
    for (uint32_t slots = 0; slots < SWEEP_SLOTS && store->sweep_shard < TG_INDEX_SHARDS; store->sweep_shard++) {
        slots += store->index.shards[store->sweep_shard].cap;
        (void)tg_index_sweep(&store->index, store->sweep_shard, info->first, info->last);
    }
    if (store->sweep_shard == TG_INDEX_SHARDS) {
        info->dropped = true;
        store->sweep_number = 0;
    }
}

static void tell_purges(const struct tg_store *store, int64_t now_us, uint32_t *ret, size_t room, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < store->info_count && *ret_count < room; i++) {
        const struct tg_segment_info *info = &store->infos[i];
        if (info->sealed_us != 0 && !info->purged && info->answers_end_us <= now_us &&
            info->sealed_us + store->purge_grace_us <= now_us)
            ret[(*ret_count)++] = info->number;
    }
}

/*
 * A segment whose files are gone stays in the list while its key lives (answers carried on are sealed under it) and
 * while the index may still hold its numbers.
 */
static enum tg_err forget_gone(struct tg_store *store)
{
    for (uint32_t number = tg_checkpointer_gone(store); number != 0; number = tg_checkpointer_gone(store)) {
        struct tg_segment_info *info = tg_state_info(store, number);
        if (info == NULL)
            continue;
        info->leaving = TG_LEAVING_GONE;
        enum tg_err err = tg_segments_save(store, info);
        if (err != TG_OK)
            return err;
    }
    for (size_t i = 0; i < store->info_count; i++) {
        const struct tg_segment_info *info = &store->infos[i];
        if (info->leaving == TG_LEAVING_GONE && info->purged && info->dropped)
            return tg_segments_forget(store, info->number); /* one a call */
    }
    return TG_OK;
}

enum tg_err tg_embedded_rotate(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                               size_t room, size_t *ret_destroy_count)
{
    *ret_new_segment = 0;
    *ret_destroy_count = 0;
    if (store->failed || atomic_load(&store->checkpointer.broken))
        return TG_ERR_DOWN;
    enum tg_err err = forget_gone(store);
    if (err == TG_OK && due(store, now_us)) {
        tg_checkpointer_lock(store);
        err = seal(store, now_us);
        tg_checkpointer_unlock(store);
        *ret_new_segment = store->open.number;
    }
    if (err == TG_OK) {
        sweep(store, now_us);
        err = tg_leave_step(store, now_us);
    }
    if (err != TG_OK) {
        store->failed = true; /* which of two segments is open, or what was carried, is for a start to find out */
        return err;
    }
    tell_purges(store, now_us, ret_destroy, room, ret_destroy_count);
    tg_state_publish(store);
    return TG_OK;
}

enum tg_err tg_embedded_purged(struct tg_store *store, uint32_t segment)
{
    struct tg_segment_info *info = tg_state_info(store, segment);
    if (info == NULL || info->sealed_us == 0)
        return TG_ERR_ABSENT;
    info->purged = true;
    return tg_segments_save(store, info);
}
