/*
 * postgres_link.h - one session with a server, in libpq's pipeline mode.
 *
 * Promises: statements are prepared once; parameters and results are binary;
 * what is queued goes out as one write when it is synced, and comes back in
 * order. An error says whether the same transaction may be tried again
 * (serialization, deadlock, a guard of ours that did not hold).
 * Does not: connect again: a lost session may have lost a COMMIT's answer, and
 * only a start from what is durable can tell.
 */
#ifndef TG_STORE_POSTGRES_LINK_H
#define TG_STORE_POSTGRES_LINK_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "store/postgres_statement.h"

/* Parameters of the statement with the most of them. */
#define TG_PG_PARAMETERS_MAX 16
/* Statements between two syncs: a batch needs some ten. */
#define TG_PG_QUEUED_MAX 24
/* Room for parameters that a session begins with. */
#define TG_PG_BYTES_FIRST 65536u

/* Types by their fixed numbers (PostgreSQL's pg_type.dat; servers that speak its protocol use the same). */
enum tg_pg_type {
    TG_PG_BOOL = 16, TG_PG_BYTEA = 17, TG_PG_INT8 = 20, TG_PG_INT2 = 21, TG_PG_INT4 = 23, TG_PG_UUID = 2950
};

enum tg_pg_fault {
    TG_PG_FAULT_NONE = 0,
    TG_PG_FAULT_AGAIN,  /* 40001, 40P01, or a guard: roll back and try the whole transaction again */
    TG_PG_FAULT_TAKEN,  /* 23505: a unique key stands already */
    TG_PG_FAULT_PARENT, /* 23503: the row that is referred to is not there */
    TG_PG_FAULT_VALUE,  /* 22xxx, 23xxx: the server does not take this value */
    TG_PG_FAULT_OTHER
};

struct tg_pg_link {
    PGconn *conn;
    enum tg_pg_fault fault; /* of the last sync */
    char sqlstate[6];
    size_t queued;
    bool absent[TG_PG_STATEMENTS]; /* not needed, and not to be had from this server */
    bool failed; /* something could not be sent: the session is not to be used any more */
    /* parameters of the statement that is being built; their bytes stand in `bytes` */
    uint8_t *bytes;
    size_t bytes_cap, bytes_len;
    size_t starts[TG_PG_PARAMETERS_MAX];
    int lengths[TG_PG_PARAMETERS_MAX];
    size_t count;
    size_t element_type_bytes; /* fixed width of the array's elements */
};

/* postgres_connect.c: connects and sets the session up. log: why not, without the connection's text. */
TG_MUST_CHECK enum tg_err tg_pg_connect(const char *connection, struct tg_pg_link *ret,
                                        void (*log)(void *user, const char *text), void *log_user);
/* How the server is reached, in words for an operator: over what, and whether it is known to be the right one. */
const char *tg_pg_way(PGconn *conn);
/*
 * After the tables are there: prepares every statement and begins to pipeline. log: which one the server refuses and its
 * SQLSTATE; one that is not needed is marked absent instead and must not be queued.
 */
TG_MUST_CHECK enum tg_err tg_pg_prepare(struct tg_pg_link *link, void (*log)(void *user, const char *text),
                                        void *log_user);
/* The SQLSTATE of a result that is no success; "none" where the session broke instead. */
const char *tg_pg_sqlstate(const PGresult *result);
void tg_pg_close(struct tg_pg_link *link); /* takes a zeroed one too */

/* ---- parameters, in order ---- */
void tg_pg_int8(struct tg_pg_link *link, int64_t value);
void tg_pg_int4(struct tg_pg_link *link, int32_t value);
void tg_pg_bool(struct tg_pg_link *link, bool value);
void tg_pg_bytes(struct tg_pg_link *link, struct tg_span value); /* bytea, or a uuid of 16 bytes */
void tg_pg_array(struct tg_pg_link *link, enum tg_pg_type type, size_t count); /* then exactly count elements: */
void tg_pg_put_int(struct tg_pg_link *link, int64_t value);
void tg_pg_put_bytes(struct tg_pg_link *link, struct tg_span value);
void tg_pg_put_null(struct tg_pg_link *link);

/* Queues the statement with the parameters given since the last one. */
void tg_pg_queue(struct tg_pg_link *link, enum tg_pg_statement statement);

/*
 * Sends what is queued and gives the result of each; every result is freed by the caller with PQclear. On anything but
 * TG_OK no result is given. TG_ERR_DENIED: link->fault says why the server refused, the transaction is to be rolled
 * back; TG_ERR_DOWN: the session is over.
 */
TG_MUST_CHECK enum tg_err tg_pg_sync(struct tg_pg_link *link, PGresult *results[TG_PG_QUEUED_MAX]);
/* Queues, syncs; ret may be NULL when the rows are not wanted. */
TG_MUST_CHECK enum tg_err tg_pg_run(struct tg_pg_link *link, enum tg_pg_statement statement, PGresult **ret);
/* Syncs and drops all results. */
TG_MUST_CHECK enum tg_err tg_pg_flush(struct tg_pg_link *link);
/* After TG_ERR_DENIED inside a transaction. */
TG_MUST_CHECK enum tg_err tg_pg_rollback(struct tg_pg_link *link);

/* ---- results: binary, of the type that the statement gives ---- */
int64_t tg_pg_get_int(const PGresult *result, int row, int column); /* int2, int4, int8, bool */
struct tg_span tg_pg_get_bytes(const PGresult *result, int row, int column);
bool tg_pg_get_copy(const PGresult *result, int row, int column, void *to, size_t len); /* false: another length */
bool tg_pg_is_null(const PGresult *result, int row, int column);

#endif
