/*
 * database.c - SQLite behind a face without error codes: it works or the process ends.
 *
 * Promises: see database.h. Texts of SQLite go to the log, bound values never do.
 */
#include "database.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

#define EXIT_DATABASE 74 /* EX_IOERR of sysexits.h */

static void fail(sqlite3 *handle, const char *what) __attribute__((noreturn));

static void fail(sqlite3 *handle, const char *what)
{
    tg_log_say(TG_LOG_ERROR, what, handle != NULL ? sqlite3_errmsg(handle) : "no handle");
    _exit(EXIT_DATABASE);
}

enum tg_err tg_database_open(struct tg_database *ret, const char *path)
{
    *ret = (struct tg_database){NULL, false};
    mode_t before = umask(0077);
    int code = sqlite3_open_v2(path, &ret->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    umask(before);
    if (code != SQLITE_OK) {
        sqlite3_close(ret->handle);
        ret->handle = NULL;
        return TG_ERR_DOWN;
    }
    /* EXCLUSIVE keeps a second process out and needs no shared memory file. */
    char *why = NULL;
    code = sqlite3_exec(ret->handle,
                        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                        "PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=4000; BEGIN IMMEDIATE; COMMIT;",
                        NULL, NULL, &why);
    sqlite3_free(why);
    if (code != SQLITE_OK) {
        tg_database_close(ret);
        return code == SQLITE_BUSY ? TG_ERR_DENIED : TG_ERR_CORRUPT;
    }
    return TG_OK;
}

void tg_database_close(struct tg_database *database)
{
    if (database->handle != NULL) {
        tg_database_commit(database);
        sqlite3_close(database->handle);
        database->handle = NULL;
    }
}

void tg_database_begin(struct tg_database *database)
{
    if (!database->open) {
        tg_database_run(database, "BEGIN IMMEDIATE");
        database->open = true;
    }
}

void tg_database_commit(struct tg_database *database)
{
    if (database->open) {
        tg_database_run(database, "COMMIT");
        database->open = false;
    }
}

void tg_database_run(struct tg_database *database, const char *sql)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail(database->handle, "sql_run");
    }
}

sqlite3_stmt *tg_database_prepare(struct tg_database *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        fail(database->handle, "sql_prepare");
    }
    return statement;
}

void tg_database_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

void tg_database_bind_number(sqlite3_stmt *statement, int index, int64_t value)
{
    if (sqlite3_bind_int64(statement, index, value) != SQLITE_OK) {
        fail(sqlite3_db_handle(statement), "sql_bind");
    }
}

void tg_database_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    if (sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT) != SQLITE_OK) {
        fail(sqlite3_db_handle(statement), "sql_bind");
    }
}

bool tg_database_step(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        fail(sqlite3_db_handle(statement), "sql_step");
    }
    tg_database_reset(statement);
    return false;
}

void tg_database_do(sqlite3_stmt *statement)
{
    while (tg_database_step(statement)) {
    }
}

void tg_database_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

void tg_database_text(sqlite3_stmt *statement, int column, char *ret, size_t cap)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t len = text == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column);
    if (len > cap - 1) {
        len = cap - 1;
    }
    if (len > 0) {
        memcpy(ret, text, len);
    }
    ret[len] = '\0';
}

int64_t tg_database_number(struct tg_database *database, const char *sql)
{
    sqlite3_stmt *statement = tg_database_prepare(database, sql);
    int64_t number = tg_database_step(statement) ? sqlite3_column_int64(statement, 0) : 0;
    tg_database_finalize(&statement);
    return number;
}

int64_t tg_database_last_row(const struct tg_database *database)
{
    return sqlite3_last_insert_rowid(database->handle);
}
