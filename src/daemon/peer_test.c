/*
 * peer_test.c - who may reach a socket, whom it names, and what is never unlinked.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"

static void test_listen(void **state)
{
    (void)state;
    char folder[] = "/tmp/tollgate-peer-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    int listener = -1;
    uid_t uid = 0;
    pid_t pid = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", folder);
    assert_int_equal(tg_daemon_listen(address.sun_path, TG_DAEMON_UID_NONE, &listener), TG_OK);
    assert_int_equal(stat(address.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    int accepted = accept(listener, NULL, NULL);
    assert_int_equal(tg_daemon_peer(accepted, &uid, &pid), TG_OK);
    assert_int_equal(uid, getuid());
    assert_int_equal(pid, getpid());
    close(accepted);
    close(fd);
    close(listener);
    /* The socket of a dead process is replaced. */
    assert_int_equal(tg_daemon_listen(address.sun_path, TG_DAEMON_UID_NONE, &listener), TG_OK);
    close(listener);
    unlink(address.sun_path);
    fd = open(address.sun_path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(tg_daemon_listen(address.sun_path, TG_DAEMON_UID_NONE, &listener), TG_ERR_DENIED);
    assert_int_equal(tg_daemon_peer(fd, &uid, NULL), TG_ERR_DENIED);
    assert_true(uid == TG_DAEMON_UID_NONE);
    close(fd);
    assert_int_equal(access(address.sun_path, F_OK), 0);
    unlink(address.sun_path);
    rmdir(folder);
}

static void test_bad_paths(void **state)
{
    (void)state;
    char path[200];
    int listener = 7;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(tg_daemon_listen(path, TG_DAEMON_UID_NONE, &listener), TG_ERR_DENIED);
    assert_int_equal(listener, -1);
    assert_int_equal(tg_daemon_listen("", TG_DAEMON_UID_NONE, &listener), TG_ERR_DENIED);
}

/* What a service manager does before exec: a bound socket as descriptor 3, named in the environment. */
static int take_handed_over(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char pid[16];
    int listener = -1;
    int bound = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (bind(bound, (struct sockaddr *)&address, sizeof(address)) != 0 || dup2(bound, 3) != 3) {
        return 1;
    }
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0) {
        return 2;
    }
    /* Bound, but not listening: not taken, and replaced as any stale one. */
    if (tg_daemon_listen(path, TG_DAEMON_UID_NONE, &listener) != TG_OK || listener == 3) {
        return 3;
    }
    close(listener);
    unlink(path);
    close(3);
    bound = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(bound, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(bound, 1) != 0 ||
        (bound != 3 && dup2(bound, 3) != 3)) {
        return 4;
    }
    if (tg_daemon_listen(path, TG_DAEMON_UID_NONE, &listener) != TG_OK || listener != 3 ||
        fcntl(3, F_GETFD) != FD_CLOEXEC || (fcntl(3, F_GETFL) & O_NONBLOCK) == 0) {
        return 5;
    }
    /* Of another process: not ours. */
    return setenv("LISTEN_PID", "1", 1) != 0 || tg_daemon_listen(path, TG_DAEMON_UID_NONE, &listener) != TG_OK ||
                   listener == 3
               ? 6
               : 0;
}

static void test_handed_over(void **state)
{
    (void)state;
    char path[] = "/tmp/tollgate-handed-XXXXXX";
    int status = -1;
    close(mkstemp(path));
    unlink(path);
    pid_t child = fork();
    if (child == 0) {
        _exit(take_handed_over(path));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handed_over),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_bad_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
