/* postgres_connect_test.c - who is let in and who is not, what is said of it, and a network that is silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/postgres.h"
#include "store/testkit.h"

#define KIT_TCP "TOLLGATE_TEST_POSTGRES_TCP"

static void keep(void *user, const char *text)
{
    (void)snprintf(user, 512, "%s", text);
}

static enum tg_err attempt(const char *connection, char said[512])
{
    struct tg_pg_link link;
    said[0] = '\0';
    enum tg_err err = tg_pg_connect(connection, &link, keep, said);
    tg_pg_close(&link);
    return err;
}

static void test_nobody_there(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(attempt("host=/nowhere/at/all dbname=x password=hidden", said), TG_ERR_DOWN);
    assert_non_null(strstr(said, "/nowhere/at/all"));
    assert_null(strstr(said, "hidden"));
    assert_null(strchr(said, '\n'));
    struct tg_pg_link link;
    assert_int_equal(tg_pg_connect("host=/nowhere/at/all dbname=x", &link, NULL, NULL), TG_ERR_DOWN);
    tg_pg_close(&link);
}

static void test_texts_that_cannot_be_read(void **state)
{
    static const char *const texts[] = {"host=/x hidden", "hidden", "passwort=hidden", "postgresql://u:hidden@[/x",
                                        "host='hidden"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char said[512];
        assert_int_equal(attempt(texts[i], said), TG_ERR_INPUT);
        assert_null(strstr(said, "hidden"));
        assert_non_null(strstr(said, "libpq cannot read"));
    }
}

/* Bytes of a password that a URI gives a meaning: the rest of it is read as a host, a port or a database. */
static void test_passwords_that_a_uri_takes_apart(void **state)
{
    static const char *const texts[] = {
        "postgresql://u:aa@hidden@/nowhere/x",       "postgresql://u:aa@hidden@127.0.0.1:1/x",
        "postgresql://u:aa/hidden@127.0.0.1:1/x",    "postgres://u:1/hidden@127.0.0.1:1/x",
        "postgresql://u:aa@127.0.0.1:hidden@h:1/x",  "postgresql://127.0.0.1:1/x?user=u@hidden",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char said[512];
        assert_int_equal(attempt(texts[i], said), TG_ERR_INPUT);
        assert_null(strstr(said, "hidden"));
        assert_non_null(strstr(said, "%40"));
    }
    char said[512];
    assert_int_equal(attempt("postgresql://u%40x:p%40%2F@127.0.0.1:1/x", said), TG_ERR_DOWN);
    assert_int_equal(attempt("host=127.0.0.1 port=1 user=u@x password=p@/ dbname=x", said), TG_ERR_DOWN);
}

static void test_unsafe_servers_are_refused(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_pg_link link;
    char connection[600];
    (void)snprintf(connection, sizeof(connection), "%s options='-csynchronous_commit=off'", kit->connection);
    assert_int_equal(tg_pg_connect(connection, &link, NULL, NULL), TG_ERR_DENIED);
    kit->options.connection = connection;
    struct tg_store *store = NULL;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &store), TG_ERR_DENIED);
    assert_null(store);
}

static void make_so(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    assert_true(PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK);
    PQclear(result);
}

static bool commits_softly(PGconn *conn)
{
    PGresult *result = PQexec(conn, "SHOW synchronous_commit");
    bool off = strcmp(PQgetvalue(result, 0, 0), "off") == 0;
    PQclear(result);
    return off;
}

/* The server's settings are read again while a session is open: it goes on as it was let in. */
static void test_a_server_that_becomes_unsafe(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_pg_link link;
    assert_int_equal(tg_pg_connect(kit->connection, &link, NULL, NULL), TG_OK);
    PGconn *other = PQconnectdb(kit->connection);
    make_so(other, "ALTER SYSTEM SET synchronous_commit = off");
    make_so(other, "SELECT pg_reload_conf()");
    for (unsigned i = 0; i < 500 && !commits_softly(other); i++)
        (void)usleep(10000);
    assert_true(commits_softly(other));
    (void)usleep(100000); /* both were told at once */
    assert_false(commits_softly(link.conn));
    make_so(other, "ALTER SYSTEM RESET synchronous_commit");
    make_so(other, "SELECT pg_reload_conf()");
    PQfinish(other);
    tg_pg_close(&link);
}

/* A port that takes no more connections: what is sent to it gets no answer. The descriptors are to be closed. */
static uint16_t silent_port(int fds[4])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
    for (int i = 1; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (const struct sockaddr *)&address, size);
    }
    return ntohs(address.sin_port);
}

/* Of two hosts the first one is silent, as a machine without power is: the second one is reached. */
static void test_a_silent_host_is_passed_over(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    const char *port = strstr(getenv(KIT_TCP), "port=");
    assert_non_null(port);
    char connection[256];
    char said[512];
    int fds[2][4];
    (void)snprintf(connection, sizeof(connection),
                   "host=127.0.0.1,127.0.0.1 port=%d,%.*s user=tollgate dbname=postgres", silent_port(fds[0]),
                   (int)strspn(port + 5, "0123456789"), port + 5);
    assert_int_equal(attempt(connection, said), TG_OK);
    (void)snprintf(connection, sizeof(connection), "host=127.0.0.1 port=%d dbname=x", silent_port(fds[1]));
    assert_int_equal(attempt(connection, said), TG_ERR_DOWN);
    assert_non_null(strstr(said, "cannot be reached"));
    for (size_t i = 0; i < 8; i++)
        (void)close(fds[i / 4][i % 4]);
}

static int option_of(PGconn *conn, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(PQsocket(conn), IPPROTO_TCP, option, &value, &size), 0);
    return value;
}

static void test_a_network_that_goes_is_noticed(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_pg_link link;
    char connection[600];
    assert_int_equal(tg_pg_connect(getenv(KIT_TCP), &link, NULL, NULL), TG_OK);
    assert_int_equal(option_of(link.conn, TCP_USER_TIMEOUT), 25000);
    assert_int_equal(option_of(link.conn, TCP_KEEPIDLE), 10);
    assert_string_equal(tg_pg_way(link.conn), "TCP within this machine");
    tg_pg_close(&link);
    (void)snprintf(connection, sizeof(connection), "%s tcp_user_timeout=7000", getenv(KIT_TCP));
    assert_int_equal(tg_pg_connect(connection, &link, NULL, NULL), TG_OK);
    assert_int_equal(option_of(link.conn, TCP_USER_TIMEOUT), 7000);
    tg_pg_close(&link);
}

/* As in /tmp, where a server that was not packaged makes its socket. */
static void test_a_socket_where_anybody_may_make_one(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_pg_link link;
    char folder[64] = "/tmp/tollgate-socket-XXXXXX", connection[1200], name[96], there[512];
    const char *host = strstr(kit->connection, "host="), *port = strstr(kit->connection, "port=");
    assert_true(host != NULL && port != NULL && mkdtemp(folder) != NULL);
    (void)snprintf(name, sizeof(name), "%s/.s.PGSQL.%.*s", folder, (int)strspn(port + 5, "0123456789"), port + 5);
    (void)snprintf(there, sizeof(there), "%.*s/%s", (int)strcspn(host + 5, " "), host + 5, name + strlen(folder) + 1);
    assert_int_equal(symlink(there, name), 0);
    (void)snprintf(connection, sizeof(connection), "%s host=%s", kit->connection, folder);
    assert_int_equal(tg_pg_connect(connection, &link, NULL, NULL), TG_OK);
    assert_string_equal(tg_pg_way(link.conn), "a socket of this machine");
    tg_pg_close(&link);
    assert_int_equal(chmod(folder, 01777), 0);
    assert_int_equal(tg_pg_connect(connection, &link, NULL, NULL), TG_OK);
    assert_string_equal(tg_pg_way(link.conn), "a socket where anybody may make one");
    tg_pg_close(&link);
    (void)snprintf(connection, sizeof(connection), "%s host=%s requirepeer=nobody-at-all", kit->connection, folder);
    assert_int_equal(tg_pg_connect(connection, &link, NULL, NULL), TG_ERR_DOWN);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_ways(void **state)
{
    struct kit *kit = *state;
    if (kit->connection[0] == '\0') {
        assert_string_equal(tg_store_way(kit->store), "a folder");
    } else {
        assert_string_equal(tg_store_way(kit->store), "a socket of this machine");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_texts_that_cannot_be_read),
        cmocka_unit_test(test_passwords_that_a_uri_takes_apart),
        cmocka_unit_test_setup_teardown(test_unsafe_servers_are_refused, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_server_that_becomes_unsafe, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_host_is_passed_over, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_network_that_goes_is_noticed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_socket_where_anybody_may_make_one, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_ways, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
