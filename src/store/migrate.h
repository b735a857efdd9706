/*
 * migrate.h - brings a database to the schema of this program, step by numbered step.
 *
 * Promises: forward only; each step and its number (PRAGMA user_version) are
 * one transaction; a database with a higher number than this program knows is
 * refused untouched.
 * Does not: go back, or guess what a newer program meant.
 */
#ifndef TG_STORE_MIGRATE_H
#define TG_STORE_MIGRATE_H

#include <sqlite3.h>

#include "base/err.h"

#define TG_SCHEMA_STEPS_MAX 32

struct tg_schema {
    int version; /* of the last step */
    const char *steps[TG_SCHEMA_STEPS_MAX];
};

/* tollgate.sqlite, and the file of one segment: made from schema/ at build time. */
extern const struct tg_schema tg_schema_setup;
extern const struct tg_schema tg_schema_segment;

/* TG_ERR_DENIED: the database is newer than this program. */
TG_MUST_CHECK enum tg_err tg_migrate(sqlite3 *db, const struct tg_schema *schema);

#endif
