/*
 * database.h - one SQLite file, opened so that a commit outlives a killed process.
 *
 * Promises: WAL with synchronous=NORMAL. What was committed has been handed to
 * the kernel, so kill -9 loses nothing; a power cut could lose the newest
 * commits (never the file's consistency). For a sandbox that trade buys one
 * fsync per checkpoint in place of one per batch.
 * Every failure of the file ends the process at once: answers leave only after
 * their commit, so nothing that was acknowledged can be missing.
 * Does not: share the file with another process.
 */
#ifndef REFPAY_DATABASE_H
#define REFPAY_DATABASE_H

#include <sqlite3.h>

#include "base/err.h"
#include "base/span.h"

struct tg_database {
    sqlite3 *handle;
    bool open; /* a transaction is open */
};

/* Opens or makes the file (0600). */
TG_MUST_CHECK enum tg_err tg_database_open(struct tg_database *ret, const char *path);
void tg_database_close(struct tg_database *database);

/* Opens a transaction unless one is open. */
void tg_database_begin(struct tg_database *database);

/* Commits the open transaction, if any. Returns only when the commit is done. */
void tg_database_commit(struct tg_database *database);

/* Runs our own text, no parameters. */
void tg_database_run(struct tg_database *database, const char *sql);

/* A statement that lives until tg_database_finalize(). */
sqlite3_stmt *tg_database_prepare(struct tg_database *database, const char *sql);
void tg_database_finalize(sqlite3_stmt **statement);

void tg_database_bind_number(sqlite3_stmt *statement, int index, int64_t value);
void tg_database_bind_text(sqlite3_stmt *statement, int index, const char *text); /* copied */

/* True: a row can be read. False: done, and the statement is reset. */
bool tg_database_step(sqlite3_stmt *statement);

/* For statements that give no row. */
void tg_database_do(sqlite3_stmt *statement);

/* Leaves a statement before its last row. */
void tg_database_reset(sqlite3_stmt *statement);

/* A column as text, cut to cap - 1 bytes. */
void tg_database_text(sqlite3_stmt *statement, int column, char *ret, size_t cap);

/* The first column of the first row of our own text, 0 when there is no row. */
int64_t tg_database_number(struct tg_database *database, const char *sql);

int64_t tg_database_last_row(const struct tg_database *database);

#endif
