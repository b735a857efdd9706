/*
 * lock_test.c - one holder at a time, its pid in the file, and a stale file is no obstacle.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"

static void test_one_holder(void **state)
{
    (void)state;
    char path[] = "/tmp/tollgate-lock-XXXXXX";
    char expected[32];
    char text[32] = {0};
    int fd = mkstemp(path);
    int second = -1;
    assert_int_equal(write(fd, "999999999 stale\n", 16), 16);
    close(fd);
    assert_int_equal(tg_daemon_pid_lock(path, &fd), TG_OK);
    assert_int_equal(tg_daemon_pid_lock(path, &second), TG_ERR_DENIED);
    assert_int_equal(second, -1);
    snprintf(expected, sizeof(expected), "%d\n", (int)getpid());
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, expected);
    tg_daemon_pid_unlock(fd);
    assert_int_equal(tg_daemon_pid_lock(path, &fd), TG_OK);
    tg_daemon_pid_unlock(fd);
    tg_daemon_pid_unlock(-1);
    unlink(path);
    assert_int_equal(tg_daemon_pid_lock("/nowhere/at/all.pid", &fd), TG_ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
