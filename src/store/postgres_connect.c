/*
 * postgres_connect.c - how a session with a server begins, over a socket of this machine or over TCP.
 *
 * Promises: all that a session ever opens is opened here, before the keeper closes itself in: files of certificates,
 * name servers, the connection. A password stands in no message. A server that does not keep what it commits is
 * refused; told so later, it goes on keeping what open sessions commit (but for fsync, which is no session's). A session
 * whose network has gone breaks within half a minute, unless the connection says otherwise.
 * Does not: connect again (postgres_link.h).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "store/postgres_link.h"

/* A server that takes longer to let us in is away: the keeper ends and is started again. */
#define CONNECT_WAIT_MS 10000
/* One of several addresses that does not take the connection for so long is passed over. */
#define ADDRESS_WAIT_MS 3000
#define WHY_BYTES_MAX 512
/* The session's own from here on: a server that reads its settings again does not change it. */
#define KEEP_SETTING "SELECT pg_catalog.set_config('synchronous_commit', pg_catalog.current_setting(" \
                     "'synchronous_commit'), false)"

/* Planner and session settings that help PostgreSQL; another server may not know them. Arrays make the planner guess:
 * what is few is looked up by key, whatever the statistics say. */
static const char *const wishes[] = {
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_bitmapscan = off",
    "SET jit = off",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET client_min_messages = error",
};

static void ignore_notice(void *user, const PGresult *result)
{
    (void)user;
    (void)result;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the connection's own text says comes behind and wins. Of a local socket the rest means nothing. */
static PGconn *begin(const char *connection)
{
    static const char *const names[] = {"fallback_application_name",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "dbname",
                                        NULL};
    const char *const values[] = {"tollgate", "10", "5", "3", "25000", connection, NULL};
    return PQconnectStartParams(names, values, 1);
}

/* libpq keeps no time for us. A socket that is shut is an address that failed: libpq goes on to the next one. */
static void go_on(PGconn *conn)
{
    int64_t end_ms = now_ms() + CONNECT_WAIT_MS;
    int64_t address_end_ms = now_ms() + ADDRESS_WAIT_MS;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
        bool reaching = PQstatus(conn) == CONNECTION_STARTED;
        struct pollfd wait = {.fd = PQsocket(conn), .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left_ms = (reaching && address_end_ms < end_ms ? address_end_ms : end_ms) - now_ms();
        int ready = left_ms <= 0 ? 0 : poll(&wait, 1, (int)left_ms);
        if (ready < 0 && errno != EINTR)
            break;
        if (ready > 0) {
            next = PQconnectPoll(conn);
        } else if (ready == 0) {
            if (!reaching || now_ms() >= end_ms)
                break;
            (void)shutdown(PQsocket(conn), SHUT_RDWR);
            address_end_ms = now_ms() + ADDRESS_WAIT_MS;
        }
    }
}

/* In steps, for notices must be caught from the first on: libpq prints them, and a server says much as it goes. */
static PGconn *connect_to(const char *connection)
{
    PGconn *conn = begin(connection);
    if (conn == NULL || PQstatus(conn) == CONNECTION_BAD)
        return conn;
    (void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
    go_on(conn);
    return conn;
}

/* A text that libpq cannot read is not shown, nor is what it says of it: either may hold the password. */
static bool is_readable(const char *connection)
{
    char *fault = NULL;
    PQconninfoOption *options = PQconninfoParse(connection, &fault);
    PQfreemem(fault);
    PQconninfoFree(options);
    return options != NULL;
}

/*
 * RFC 3986 3.2.1: a password's '@' is written %40, its '/' %2F. libpq takes one that is not written so apart, and its
 * later part for a host, a port or a database, which it names when it fails.
 */
static bool is_taken_apart(const char *connection)
{
    const char *start = strncmp(connection, "postgresql://", 13) == 0 ? connection + 13
                        : strncmp(connection, "postgres://", 11) == 0 ? connection + 11
                                                                      : NULL;
    const char *last = start == NULL ? NULL : strrchr(start, '@');
    return last != NULL && strcspn(start, "@/") < (size_t)(last - start);
}

/* libpq's words name host, port, user and certificate, never the password. On one line. */
static void say_why(const PGconn *conn, void (*log)(void *user, const char *text), void *log_user)
{
    char text[WHY_BYTES_MAX];
    const char *words = conn == NULL ? "" : PQerrorMessage(conn);
    if (log == NULL)
        return;
    (void)snprintf(text, sizeof(text), "the PostgreSQL server cannot be reached or does not let us in: %s",
                   words[0] == '\0' ? "no answer in time" : words);
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = i + 1 == len ? '\0' : ' ';
    log(log_user, text);
}

/* TG_OK when the server has no such setting, or when it is one of the two. */
static enum tg_err check_setting(PGconn *conn, const char *show, const char *good, const char *also)
{
    PGresult *result = PQexec(conn, show);
    enum tg_err err = TG_OK;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        struct tg_span value = tg_span_string(PQgetvalue(result, 0, 0));
        if (!tg_span_equal(value, tg_span_string(good)) && !tg_span_equal(value, tg_span_string(also)))
            err = TG_ERR_DENIED;
    } else if (PQstatus(conn) != CONNECTION_OK) {
        err = TG_ERR_DOWN;
    }
    PQclear(result);
    return err;
}

enum tg_err tg_pg_connect(const char *connection, struct tg_pg_link *ret, void (*log)(void *user, const char *text),
                          void *log_user)
{
    *ret = (struct tg_pg_link){0};
    if (!is_readable(connection)) {
        if (log != NULL)
            log(log_user, "libpq cannot read the connection: it is words as host=... port=... dbname=..., or a URI");
        return TG_ERR_INPUT;
    }
    if (is_taken_apart(connection)) {
        if (log != NULL)
            log(log_user, "in a URI one '@' ends user and password: within them '@' is written %40 and '/' %2F");
        return TG_ERR_INPUT;
    }
    ret->conn = connect_to(connection);
    if (ret->conn == NULL || PQstatus(ret->conn) != CONNECTION_OK) {
        say_why(ret->conn, log, log_user);
        tg_pg_close(ret);
        return TG_ERR_DOWN;
    }
    PQclear(PQexec(ret->conn, KEEP_SETTING)); /* then looked at: it cannot change in between */
    enum tg_err err = check_setting(ret->conn, "SHOW synchronous_commit", "on", "remote_apply");
    if (err == TG_OK)
        err = check_setting(ret->conn, "SHOW fsync", "on", "on");
    if (err != TG_OK) {
        if (log != NULL)
            log(log_user, "the server does not keep what it commits: synchronous_commit and fsync must be on");
        tg_pg_close(ret);
        return err;
    }
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
        PQclear(PQexec(ret->conn, wishes[i]));
    ret->bytes = malloc(TG_PG_BYTES_FIRST);
    ret->bytes_cap = TG_PG_BYTES_FIRST;
    if (ret->bytes == NULL) {
        tg_pg_close(ret);
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

/* What the connection asked for under a name; "" where it said nothing. */
static void read_option(PGconn *conn, const char *name, char *ret, size_t ret_size)
{
    PQconninfoOption *options = PQconninfo(conn);
    ret[0] = '\0';
    for (const PQconninfoOption *one = options; one != NULL && one->keyword != NULL; one++)
        if (strcmp(one->keyword, name) == 0 && one->val != NULL)
            (void)snprintf(ret, ret_size, "%s", one->val);
    PQconninfoFree(options);
}

/* Where everybody may make files anybody may make the socket of a server that is down: libpq then asks who listens. */
static bool is_everybodys(PGconn *conn, const char *folder)
{
    struct stat status;
    char peer[8];
    read_option(conn, "requirepeer", peer, sizeof(peer));
    return peer[0] == '\0' && (folder[0] == '@' || (stat(folder, &status) == 0 && (status.st_mode & S_IWOTH) != 0));
}

const char *tg_pg_way(PGconn *conn)
{
    const char *host = PQhost(conn);
    const char *address = PQhostaddr(conn);
    char mode[16];
    if (host == NULL || host[0] == '\0' || host[0] == '/' || host[0] == '@')
        return host != NULL && host[0] != '\0' && is_everybodys(conn, host) ? "a socket where anybody may make one"
                                                                           : "a socket of this machine";
    if (PQsslInUse(conn)) {
        read_option(conn, "sslmode", mode, sizeof(mode));
        return strcmp(mode, "verify-full") == 0 ? "TCP, TLS, server verified"
               : strcmp(mode, "verify-ca") == 0 ? "TCP, TLS, authority verified"
                                                : "TCP, TLS, server not verified";
    }
    bool here = address != NULL && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0);
    return here ? "TCP within this machine" : "TCP, not encrypted";
}
