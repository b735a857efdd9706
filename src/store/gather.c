/*
 * gather.c - the write-ahead log's file with a buffer before it; see gather.h.
 *
 * Promises: the buffer holds one run of bytes that follow each other in the file; whatever else the file is asked
 * (a read, its size, an end) finds the run written.
 * Does not: sync by itself.
 */
#include "store/gather.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Thirty-one frames of 4 KB: most batches are one write. SQLite's own unix layer takes the lowest 17 bits of a write's
 * length for all of it (os_unix.c, seekAndWriteFd), so 128 KB would be nothing.
 */
#define BUFFER_BYTES (127 * 1024)

struct gather_file {
    sqlite3_file base;
    sqlite3_file *real;
    uint8_t *buffer; /* made at the first write: most connections never write to the log */
    sqlite3_int64 at;
    int len;
    bool broken; /* a run could not be written: what the file holds there is not known */
};

static sqlite3_vfs *under;
static sqlite3_vfs gather;
static sqlite3_io_methods methods;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int registered = SQLITE_ERROR;

static struct gather_file *mine(sqlite3_file *file)
{
    return (struct gather_file *)(void *)file;
}

static int flush(struct gather_file *file)
{
    if (file->broken)
        return SQLITE_IOERR_WRITE;
    if (file->len == 0)
        return SQLITE_OK;
    int rc = file->real->pMethods->xWrite(file->real, file->buffer, file->len, file->at);
    file->len = 0;
    file->broken = rc != SQLITE_OK;
    return rc;
}

static int gather_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    struct gather_file *file = mine(base);
    if (file->broken)
        return SQLITE_IOERR_WRITE;
    if (file->buffer == NULL)
        file->buffer = malloc(BUFFER_BYTES);
    if (file->buffer == NULL)
        return SQLITE_IOERR_NOMEM;
    if (at != file->at + file->len || len > BUFFER_BYTES - file->len) {
        int rc = flush(file);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (len > BUFFER_BYTES)
        return SQLITE_IOERR_WRITE; /* no page of SQLite is larger than 64 KB */
    if (file->len == 0)
        file->at = at;
    memcpy(file->buffer + file->len, bytes, (size_t)len);
    file->len += len;
    return SQLITE_OK;
}

static int gather_sync(sqlite3_file *base, int flags)
{
    struct gather_file *file = mine(base);
    int rc = flush(file);
    return rc != SQLITE_OK ? rc : file->real->pMethods->xSync(file->real, flags);
}

static int gather_read(sqlite3_file *base, void *bytes, int len, sqlite3_int64 at)
{
    struct gather_file *file = mine(base);
    int rc = flush(file);
    return rc != SQLITE_OK ? rc : file->real->pMethods->xRead(file->real, bytes, len, at);
}

static int gather_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct gather_file *file = mine(base);
    int rc = flush(file);
    return rc != SQLITE_OK ? rc : file->real->pMethods->xTruncate(file->real, size);
}

static int gather_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct gather_file *file = mine(base);
    int rc = flush(file);
    return rc != SQLITE_OK ? rc : file->real->pMethods->xFileSize(file->real, size);
}

static int gather_lock(sqlite3_file *base, int level)
{
    return mine(base)->real->pMethods->xLock(mine(base)->real, level);
}

static int gather_unlock(sqlite3_file *base, int level)
{
    return mine(base)->real->pMethods->xUnlock(mine(base)->real, level);
}

static int gather_reserved(sqlite3_file *base, int *ret)
{
    return mine(base)->real->pMethods->xCheckReservedLock(mine(base)->real, ret);
}

static int gather_control(sqlite3_file *base, int operation, void *argument)
{
    return mine(base)->real->pMethods->xFileControl(mine(base)->real, operation, argument);
}

static int gather_sector(sqlite3_file *base)
{
    return mine(base)->real->pMethods->xSectorSize(mine(base)->real);
}

static int gather_device(sqlite3_file *base)
{
    return mine(base)->real->pMethods->xDeviceCharacteristics(mine(base)->real);
}

/* What was never synced was never committed: it is let go. */
static int gather_close(sqlite3_file *base)
{
    struct gather_file *file = mine(base);
    int rc = file->real->pMethods->xClose(file->real);
    free(file->real);
    free(file->buffer);
    return rc;
}

static int gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0)
        return under->xOpen(under, name, base, flags, ret_flags);
    struct gather_file *file = mine(base);
    memset(file, 0, sizeof(*file)); /* without methods: not to be closed when the open fails */
    file->real = calloc(1, (size_t)under->szOsFile);
    if (file->real == NULL)
        return SQLITE_NOMEM;
    int rc = under->xOpen(under, name, file->real, flags, ret_flags);
    if (rc != SQLITE_OK) {
        if (file->real->pMethods != NULL)
            (void)file->real->pMethods->xClose(file->real);
        free(file->real);
        return rc;
    }
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static void make(void)
{
    under = sqlite3_vfs_find(NULL);
    if (under == NULL)
        return;
    methods = (sqlite3_io_methods){.iVersion = 1,
                                   .xClose = gather_close,
                                   .xRead = gather_read,
                                   .xWrite = gather_write,
                                   .xTruncate = gather_truncate,
                                   .xSync = gather_sync,
                                   .xFileSize = gather_size,
                                   .xLock = gather_lock,
                                   .xUnlock = gather_unlock,
                                   .xCheckReservedLock = gather_reserved,
                                   .xFileControl = gather_control,
                                   .xSectorSize = gather_sector,
                                   .xDeviceCharacteristics = gather_device};
    gather = *under; /* but for opening it is the one under it: names, times, randomness */
    gather.pNext = NULL;
    gather.zName = TG_GATHER_VFS;
    gather.xOpen = gather_open;
    if (gather.szOsFile < (int)sizeof(struct gather_file))
        gather.szOsFile = (int)sizeof(struct gather_file);
    registered = sqlite3_vfs_register(&gather, 0);
}

enum tg_err tg_gather_register(void)
{
    (void)pthread_once(&once, make);
    return registered == SQLITE_OK ? TG_OK : TG_ERR_DOWN;
}
