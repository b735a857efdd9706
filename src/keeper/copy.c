/*
 * copy.c - as copy.h: SQLite's backup interface for files with a log, links for the rest. Copies are not synced: they
 * live only until they are sealed elsewhere.
 */
#include "keeper/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

#include "base/banned.h"

#define PATH_BYTES_MAX 4096
/* 1 MiB a step: payments are committed in between. */
#define PAGES_A_STEP 256
#define BUSY_WAIT_MS 2000

struct live_file {
    char path[PATH_BYTES_MAX]; /* of the copy */
    sqlite3 *from;
    sqlite3 *to;
    sqlite3_backup *backup;
};

/* Where the store keeps files (store/store_open.c, store/segment.c). */
static const char *const folder_names[] = {"", "/segments"};
#define FOLDERS (sizeof(folder_names) / sizeof(folder_names[0]))

struct tg_copy {
    size_t count;
    size_t at; /* live[at] is being copied */
    bool bad;
    struct live_file live[TG_COPY_LIVE_MAX];
};

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name);
    size_t suffix_len = strlen(suffix);
    return len > suffix_len && memcmp(name + len - suffix_len, suffix, suffix_len) == 0;
}

static bool join(char ret[PATH_BYTES_MAX], const char *folder, const char *name, const char *suffix)
{
    int len = snprintf(ret, PATH_BYTES_MAX, "%s/%s%s", folder, name, suffix);
    return len > 0 && len < PATH_BYTES_MAX;
}

static void remove_in(const char *folder)
{
    DIR *open = opendir(folder);
    const struct dirent *entry;
    char path[PATH_BYTES_MAX];
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if ((ends_with(entry->d_name, TG_COPY_SUFFIX) || ends_with(entry->d_name, TG_COPY_SUFFIX "-journal")) &&
            join(path, folder, entry->d_name, "")) {
            unlink(path);
        }
    }
    if (open != NULL) {
        closedir(open);
    }
}

void tg_copy_remove(const char *folder)
{
    char path[PATH_BYTES_MAX];
    for (size_t i = 0; i < FOLDERS; i++) {
        int len = snprintf(path, sizeof(path), "%s%s", folder, folder_names[i]);
        if (len > 0 && (size_t)len < sizeof(path)) {
            remove_in(path);
        }
    }
}

static enum tg_err complain(const char *what, const char *path)
{
    struct tg_log line;
    tg_log_begin(&line, TG_LOG_ERROR, "copy_failed");
    tg_log_string(&line, "what", what);
    tg_log_string(&line, "path", path);
    tg_log_end(&line);
    return TG_ERR_DOWN;
}

/* A read transaction is the point in time: SQLite shows this connection nothing later. */
static enum tg_err hold(struct tg_copy *copy, const char *path, const char *to)
{
    if (copy->count == TG_COPY_LIVE_MAX) {
        return TG_ERR_ROOM;
    }
    struct live_file *live = &copy->live[copy->count];
    memcpy(live->path, to, strlen(to) + 1);
    copy->count++;
    if (sqlite3_open_v2(path, &live->from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(live->from, BUSY_WAIT_MS) != SQLITE_OK ||
        sqlite3_exec(live->from, "PRAGMA wal_autocheckpoint = 0; BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL,
                     NULL) != SQLITE_OK) {
        return complain("held", path);
    }
    return TG_OK;
}

static enum tg_err take(struct tg_copy *copy, const char *folder, const char *name)
{
    char path[PATH_BYTES_MAX];
    char wal[PATH_BYTES_MAX];
    char to[PATH_BYTES_MAX];
    if (!join(path, folder, name, "") || !join(wal, folder, name, "-wal") || !join(to, folder, name, TG_COPY_SUFFIX)) {
        return TG_ERR_LIMIT;
    }
    if (ends_with(name, ".sqlite") && access(wal, F_OK) == 0) {
        return hold(copy, path, to);
    }
    /* Gone meanwhile: past its retention. */
    return link(path, to) == 0 || errno == ENOENT ? TG_OK : complain("linked", path);
}

/* The set-up's folder must be there; that of the segments comes with the first. */
static enum tg_err take_folder(struct tg_copy *copy, const char *folder, bool needed)
{
    DIR *open = opendir(folder);
    const struct dirent *entry;
    enum tg_err err = TG_OK;
    if (open == NULL) {
        return needed ? complain("listed", folder) : TG_OK;
    }
    while (err == TG_OK && (entry = readdir(open)) != NULL) {
        if (ends_with(entry->d_name, ".sqlite") || ends_with(entry->d_name, ".keys")) {
            err = take(copy, folder, entry->d_name);
        }
    }
    closedir(open);
    return err;
}

enum tg_err tg_copy_begin(const char *folder, struct tg_copy **ret)
{
    char path[PATH_BYTES_MAX];
    *ret = NULL;
    tg_copy_remove(folder);
    struct tg_copy *copy = calloc(1, sizeof(*copy));
    enum tg_err err = copy == NULL ? TG_ERR_DOWN : TG_OK;
    for (size_t i = 0; i < FOLDERS && err == TG_OK; i++) {
        int len = snprintf(path, sizeof(path), "%s%s", folder, folder_names[i]);
        err = len < 0 || (size_t)len >= sizeof(path) ? TG_ERR_LIMIT : take_folder(copy, path, i == 0);
    }
    if (err != TG_OK) {
        tg_copy_free(copy);
        tg_copy_remove(folder);
        return err;
    }
    *ret = copy;
    return TG_OK;
}

static bool open_target(struct live_file *live)
{
    int fd = open(live->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    close(fd);
    if (sqlite3_open_v2(live->path, &live->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(live->to, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK) {
        return false;
    }
    live->backup = sqlite3_backup_init(live->to, "main", live->from, "main");
    return live->backup != NULL;
}

static void close_live(struct live_file *live)
{
    (void)sqlite3_backup_finish(live->backup);
    (void)sqlite3_close(live->to);
    (void)sqlite3_close(live->from); /* its transaction ends with it */
    live->backup = NULL;
    live->to = NULL;
    live->from = NULL;
}

bool tg_copy_step(struct tg_copy *copy)
{
    if (copy->bad || copy->at == copy->count) {
        return false;
    }
    struct live_file *live = &copy->live[copy->at];
    if (live->backup == NULL && !open_target(live)) {
        copy->bad = true;
        (void)complain("opened", live->path);
        return false;
    }
    int rc = sqlite3_backup_step(live->backup, PAGES_A_STEP);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
        return true;
    }
    copy->bad = rc != SQLITE_DONE || sqlite3_backup_finish(live->backup) != SQLITE_OK;
    live->backup = NULL;
    if (copy->bad) {
        (void)complain("copied", live->path);
    }
    close_live(live);
    copy->at++;
    return !copy->bad && copy->at < copy->count;
}

bool tg_copy_whole(const struct tg_copy *copy)
{
    return !copy->bad && copy->at == copy->count;
}

void tg_copy_free(struct tg_copy *copy)
{
    for (size_t i = 0; copy != NULL && i < copy->count; i++) {
        close_live(&copy->live[i]);
    }
    free(copy);
}
