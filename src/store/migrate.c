/*
 * migrate.c - applies the missing schema steps; see migrate.h.
 *
 * Promises: after a crash the database stands at a whole step. Does not: log.
 */
#include "store/migrate.h"

#include <stdio.h>

#include "store/sqlite.h"

static enum tg_err read_version(sqlite3 *db, int *ret)
{
    sqlite3_stmt *statement = NULL;
    enum tg_err err = tg_sqlite_prepare(db, "PRAGMA user_version", &statement);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(statement);
    *ret = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? TG_OK : tg_sqlite_err(rc);
}

static enum tg_err apply(sqlite3 *db, const char *sql, int version)
{
    char number[64];
    (void)snprintf(number, sizeof(number), "PRAGMA user_version = %d", version);
    enum tg_err err = tg_sqlite_exec(db, "BEGIN IMMEDIATE");
    if (err != TG_OK)
        return err;
    err = tg_sqlite_exec(db, sql);
    if (err == TG_OK)
        err = tg_sqlite_exec(db, number);
    if (err == TG_OK)
        err = tg_sqlite_exec(db, "COMMIT");
    if (err != TG_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

enum tg_err tg_migrate(sqlite3 *db, const struct tg_schema *schema)
{
    int version = 0;
    enum tg_err err = read_version(db, &version);
    if (err != TG_OK)
        return err;
    if (version > schema->version || version < 0)
        return TG_ERR_DENIED;
    for (; version < schema->version; version++) {
        err = apply(db, schema->steps[version], version + 1);
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}
