/*
 * sqlite.c - opening and the small repeated calls; see sqlite.h.
 *
 * Promises: a file of the store is never readable by others, not even for the
 * moment between its making and a chmod. Does not: retry anything.
 */
#include "store/sqlite.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "store/gather.h"

/* Writers never wait for each other here (one writer a file); this covers the moment of recovery at open. */
#define BUSY_WAIT_MS 2000

enum tg_err tg_sqlite_err(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return TG_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TG_ERR_CORRUPT;
    default:
        return TG_ERR_DOWN;
    }
}

enum tg_err tg_sqlite_exec(sqlite3 *db, const char *sql)
{
    return tg_sqlite_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* Before anything else of SQLite: nobody asks how much memory it has, and counting it costs a lock an allocation. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum tg_err tg_sqlite_open(const char *path, bool create, sqlite3 **ret)
{
    *ret = NULL;
    /* Only when it is missing: closing a descriptor of a file that SQLite has open would drop its locks (fcntl). */
    if (access(path, F_OK) != 0) {
        if (!create)
            return TG_ERR_CORRUPT;
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return TG_ERR_DOWN;
        (void)close(fd);
    }
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure);
    enum tg_err err = tg_gather_register();
    if (err != TG_OK)
        return err;
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, TG_GATHER_VFS);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, BUSY_WAIT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                          "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192",
                          NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(db);
        return tg_sqlite_err(rc);
    }
    *ret = db;
    return TG_OK;
}

enum tg_err tg_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret)
{
    return tg_sqlite_err(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

enum tg_err tg_sqlite_run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    if (rc == SQLITE_ROW)
        return TG_ERR_BUG;
    return tg_sqlite_err(rc);
}

int tg_sqlite_bind_blob(sqlite3_stmt *statement, int column, struct tg_span bytes)
{
    if (bytes.len == 0)
        return sqlite3_bind_zeroblob(statement, column, 0);
    return sqlite3_bind_blob64(statement, column, bytes.ptr, bytes.len, SQLITE_STATIC);
}

int tg_sqlite_bind_text(sqlite3_stmt *statement, int column, struct tg_span text)
{
    return sqlite3_bind_text64(statement, column, text.len == 0 ? "" : (const char *)text.ptr, text.len, SQLITE_STATIC,
                               SQLITE_UTF8);
}

struct tg_span tg_sqlite_bytes(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    int len = sqlite3_column_bytes(statement, column);
    return bytes == NULL ? tg_span(NULL, 0) : tg_span(bytes, (size_t)len);
}
