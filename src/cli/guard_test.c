/*
 * guard_test.c - the kernel's text is read as it stands, and a process that is gone is none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/guard.h"

static void test_text(void **state)
{
    (void)state;
    struct tg_guard guard;
    assert_int_equal(tg_guard_parse("Name:\tx\nUid:\t0\t107\t0\t0\nCapEff:\t00000000000000c0\nNoNewPrivs:\t1\n"
                                    "Seccomp:\t2\nSeccomp_filters:\t1\n", &guard), TG_OK);
    assert_int_equal(guard.uid, 107);
    assert_true(guard.no_new_privs);
    assert_int_equal(guard.seccomp, 2);
    assert_true(guard.capabilities == 0xc0);
    assert_int_equal(tg_guard_parse("Uid:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\n", &guard), TG_ERR_ABSENT);
    assert_int_equal(tg_guard_parse("", &guard), TG_ERR_ABSENT);
}

static void test_processes(void **state)
{
    (void)state;
    struct tg_guard guard;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    assert_int_equal(tg_guard_read(getpid(), &guard), TG_OK);
    assert_int_equal(guard.uid, geteuid());
    assert_int_equal(tg_guard_child(getpid()), child);
    assert_int_equal(tg_guard_read(child, &guard), TG_OK);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(tg_guard_read(child, &guard), TG_ERR_ABSENT);
    assert_int_equal(tg_guard_child(getpid()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
