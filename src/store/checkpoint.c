/*
 * checkpoint.c - the work that no commit may wait for, done by the second thread.
 *
 * Promises: the open segment's write-ahead log is copied back in steps of some
 * 400 frames; now and then, between two batches, the rest of it, so that the
 * next commit begins the log anew and the file stops growing. Sealed segments
 * get their key file; segments that leave are cut in small steps, then unlinked.
 *
 * Two locks make a turnstile: the committer passes it before each batch, this
 * thread stands in it while it waits for the batch to end. So it is let in
 * after one batch at most, however busy the committer is.
 * Does not: go on after a failed sync: the store is marked broken.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"
#include "store/sqlite.h"
#include "store/state.h"

/* Measured: a stop of 1.2 to 2 ms for 400 frames, 9 ms for 4000. */
#define STEP_FRAMES 400
/* 16 MB of log, then it begins anew: overwriting is faster and steadier than growing. */
#define RESTART_FRAMES 4096
/* On a file system mounted with `discard`, one unlink of 2 GB held up every commit for 55 to 75 ms. */
#define CUT_BYTES (8ll * 1024 * 1024)

enum tg_err tg_checkpointer_init(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    checkpointer->jobs_end = &checkpointer->jobs;
    checkpointer->step_frames = STEP_FRAMES;
    checkpointer->restart_frames = RESTART_FRAMES;
    checkpointer->cut_bytes = CUT_BYTES;
    if (pthread_mutex_init(&checkpointer->turnstile, NULL) != 0 ||
        pthread_mutex_init(&checkpointer->write_lock, NULL) != 0 ||
        pthread_mutex_init(&checkpointer->jobs_lock, NULL) != 0)
        return TG_ERR_DOWN;
    return TG_OK;
}

void tg_checkpointer_lock(struct tg_store *store)
{
    pthread_mutex_lock(&store->checkpointer.turnstile);
    pthread_mutex_lock(&store->checkpointer.write_lock);
    pthread_mutex_unlock(&store->checkpointer.turnstile);
}

void tg_checkpointer_unlock(struct tg_store *store)
{
    pthread_mutex_unlock(&store->checkpointer.write_lock);
}

static int after_commit(void *user, sqlite3 *db, const char *name, int frames)
{
    struct tg_checkpointer *checkpointer = user;
    (void)db;
    (void)name;
    atomic_store(&checkpointer->frames, frames);
    return SQLITE_OK;
}

void tg_checkpointer_watch(struct tg_store *store)
{
    atomic_store(&store->checkpointer.frames, 0);
    (void)sqlite3_wal_hook(store->open.db, after_commit, &store->checkpointer);
    atomic_store(&store->checkpointer.open_number, store->open.number);
}

static void add_job(struct tg_checkpointer *checkpointer, struct tg_job *job)
{
    pthread_mutex_lock(&checkpointer->jobs_lock);
    *checkpointer->jobs_end = job;
    checkpointer->jobs_end = &job->next;
    pthread_mutex_unlock(&checkpointer->jobs_lock);
}

static enum tg_err note_open(void *user, struct tg_pending_claim *claim)
{
    struct tg_job *job = user;
    job->open[job->open_count++] = (struct tg_key_open){claim->row, claim->upstream_status, claim->reason,
                                                        claim->state == TG_CLAIM_STATE_UNKNOWN};
    return TG_OK;
}

enum tg_err tg_checkpointer_key_job(struct tg_store *store, const struct tg_segment_info *info,
                                    struct tg_segment *retired)
{
    struct tg_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return TG_ERR_DOWN;
    *job = (struct tg_job){.number = info->number, .first = info->first, .last = info->last, .keys = true};
    job->open = malloc((store->pending.count + 1) * sizeof(*job->open));
    if (job->open == NULL) {
        free(job);
        return TG_ERR_DOWN;
    }
    enum tg_err err = tg_pending_each(&store->pending, note_open, job);
    job->retired = *retired;
    memset(retired, 0, sizeof(*retired));
    add_job(&store->checkpointer, job);
    return err;
}

enum tg_err tg_checkpointer_leave_job(struct tg_store *store, uint32_t number)
{
    struct tg_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return TG_ERR_DOWN;
    job->number = number;
    job->leave = true;
    add_job(&store->checkpointer, job);
    return TG_OK;
}

uint32_t tg_checkpointer_gone(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    pthread_mutex_lock(&checkpointer->jobs_lock);
    struct tg_job *job = checkpointer->gone;
    if (job != NULL)
        checkpointer->gone = job->next;
    pthread_mutex_unlock(&checkpointer->jobs_lock);
    uint32_t number = job == NULL ? 0 : job->number;
    free(job);
    return number;
}

struct gather {
    struct tg_keys keys;
    size_t cap;
};

static enum tg_err gather_row(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct gather *gather = user;
    (void)sealed;
    if (!tg_row_is_final(row->kind))
        return TG_OK;
    if (gather->keys.count == gather->cap) {
        size_t cap = gather->cap == 0 ? 65536 : gather->cap * 2;
        struct tg_key_entry *entries = realloc(gather->keys.entries, cap * sizeof(*entries));
        if (entries == NULL)
            return TG_ERR_DOWN;
        gather->keys.entries = entries;
        gather->cap = cap;
    }
    gather->keys.entries[gather->keys.count++] =
        (struct tg_key_entry){tg_index_tag(row->claim_key), row->sequence, row->expires_us};
    return TG_OK;
}

/* Without the file a start reads rows: a failure here is told and otherwise harmless. */
static void write_keys(struct tg_store *store, struct tg_job *job)
{
    struct gather gather = {.keys = {.open = job->open, .open_count = job->open_count}};
    char path[TG_STORE_PATH_BYTES_MAX];
    struct tg_segment segment;
    enum tg_err err = tg_segment_path(store->path, job->number, "keys", path);
    if (err == TG_OK)
        err = tg_segment_open(store->path, job->number, false, &segment);
    if (err == TG_OK) {
        err = tg_segment_scan(&segment, job->first, job->last, SIZE_MAX, false, gather_row, &gather);
        tg_segment_close(&segment);
    }
    if (err == TG_OK)
        err = tg_keys_write(path, job->number, &gather.keys);
    if (err != TG_OK)
        tg_state_log(store, "a segment's key file could not be written; the next start will read its rows");
    free(gather.keys.entries);
}

enum cut { CUT_MORE, CUT_GONE, CUT_FAILED };

/* The names of a segment's files; gone for good only when the folder says so. */
static enum cut remove_names(const struct tg_store *store, uint32_t number)
{
    static const char *const suffixes[] = {"sqlite-wal", "sqlite-shm", "sqlite-journal", "keys", "keys.new", "sqlite"};
    char path[TG_STORE_PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (tg_segment_path(store->path, number, suffixes[i], path) != TG_OK ||
            (unlink(path) != 0 && errno != ENOENT))
            return CUT_FAILED;
    return tg_folder_sync(path) == TG_OK ? CUT_GONE : CUT_FAILED;
}

/* One step of removing a segment's files. */
static enum cut cut(struct tg_store *store, uint32_t number)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    if (checkpointer->db != NULL && checkpointer->number == number) { /* not yet moved on to the open segment */
        (void)sqlite3_close(checkpointer->db);
        checkpointer->db = NULL;
    }
    char path[TG_STORE_PATH_BYTES_MAX];
    struct stat stat_;
    if (tg_segment_path(store->path, number, "sqlite", path) != TG_OK)
        return CUT_FAILED;
    if (stat(path, &stat_) == 0 && stat_.st_size > checkpointer->cut_bytes &&
        truncate(path, stat_.st_size - checkpointer->cut_bytes) == 0)
        return CUT_MORE;
    return remove_names(store, number);
}

/* The first job, one step of it. True when there was one. */
static bool do_job(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    pthread_mutex_lock(&checkpointer->jobs_lock);
    struct tg_job *job = checkpointer->jobs;
    pthread_mutex_unlock(&checkpointer->jobs_lock);
    if (job == NULL)
        return false;
    enum cut left = job->leave ? cut(store, job->number) : CUT_GONE;
    if (left == CUT_MORE)
        return true;
    if (left == CUT_FAILED)
        tg_state_log(store, "a segment's files could not be removed; the next start will try again");
    tg_segment_close(&job->retired); /* copies what is left of its log back into the file, and removes the log */
    if (job->keys)
        write_keys(store, job);
    free(job->open);
    job->open = NULL;
    pthread_mutex_lock(&checkpointer->jobs_lock);
    checkpointer->jobs = job->next;
    if (checkpointer->jobs == NULL)
        checkpointer->jobs_end = &checkpointer->jobs;
    if (job->leave && left == CUT_GONE) {
        job->next = checkpointer->gone;
        checkpointer->gone = job;
        job = NULL;
    }
    pthread_mutex_unlock(&checkpointer->jobs_lock);
    free(job);
    return true;
}

static void passive(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    int frames = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(checkpointer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
    if (rc == SQLITE_OK)
        checkpointer->done_frames = done;
    else if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
        atomic_store(&checkpointer->broken, true);
}

static bool follow_open_segment(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    uint32_t number = atomic_load(&checkpointer->open_number);
    if (checkpointer->db != NULL && checkpointer->number == number)
        return true;
    (void)sqlite3_close(checkpointer->db);
    checkpointer->db = NULL;
    checkpointer->done_frames = 0;
    char path[TG_STORE_PATH_BYTES_MAX];
    if (number == 0 || tg_segment_path(store->path, number, "sqlite", path) != TG_OK ||
        tg_sqlite_open(path, false, &checkpointer->db) != TG_OK)
        return false;
    checkpointer->number = number;
    return true;
}

static void measure(struct tg_store *store)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    struct stat stat_;
    if (tg_segment_path(store->path, store->checkpointer.number, "sqlite", path) == TG_OK && stat(path, &stat_) == 0)
        atomic_store(&store->open_bytes, (uint64_t)stat_.st_size);
}

bool tg_embedded_checkpoint(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    bool worked = do_job(store);
    int frames = atomic_load(&checkpointer->frames);
    if (frames == 0 || !follow_open_segment(store))
        return worked;
    if (frames < checkpointer->done_frames)
        checkpointer->done_frames = 0; /* the log began anew */
    if (frames - checkpointer->done_frames < checkpointer->step_frames)
        return worked;
    passive(store);
    if (frames >= checkpointer->restart_frames) {
        pthread_mutex_lock(&checkpointer->turnstile);
        pthread_mutex_lock(&checkpointer->write_lock);
        if (atomic_load(&checkpointer->open_number) == checkpointer->number)
            passive(store); /* the few frames of the batches that ended meanwhile */
        pthread_mutex_unlock(&checkpointer->write_lock);
        pthread_mutex_unlock(&checkpointer->turnstile);
    }
    measure(store);
    return true;
}

void tg_checkpointer_free(struct tg_store *store)
{
    struct tg_checkpointer *checkpointer = &store->checkpointer;
    for (struct tg_job *job = checkpointer->jobs; job != NULL; job = job->next)
        job->leave = false; /* goes on at the next start: a stop does not wait for a file system */
    while (do_job(store))
        continue;
    while (tg_checkpointer_gone(store) != 0)
        continue;
    (void)sqlite3_close(checkpointer->db);
    checkpointer->db = NULL;
    pthread_mutex_destroy(&checkpointer->turnstile);
    pthread_mutex_destroy(&checkpointer->write_lock);
    pthread_mutex_destroy(&checkpointer->jobs_lock);
}
