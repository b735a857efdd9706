/*
 * database_test.c - the server of a connection line is named; nothing of a password ever is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/database.h"

static void test_said(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *said;
    } cases[] = {
        {"host=/run/pg port=5433 user=tollgate dbname=pay", "socket in /run/pg, port 5433, database pay"},
        {"dbname = 'pay' password='a b\\'c' host= db.example.com", "db.example.com, port 5432, database pay"},
        {"user=tollgate", "socket in /var/run/postgresql, port 5432"},
        {"hostaddr=10.0.0.7 dbname=pay", "10.0.0.7, port 5432, database pay"},
        {"host=a,b port=1,2", "a,b, port 1,2"},
        {"service=pay", "service pay of pg_service.conf"},
        {"postgresql://tollgate:secret@db.example.com:6432/pay?sslmode=verify-full", "db.example.com, port 6432, database pay"},
        {"postgres://db.example.com", "db.example.com, port 5432"},
        {"postgresql:///pay", "socket in /var/run/postgresql, port 5432, database pay"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tg_database database;
        char said[600];
        assert_int_equal(tg_database_parse(tg_span_string(cases[i].line), &database), TG_OK);
        tg_database_say(&database, said, sizeof(said));
        assert_string_equal(said, cases[i].said);
    }
}

static void test_what_could_hold_a_password_is_not_read(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "", "host", "host=a password", "password='open", "postgresql://u:p@ss@host/pay", "postgresql://u:p/s@host/pay",
        "postgresql://u:p?s@host/pay", "postgresql://u:p#s@host/pay", "postgresql://u:p%40s@host/pay",
        "postgresql://u:secret#host", "host=a port=secret", "postgres://host:secret/pay", "postgres://[::1/pay",
        "postgres://a/pay?host=b", "=secret", "host=a\x01",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct tg_database database;
        static const struct tg_database empty;
        assert_int_equal(tg_database_parse(tg_span_string(lines[i]), &database), TG_ERR_INPUT);
        assert_memory_equal(&database, &empty, sizeof(empty));
    }
}

static void test_asked(void **state)
{
    (void)state;
    char folder[] = "/tmp/tollgate-database-XXXXXX";
    char line[120];
    struct tg_database database;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(folder));
    snprintf(line, sizeof(line), "host=%s port=5999", folder);
    assert_int_equal(tg_database_parse(tg_span_string(line), &database), TG_OK);
    assert_true(tg_database_can_ask(&database));
    assert_false(tg_database_answers(&database));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5999", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_false(tg_database_answers(&database));
    assert_int_equal(listen(fd, 4), 0);
    assert_true(tg_database_answers(&database));
    close(fd);
    unlink(address.sun_path);
    rmdir(folder);
    assert_int_equal(tg_database_parse(TG_SPAN("host=a,b"), &database), TG_OK);
    assert_false(tg_database_can_ask(&database));
    assert_int_equal(tg_database_parse(TG_SPAN("service=x"), &database), TG_OK);
    assert_false(tg_database_can_ask(&database));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_said),
        cmocka_unit_test(test_what_could_hold_a_password_is_not_read),
        cmocka_unit_test(test_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
