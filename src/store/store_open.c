/*
 * store_open.c - opening, closing and counting the store.
 *
 * Promises: one process has a store open (a lock on its folder); an open that
 * fails leaves nothing behind but files that the next open uses or replaces.
 * Does not: repair: damage is TG_ERR_CORRUPT, and an operator's to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/migrate.h"
#include "store/move.h"
#include "store/sqlite.h"
#include "store/state.h"

/* A segment of a million rows holds half a million claims, some 300 MB with answers of 600 bytes. */
#define SEGMENT_ROWS_DEFAULT 1000000u
#define SEGMENT_US_DEFAULT (3600ll * 1000000)
/* 13 months, the longest that a chargeback or an assessor looks back, leap years and month ends included. */
#define RETENTION_US_DEFAULT (397ll * 86400 * 1000000)
#define PURGE_GRACE_US_DEFAULT (60ll * 1000000) /* far above any settle_wait */

/*
 * The store's own name: without it all that is durable below is lost. A parent that we may not read is somebody else's,
 * who made our folder for us.
 */
static enum tg_err sync_parent(const struct tg_store *store)
{
    int fd = openat(store->folder_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES || errno == EPERM ? TG_OK : TG_ERR_DOWN;
    int rc = fsync(fd);
    (void)close(fd);
    return rc == 0 ? TG_OK : TG_ERR_DOWN;
}

/* A database of the store, from what its last process left. */
static enum tg_err settle_log(const char *path)
{
    char log[TG_STORE_PATH_BYTES_MAX];
    int len = snprintf(log, sizeof(log), "%s-wal", path);
    return len > 0 && (size_t)len < sizeof(log) ? tg_folder_settle(log) : TG_ERR_LIMIT;
}

static enum tg_err open_folder(struct tg_store *store)
{
    char segments[TG_STORE_PATH_BYTES_MAX];
    int len = snprintf(segments, sizeof(segments), "%s/segments", store->path);
    if (len <= 0 || (size_t)len >= sizeof(segments))
        return TG_ERR_LIMIT;
    if (mkdir(store->path, 0700) != 0 && errno != EEXIST)
        return TG_ERR_DOWN;
    store->folder_fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder_fd < 0)
        return TG_ERR_DOWN;
    if (flock(store->folder_fd, LOCK_EX | LOCK_NB) != 0) {
        tg_state_log(store, "the store is open in another process");
        return TG_ERR_DOWN;
    }
    if (mkdir(segments, 0700) != 0 && errno != EEXIST)
        return TG_ERR_DOWN;
    return fsync(store->folder_fd) == 0 ? sync_parent(store) : TG_ERR_DOWN;
}

/* Two stores that go on from one point would each let pass what the other has let pass. */
static enum tg_err check_mark(const struct tg_store *store)
{
    struct stat mark;
    if (fstatat(store->folder_fd, TG_MOVE_MARK, &mark, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? TG_OK : TG_ERR_DOWN;
    tg_state_log(store, "this store was copied to a server: add \"store\": \"postgres\" to tollgate.json. Only if nothing was "
                        "served from there may its file \"" TG_MOVE_MARK "\" be removed, and it be copied anew later");
    return TG_ERR_DENIED;
}

static enum tg_err open_setup(struct tg_store *store)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof(path), "%s/tollgate.sqlite", store->path);
    if (len <= 0 || (size_t)len >= sizeof(path))
        return TG_ERR_LIMIT;
    enum tg_err err = settle_log(path);
    if (err == TG_OK)
        err = tg_sqlite_open(path, true, &store->setup);
    if (err == TG_OK)
        err = tg_migrate(store->setup, &tg_schema_setup);
    if (err == TG_OK) /* the file's name and its log's: SQLite syncs them too, but says nothing when that fails */
        err = tg_folder_sync(path);
    if (err == TG_OK) /* few and small writes: here SQLite may look after its own log */
        err = tg_sqlite_exec(store->setup, "PRAGMA wal_autocheckpoint = 256; PRAGMA foreign_keys = ON");
    return err;
}

static enum tg_err first_segment(struct tg_store *store, int64_t now_us)
{
    struct tg_segment_info info = {.number = 1, .first = store->sequence + 1, .last = UINT64_MAX, .opened_us = now_us,
                                   .last_event_us = now_us};
    enum tg_err err = tg_rotate_create(store, 1);
    if (err == TG_OK)
        err = tg_segments_begin(store, &info);
    return err == TG_OK ? tg_state_add_info(store, &info) : err;
}

static enum tg_err open_segments(struct tg_store *store, int64_t now_us)
{
    enum tg_err err = tg_segments_load(store);
    if (err != TG_OK)
        return err;
    if (store->info_count == 0)
        return first_segment(store, now_us);
    const struct tg_segment_info *info = tg_state_open_info(store);
    char path[TG_STORE_PATH_BYTES_MAX];
    err = tg_segment_path(store->path, info->number, "sqlite", path);
    if (err == TG_OK) /* sealed ones had every batch synced before they were sealed */
        err = settle_log(path);
    if (err == TG_OK)
        err = tg_segment_open(store->path, info->number, false, &store->open);
    if (err == TG_OK)
        err = tg_folder_sync(path);
    if (err == TG_OK)
        tg_checkpointer_watch(store);
    for (size_t i = 0; err == TG_OK && i + 1 < store->info_count; i++)
        if (store->infos[i].leaving == TG_LEAVING_BEGUN)
            err = tg_checkpointer_leave_job(store, store->infos[i].number);
    return err;
}

static void measure(struct tg_store *store)
{
    for (size_t i = 0; i < store->info_count; i++) {
        char path[TG_STORE_PATH_BYTES_MAX];
        struct stat stat_;
        struct tg_segment_info *info = &store->infos[i];
        if (tg_segment_path(store->path, info->number, "sqlite", path) == TG_OK && stat(path, &stat_) == 0)
            info->bytes = (uint64_t)stat_.st_size;
    }
}

static enum tg_err read_acts(struct tg_store *store)
{
    sqlite3_stmt *last = NULL;
    enum tg_err err = tg_sqlite_prepare(store->setup, "SELECT coalesce(max(sequence), 0), count(*) FROM act", &last);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(last);
    store->sequence = (uint64_t)sqlite3_column_int64(last, 0);
    store->acts = (uint64_t)sqlite3_column_int64(last, 1);
    sqlite3_finalize(last);
    return rc == SQLITE_ROW ? TG_OK : tg_sqlite_err(rc);
}

static enum tg_err open_all(struct tg_store *store, int64_t now_us, bool moved_too)
{
    store->event_bytes = malloc(TG_EVENT_BYTES_MAX);
    if (store->event_bytes == NULL)
        return TG_ERR_DOWN;
    enum tg_err err = open_folder(store);
    if (err == TG_OK && !moved_too)
        err = check_mark(store);
    if (err == TG_OK)
        err = tg_pending_init(&store->pending);
    if (err == TG_OK)
        err = tg_recent_init(&store->recent);
    if (err == TG_OK)
        err = tg_quota_init(&store->quota);
    if (err == TG_OK)
        err = open_setup(store);
    if (err == TG_OK)
        err = read_acts(store);
    if (err == TG_OK)
        err = open_segments(store, now_us);
    if (err == TG_OK)
        err = tg_recover(store, now_us);
    if (err != TG_OK)
        return err;
    measure(store);
    tg_state_publish(store);
    return TG_OK;
}

static uint32_t embedded_segment(const struct tg_store *store)
{
    return store->open.number;
}

static uint64_t embedded_last_event(const struct tg_store *store)
{
    return store->sequence;
}

static void embedded_count(const struct tg_store *store, struct tg_store_counts *ret)
{
    *ret = (struct tg_store_counts){
        .claims_live = atomic_load(&store->live),
        .claims_in_flight = atomic_load(&store->in_flight),
        .claims_unknown = atomic_load(&store->unknown),
        .events = atomic_load(&store->events),
        .segments = atomic_load(&store->segments),
        .bytes = atomic_load(&store->sealed_bytes) + atomic_load(&store->open_bytes),
    };
}

static const struct tg_store_backend embedded = {
    .close = tg_embedded_close,
    .commit = tg_embedded_commit,
    .segment = embedded_segment,
    .rotate = tg_embedded_rotate,
    .purged = tg_embedded_purged,
    .checkpoint = tg_embedded_checkpoint,
    .count = embedded_count,
    .unknowns = tg_embedded_unknowns,
    .events = tg_embedded_events,
    .last_event = embedded_last_event,
    .setup_read = tg_embedded_setup_read,
    .act = tg_embedded_act,
    .sealer = tg_embedded_sealer,
};

enum tg_err tg_embedded_open(const struct tg_store_options *options, int64_t now_us, struct tg_store **ret)
{
    *ret = NULL;
    struct tg_store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return TG_ERR_DOWN;
    store->head.backend = &embedded;
    store->folder_fd = -1;
    store->log = options->log;
    store->log_user = options->log_user;
    store->segment_rows_max = options->segment_rows_max != 0 ? options->segment_rows_max : SEGMENT_ROWS_DEFAULT;
    store->segment_us_max = options->segment_us_max != 0 ? options->segment_us_max : SEGMENT_US_DEFAULT;
    store->carry_rows = TG_STORE_CARRY_ROWS;
    store->retention_us = options->retention_us != 0 ? options->retention_us : RETENTION_US_DEFAULT;
    store->purge_grace_us = options->purge_grace_us != 0 ? options->purge_grace_us : PURGE_GRACE_US_DEFAULT;
    int len = snprintf(store->path, sizeof(store->path), "%s", options->path);
    enum tg_err err = len > 0 && (size_t)len < sizeof(store->path) ? TG_OK : TG_ERR_LIMIT;
    if (err == TG_OK)
        err = tg_checkpointer_init(store);
    if (err != TG_OK) {
        free(store);
        return err;
    }
    err = open_all(store, now_us, options->moved_too);
    if (err != TG_OK) {
        tg_embedded_close(store);
        return err;
    }
    *ret = store;
    return TG_OK;
}

void tg_embedded_close(struct tg_store *store)
{
    if (store == NULL)
        return;
    tg_checkpointer_free(store);
    for (size_t i = 0; i < TG_STORE_READERS; i++)
        tg_segment_close(&store->readers[i].segment);
    tg_segment_close(&store->open);
    (void)sqlite3_close(store->setup);
    tg_index_free(&store->index);
    tg_pending_free(&store->pending);
    tg_recent_free(&store->recent);
    tg_quota_free(&store->quota);
    free(store->infos);
    free(store->event_bytes);
    if (store->folder_fd >= 0)
        (void)close(store->folder_fd);
    free(store);
}
