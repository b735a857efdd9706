/* sandbox_test.c - what the filter lets through and what it ends the process for, each in a child of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "keeper/sandbox.h"

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

struct call {
    long number;
    long arguments[4];
};

/* The signal that ended the child, or 0; *ret: errno of the call, 0 when it was done. */
static int call_in_child(const struct call *call, int *ret)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (tg_daemon_harden() != TG_OK || tg_sandbox_enter() != TG_OK)
            _exit(255);
        long done = syscall(call->number, call->arguments[0], call->arguments[1], call->arguments[2],
                            call->arguments[3]);
        _exit(done < 0 ? errno : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    *ret = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_what_ends_it(void **state)
{
    static struct rlimit limit;
    const struct call calls[] = {
        {SYS_execve, {(long)"/bin/true", 0, 0, 0}}, {SYS_clone, {SIGCHLD, 0, 0, 0}},
        {SYS_ptrace, {0}}, {SYS_process_vm_readv, {getppid(), 0, 0, 0}}, {SYS_kill, {getppid(), 0, 0, 0}},
        {SYS_tgkill, {getpid(), getpid(), 0, 0}}, /* its parent: another process */
        {SYS_prlimit64, {getpid(), RLIMIT_FSIZE, 0, (long)&limit}}, {SYS_io_uring_setup, {1, 0, 0, 0}},
        {SYS_bpf, {0}}, {SYS_userfaultfd, {0}}, {SYS_perf_event_open, {0}}, {SYS_open_by_handle_at, {-1, 0, 0, 0}},
        {SYS_setuid, {0}}, {SYS_unshare, {0}}, {SYS_mount, {0}}, {SYS_bind, {-1, 0, 0, 0}}, {SYS_memfd_create, {0}},
        {SYS_symlink, {(long)"x", (long)"y", 0, 0}}, {SYS_keyctl, {0}}, {SYS_pidfd_open, {getpid(), 0, 0, 0}},
    };
    (void)state;
    if (TG_DAEMON_SANITIZED)
        skip();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        int done = 0;
        int number = call_in_child(&calls[i], &done);
        if (number != SIGSYS)
            print_message("# system call %ld: signal %d, errno %d\n", calls[i].number, number, done);
        assert_int_equal(number, SIGSYS);
    }
}

static void test_what_is_let_through(void **state)
{
    static struct rlimit limit;
    static const struct {
        struct call call;
        int error;
    } calls[] = {
        {{SYS_getpid, {0}}, 0},
        {{SYS_socket, {AF_UNIX, SOCK_STREAM, 0, 0}}, 0},
        {{SYS_socket, {AF_INET, SOCK_STREAM, 0, 0}}, EAFNOSUPPORT},
        {{SYS_socket, {AF_NETLINK, SOCK_RAW, 0, 0}}, EAFNOSUPPORT},
        {{SYS_prlimit64, {0, RLIMIT_NOFILE, 0, (long)&limit}}, 0},
    };
    (void)state;
    if (TG_DAEMON_SANITIZED)
        skip();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        int done = 0;
        assert_int_equal(call_in_child(&calls[i].call, &done), 0);
        assert_int_equal(done, calls[i].error);
    }
}

/* By tgkill() of itself: a failed assertion must still say so. */
static void test_an_abort_is_one(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (tg_daemon_harden() != TG_OK || tg_sandbox_enter() != TG_OK)
            _exit(255);
        abort();
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_ends_it),
        cmocka_unit_test(test_what_is_let_through),
        cmocka_unit_test(test_an_abort_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
