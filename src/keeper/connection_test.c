/*
 * connection_test.c - the file with a connection: one line, and nobody else's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/connection.h"

static enum tg_err read_back(const char *text, mode_t mode, char ret[TG_CONNECTION_BYTES_MAX])
{
    char path[] = "/tmp/tollgate-connection-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    enum tg_err err = tg_connection_read(path, ret);
    unlink(path);
    return err;
}

static void one_line_is_read(void **state)
{
    (void)state;
    char line[TG_CONNECTION_BYTES_MAX];
    assert_int_equal(read_back("host=/run/x dbname=y\n", 0600, line), TG_OK);
    assert_string_equal(line, "host=/run/x dbname=y");
    assert_int_equal(read_back("host=z", 0400, line), TG_OK);
    assert_string_equal(line, "host=z");
}

static void the_rest_is_refused(void **state)
{
    (void)state;
    char line[TG_CONNECTION_BYTES_MAX];
    assert_int_equal(read_back("host=z", 0640, line), TG_ERR_DENIED);
    assert_int_equal(read_back("host=z", 0604, line), TG_ERR_DENIED);
    assert_int_equal(read_back("", 0600, line), TG_ERR_DENIED);
    assert_int_equal(read_back("\n", 0600, line), TG_ERR_DENIED);
    assert_int_equal(read_back("a=b\nc=d\n", 0600, line), TG_ERR_DENIED);
    assert_int_equal(tg_connection_read("/tmp", line), TG_ERR_DENIED);
    assert_int_equal(tg_connection_read("/tmp/tollgate-there-is-no-such-file", line), TG_ERR_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_line_is_read), cmocka_unit_test(the_rest_is_refused)};
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
