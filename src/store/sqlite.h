/*
 * sqlite.h - the few calls into SQLite that every file of the store makes the same way.
 *
 * Promises: one way to open (WAL, synchronous=FULL, no automatic checkpoint),
 * one mapping of SQLite's codes to ours.
 * Does not: hide SQLite: statements are stepped where they are used.
 */
#ifndef TG_STORE_SQLITE_H
#define TG_STORE_SQLITE_H

#include <sqlite3.h>

#include "base/err.h"
#include "base/span.h"

enum tg_err tg_sqlite_err(int rc); /* SQLITE_OK, ROW and DONE: TG_OK; damage: TG_ERR_CORRUPT; else TG_ERR_DOWN */

/* create: makes the file (mode 0600) when it is not there; else that is TG_ERR_CORRUPT, for an empty file in the place
 * of a lost one would forget claims. One thread at a time may use the connection. */
TG_MUST_CHECK enum tg_err tg_sqlite_open(const char *path, bool create, sqlite3 **ret);
TG_MUST_CHECK enum tg_err tg_sqlite_exec(sqlite3 *db, const char *sql);
TG_MUST_CHECK enum tg_err tg_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);

/* Steps a statement that gives no rows, then resets it. */
TG_MUST_CHECK enum tg_err tg_sqlite_run(sqlite3_stmt *statement);

/* Binds without a copy: the bytes must live until the statement is stepped. Empty spans become empty, not NULL. */
int tg_sqlite_bind_blob(sqlite3_stmt *statement, int column, struct tg_span bytes);
int tg_sqlite_bind_text(sqlite3_stmt *statement, int column, struct tg_span text);
struct tg_span tg_sqlite_bytes(sqlite3_stmt *statement, int column); /* until the next step */

#endif
