/*
 * postgres_link.c - see postgres_link.h.
 *
 * Promises: libpq copies parameters as it queues them, so one buffer serves all
 * statements.
 * Does not: know what the statements mean.
 */
#include "store/postgres_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

/* One-dimensional arrays on the wire: dimensions, flags, element type, length, lower bound. */
#define ARRAY_HEAD_BYTES 20
/* Beyond this the buffer is given back after use: large answers are rare. */
#define BYTES_CAP_KEPT (8u * 1024u * 1024u)
/* Of a message that shows how a refused statement begins; texts of ours, without values. */
#define REFUSED_BYTES_MAX 256

const char *tg_pg_sqlstate(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state == NULL ? "none" : state;
}

static enum tg_err prepare_one(struct tg_pg_link *link, enum tg_pg_statement statement,
                               void (*log)(void *user, const char *text), void *log_user)
{
    char name[16], text[REFUSED_BYTES_MAX];
    (void)snprintf(name, sizeof(name), "s%d", (int)statement);
    PGresult *result = PQprepare(link->conn, name, tg_pg_statement_text(statement), 0, NULL);
    bool ready = PQresultStatus(result) == PGRES_COMMAND_OK;
    bool answered = PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL && PQstatus(link->conn) == CONNECTION_OK;
    link->absent[statement] = !ready && answered && !tg_pg_statement_needed(statement);
    if (!ready && !link->absent[statement] && log != NULL) {
        (void)snprintf(text, sizeof(text), "the server refuses a statement that is needed (SQLSTATE %s): %s",
                       tg_pg_sqlstate(result), tg_pg_statement_text(statement));
        log(log_user, text);
    }
    PQclear(result);
    return ready || link->absent[statement] ? TG_OK : TG_ERR_DOWN;
}

enum tg_err tg_pg_prepare(struct tg_pg_link *link, void (*log)(void *user, const char *text), void *log_user)
{
    for (int i = 0; i < TG_PG_STATEMENTS; i++) {
        enum tg_err err = prepare_one(link, (enum tg_pg_statement)i, log, log_user);
        if (err != TG_OK)
            return err;
    }
    return PQenterPipelineMode(link->conn) == 1 ? TG_OK : TG_ERR_DOWN;
}

void tg_pg_close(struct tg_pg_link *link)
{
    if (link->conn != NULL)
        PQfinish(link->conn);
    free(link->bytes);
    *link = (struct tg_pg_link){0};
}

/* ---- parameters ---- */

static uint8_t *grab(struct tg_pg_link *link, size_t len)
{
    if (link->failed)
        return NULL;
    if (len > link->bytes_cap - link->bytes_len) {
        size_t cap = link->bytes_cap;
        while (cap - link->bytes_len < len)
            cap *= 2;
        uint8_t *bytes = cap > INT32_MAX ? NULL : realloc(link->bytes, cap);
        if (bytes == NULL) {
            link->failed = true;
            return NULL;
        }
        link->bytes = bytes;
        link->bytes_cap = cap;
    }
    uint8_t *at = link->bytes + link->bytes_len;
    link->bytes_len += len;
    if (link->count > 0)
        link->lengths[link->count - 1] += (int)len;
    return at;
}

static void begin(struct tg_pg_link *link)
{
    if (link->count == TG_PG_PARAMETERS_MAX) {
        link->failed = true;
        return;
    }
    link->starts[link->count] = link->bytes_len;
    link->lengths[link->count] = 0;
    link->count++;
}

static void put_int(struct tg_pg_link *link, int64_t value, size_t width)
{
    uint8_t *at = grab(link, width);
    if (at == NULL)
        return;
    if (width == 8)
        tg_be64_write(at, (uint64_t)value);
    else if (width == 4)
        tg_be32_write(at, (uint32_t)(int32_t)value);
    else if (width == 2)
        tg_be16_write(at, (uint16_t)(int16_t)value);
    else
        *at = (uint8_t)value;
}

void tg_pg_int8(struct tg_pg_link *link, int64_t value)
{
    begin(link);
    put_int(link, value, 8);
}

void tg_pg_int4(struct tg_pg_link *link, int32_t value)
{
    begin(link);
    put_int(link, value, 4);
}

void tg_pg_bool(struct tg_pg_link *link, bool value)
{
    begin(link);
    put_int(link, value ? 1 : 0, 1);
}

static void put(struct tg_pg_link *link, struct tg_span value)
{
    uint8_t *at = grab(link, value.len);
    if (at != NULL && value.len > 0)
        memcpy(at, value.ptr, value.len);
}

void tg_pg_bytes(struct tg_pg_link *link, struct tg_span value)
{
    begin(link);
    put(link, value);
}

static size_t width_of(enum tg_pg_type type)
{
    switch (type) {
    case TG_PG_INT8:
        return 8;
    case TG_PG_INT4:
        return 4;
    case TG_PG_INT2:
        return 2;
    case TG_PG_BOOL:
        return 1;
    default:
        return 0;
    }
}

void tg_pg_array(struct tg_pg_link *link, enum tg_pg_type type, size_t count)
{
    begin(link);
    link->element_type_bytes = width_of(type);
    put_int(link, count == 0 ? 0 : 1, 4);
    put_int(link, 0, 4);
    put_int(link, type, 4);
    if (count == 0)
        return;
    put_int(link, (int64_t)count, 4);
    put_int(link, 1, 4);
}

void tg_pg_put_int(struct tg_pg_link *link, int64_t value)
{
    put_int(link, (int64_t)link->element_type_bytes, 4);
    put_int(link, value, link->element_type_bytes);
}

void tg_pg_put_bytes(struct tg_pg_link *link, struct tg_span value)
{
    put_int(link, (int64_t)value.len, 4);
    put(link, value);
}

void tg_pg_put_null(struct tg_pg_link *link)
{
    put_int(link, -1, 4);
}

void tg_pg_queue(struct tg_pg_link *link, enum tg_pg_statement statement)
{
    const char *values[TG_PG_PARAMETERS_MAX] = {NULL};
    int formats[TG_PG_PARAMETERS_MAX];
    for (size_t i = 0; i < link->count; i++) {
        values[i] = (const char *)link->bytes + link->starts[i];
        formats[i] = 1;
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "s%d", (int)statement);
    if (link->queued == TG_PG_QUEUED_MAX)
        link->failed = true;
    if (!link->failed &&
        PQsendQueryPrepared(link->conn, name, (int)link->count, values, link->lengths, formats, 1) != 1)
        link->failed = true;
    link->queued++;
    link->count = 0;
    link->bytes_len = 0;
    if (link->bytes_cap > BYTES_CAP_KEPT) {
        free(link->bytes);
        link->bytes = malloc(TG_PG_BYTES_FIRST);
        link->bytes_cap = TG_PG_BYTES_FIRST;
        link->failed = link->failed || link->bytes == NULL;
    }
}

/* ---- results ---- */

static enum tg_pg_fault fault_of(const char *state)
{
    struct tg_span code = tg_span_string(state);
    /* 22012: a guard divided by the number of rows that it did not find (postgres_statement.c). */
    if (tg_span_equal(code, TG_SPAN("40001")) || tg_span_equal(code, TG_SPAN("40P01")) ||
        tg_span_equal(code, TG_SPAN("22012")))
        return TG_PG_FAULT_AGAIN;
    if (tg_span_equal(code, TG_SPAN("23505")))
        return TG_PG_FAULT_TAKEN;
    if (tg_span_equal(code, TG_SPAN("23503")))
        return TG_PG_FAULT_PARENT;
    struct tg_span class = tg_span_sub(code, 0, 2);
    if (tg_span_equal(class, TG_SPAN("22")) || tg_span_equal(class, TG_SPAN("23")))
        return TG_PG_FAULT_VALUE;
    return TG_PG_FAULT_OTHER;
}

static void note_fault(struct tg_pg_link *link, const PGresult *result)
{
    if (link->fault != TG_PG_FAULT_NONE || PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return; /* the first one is the reason */
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    link->fault = state == NULL ? TG_PG_FAULT_OTHER : fault_of(state);
    (void)snprintf(link->sqlstate, sizeof(link->sqlstate), "%.5s", state == NULL ? "" : state);
}

/* The results of one queued statement: one, then the end of it. */
static PGresult *take_one(struct tg_pg_link *link)
{
    PGresult *result = PQgetResult(link->conn);
    if (result == NULL)
        return NULL;
    for (PGresult *more = PQgetResult(link->conn); more != NULL; more = PQgetResult(link->conn))
        PQclear(more);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    note_fault(link, result);
    PQclear(result);
    return NULL;
}

enum tg_err tg_pg_sync(struct tg_pg_link *link, PGresult *results[TG_PG_QUEUED_MAX])
{
    size_t count = link->queued;
    link->queued = 0;
    link->fault = TG_PG_FAULT_NONE;
    if (link->failed || PQpipelineSync(link->conn) != 1) {
        link->failed = true;
        return TG_ERR_DOWN;
    }
    bool missing = false;
    for (size_t i = 0; i < count; i++) {
        results[i] = take_one(link);
        missing = missing || results[i] == NULL;
    }
    PGresult *end = PQgetResult(link->conn);
    bool synced = PQresultStatus(end) == PGRES_PIPELINE_SYNC;
    PQclear(end);
    if (!missing && synced)
        return TG_OK;
    for (size_t i = 0; i < count; i++)
        PQclear(results[i]);
    if (synced && link->fault != TG_PG_FAULT_NONE && PQstatus(link->conn) == CONNECTION_OK)
        return TG_ERR_DENIED;
    link->failed = true;
    return TG_ERR_DOWN;
}

enum tg_err tg_pg_flush(struct tg_pg_link *link)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    size_t count = link->queued;
    enum tg_err err = tg_pg_sync(link, results);
    for (size_t i = 0; err == TG_OK && i < count; i++)
        PQclear(results[i]);
    return err;
}

enum tg_err tg_pg_run(struct tg_pg_link *link, enum tg_pg_statement statement, PGresult **ret)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    tg_pg_queue(link, statement);
    enum tg_err err = tg_pg_sync(link, results);
    if (err != TG_OK)
        return err;
    if (ret != NULL)
        *ret = results[0];
    else
        PQclear(results[0]);
    return TG_OK;
}

enum tg_err tg_pg_rollback(struct tg_pg_link *link)
{
    enum tg_pg_fault fault = link->fault;
    enum tg_err err = tg_pg_run(link, TG_PG_ROLLBACK, NULL);
    link->fault = fault;
    return err;
}

int64_t tg_pg_get_int(const PGresult *result, int row, int column)
{
    const uint8_t *at = (const uint8_t *)PQgetvalue(result, row, column);
    switch (PQgetisnull(result, row, column) ? 0 : PQgetlength(result, row, column)) {
    case 8:
        return (int64_t)tg_be64_read(at);
    case 4:
        return (int32_t)tg_be32_read(at);
    case 2:
        return (int16_t)tg_be16_read(at);
    case 1:
        return *at;
    default:
        return 0;
    }
}

struct tg_span tg_pg_get_bytes(const PGresult *result, int row, int column)
{
    return tg_span(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

bool tg_pg_get_copy(const PGresult *result, int row, int column, void *to, size_t len)
{
    struct tg_span bytes = tg_pg_get_bytes(result, row, column);
    if (bytes.len != len)
        return false;
    memcpy(to, bytes.ptr, len);
    return true;
}

bool tg_pg_is_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) == 1;
}
