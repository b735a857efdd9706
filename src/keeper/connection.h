/*
 * connection.h - the file that says how to reach a PostgreSQL server.
 *
 * Promises: a password in it stands in no command line and no log. A file that others than its owner may read is
 * refused, and so is one of another owner than this user or root.
 * Does not: check that libpq takes the text.
 */
#ifndef TG_KEEPER_CONNECTION_H
#define TG_KEEPER_CONNECTION_H

#include "base/err.h"

/* A line of libpq's settings; the longest hold paths of certificates. */
#define TG_CONNECTION_BYTES_MAX 2048

/* The file's one line, without its end. The caller wipes it. What is wrong is said in the log, without the text. */
TG_MUST_CHECK enum tg_err tg_connection_read(const char *path, char ret[TG_CONNECTION_BYTES_MAX]);

#endif
