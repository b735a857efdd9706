/*
 * log_test.c - lines stay valid JSON whatever they hold, and a file is opened again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

static char folder[] = "/tmp/tollgate-log-XXXXXX";
static char path[64];

/* What a log file holds, with a NUL behind. */
static size_t read_all(const char *name, char *text, size_t cap)
{
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t got = read(fd, text, cap - 1);
    close(fd);
    assert_true(got >= 0);
    text[got] = '\0';
    return (size_t)got;
}

static int open_log(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof(path), "%s/a.log", folder);
    return tg_log_open("tester", path) == TG_OK ? 0 : 1;
}

static int remove_log(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void test_escapes(void **state)
{
    (void)state;
    char text[4096];
    struct tg_log line;
    tg_log_begin(&line, TG_LOG_WARNING, "sample");
    tg_log_span(&line, "value", TG_SPAN("a\"b\\c\n\x7f\xc3\0z"));
    tg_log_number(&line, "count", -5);
    tg_log_end(&line);
    read_all(path, text, sizeof(text));
    assert_ptr_equal(strstr(text, "{\"event\":\"sample\",\"level\":\"warning\",\"time\":\"2"), text);
    assert_non_null(strstr(text, "\"process\":\"tester\",\"pid\":"));
    assert_non_null(strstr(text, ",\"value\":\"a\\\"b\\\\c\\u000a\\u007f\\u00c3\\u0000z\",\"count\":-5}\n"));
}

static void test_too_long(void **state)
{
    (void)state;
    char text[16384];
    static uint8_t large[TG_LOG_LINE_BYTES_MAX];
    struct tg_log line;
    size_t before = read_all(path, text, sizeof(text));
    memset(large, 'x', sizeof(large));
    tg_log_begin(&line, TG_LOG_INFO, "long");
    tg_log_span(&line, "lost", tg_span(large, sizeof(large)));
    tg_log_string(&line, "kept", "yes");
    tg_log_end(&line);
    size_t after = read_all(path, text, sizeof(text));
    assert_true(after - before < 300);
    assert_null(strstr(text + before, "lost"));
    assert_non_null(strstr(text + before, ",\"kept\":\"yes\"}\n"));
    /* Full to the last byte, and still closed. */
    tg_log_begin(&line, TG_LOG_INFO, "long");
    for (int i = 0; i < 400; i++) {
        tg_log_number(&line, "n", i % 10);
    }
    tg_log_end(&line);
    size_t last = read_all(path, text, sizeof(text));
    assert_true(last - after <= TG_LOG_LINE_BYTES_MAX);
    assert_string_equal(text + last - 2, "}\n");
}

static void test_reopen(void **state)
{
    (void)state;
    char text[16384];
    char away[80];
    snprintf(away, sizeof(away), "%s.1", path);
    assert_int_equal(rename(path, away), 0);
    tg_log_say(TG_LOG_INFO, "still_old", "x");
    assert_int_equal(tg_log_reopen(), TG_OK);
    tg_log_errno("now_new", "thing", 2);
    read_all(away, text, sizeof(text));
    assert_non_null(strstr(text, "still_old"));
    assert_null(strstr(text, "now_new"));
    read_all(path, text, sizeof(text));
    assert_non_null(strstr(text, "\"what\":\"thing\",\"error\":\"ENOENT\"}"));
    assert_int_equal(unlink(away), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_reopen),
    };
    return cmocka_run_group_tests(tests, open_log, remove_log);
}
