/*
 * database.h - which PostgreSQL server the line in store/connection names, and whether one takes connections there.
 *
 * Promises: of the line only host, port, database and service are ever taken; a line that could be read in two ways,
 * or not at all, gives nothing, so that no part of a password can pass for one of them.
 * Does not: log in, look at libpq's environment or service files, or judge the line (the keeper does).
 */
#ifndef TG_CLI_DATABASE_H
#define TG_CLI_DATABASE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

#define TG_DATABASE_WORD_BYTES_MAX 256

struct tg_database {
    char host[TG_DATABASE_WORD_BYTES_MAX]; /* a name, an address, or a socket's folder */
    char address[TG_DATABASE_WORD_BYTES_MAX]; /* hostaddr, or empty */
    char port[TG_DATABASE_WORD_BYTES_MAX];
    char name[TG_DATABASE_WORD_BYTES_MAX]; /* of the database, or empty */
    char service[TG_DATABASE_WORD_BYTES_MAX]; /* in pg_service.conf, or empty: then that says the rest */
};

/* TG_ERR_INPUT: not to be read for certain. */
TG_MUST_CHECK enum tg_err tg_database_parse(struct tg_span line, struct tg_database *ret);

/* "HOST, port PORT, database NAME". */
void tg_database_say(const struct tg_database *database, char *ret, size_t ret_size);

/* Only one server that is named here can be asked: no list of them, no service. */
bool tg_database_can_ask(const struct tg_database *database);

/* Takes a connection now, within two seconds an address. */
bool tg_database_answers(const struct tg_database *database);

#endif
