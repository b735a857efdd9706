/*
 * rights_test.c - numbers, users, and a drop that cannot be undone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"

static void expect_number(const char *text, uint64_t max, enum tg_err err, uint64_t expected)
{
    uint64_t value = 77;
    assert_int_equal(tg_daemon_number(text, max, &value), err);
    assert_true(value == expected);
}

static void test_numbers(void **state)
{
    (void)state;
    expect_number("0", 0, TG_OK, 0);
    expect_number("4294967294", UINT32_MAX - 1, TG_OK, UINT32_MAX - 1);
    expect_number("18446744073709551615", UINT64_MAX, TG_OK, UINT64_MAX);
    expect_number("18446744073709551616", UINT64_MAX, TG_ERR_INPUT, 0);
    expect_number("99999999999999999999999", UINT64_MAX, TG_ERR_INPUT, 0);
    expect_number("11", 10, TG_ERR_INPUT, 0);
    expect_number("", 10, TG_ERR_INPUT, 0);
    expect_number("-1", 10, TG_ERR_INPUT, 0);
    expect_number("+1", 10, TG_ERR_INPUT, 0);
    expect_number(" 1", 10, TG_ERR_INPUT, 0);
    expect_number("1x", 10, TG_ERR_INPUT, 0);
    expect_number("0x1", 10, TG_ERR_INPUT, 0);
}

static void test_users(void **state)
{
    (void)state;
    struct tg_daemon_user user;
    assert_int_equal(tg_daemon_user_find("root", &user), TG_OK);
    assert_int_equal(user.uid, 0);
    assert_int_equal(tg_daemon_user_find("no such user here", &user), TG_ERR_ABSENT);
    assert_true(user.uid == TG_DAEMON_UID_NONE);
    uid_t uid = 7;
    assert_int_equal(tg_daemon_uid("root", &uid), TG_OK);
    assert_int_equal(uid, 0);
    assert_int_equal(tg_daemon_uid("4294967294", &uid), TG_OK);
    assert_true(uid == UINT32_MAX - 1);
    assert_int_equal(tg_daemon_uid("4294967295", &uid), TG_ERR_INPUT);
    assert_int_equal(tg_daemon_uid("no such user here", &uid), TG_ERR_INPUT);
    assert_int_equal(tg_daemon_uid("", &uid), TG_ERR_INPUT);
    assert_true(uid == TG_DAEMON_UID_NONE);
}

/* In a child, since there is no way back. */
static int drop_and_harden(void)
{
    struct tg_daemon_user nobody = {65534, 65534};
    struct tg_daemon_user self = {geteuid(), getegid()};
    if (geteuid() != 0) {
        return tg_daemon_drop(&self) == TG_OK && tg_daemon_drop(&nobody) == TG_ERR_DENIED ? 0 : 1;
    }
    if (setenv("HOME", "/root", 1) != 0 || tg_daemon_drop(&nobody) != TG_OK || getenv("HOME") != NULL || tg_daemon_harden() != TG_OK || setuid(0) == 0) {
        return 2;
    }
    gid_t groups[8];
    int count = getgroups(8, groups);
    if (getuid() != 65534 || getgid() != 65534 || count != 1 || groups[0] != 65534) {
        return 3;
    }
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == TG_DAEMON_SANITIZED ? 0
                                                                                                                    : 4;
}

static void test_drop(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(drop_and_harden());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
