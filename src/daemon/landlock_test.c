/*
 * landlock_test.c - a child enters, and then opens what it may and what it may not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/landlock.h"

static char folder[64];

static const char *at(const char *name, char path[160])
{
    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static int try_open(const char *name, int flags)
{
    char path[160];
    int fd = open(at(name, path), flags | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static int try_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* What the child found to be wrong; 0: nothing. */
static int child_looks(void)
{
    char store[160];
    char log[160];
    char read_only[160];
    char gone[160];
    char path[160];
    char other[160];
    int level = -1;
    const struct tg_landlock_rule rules[] = {
        {at("store", store), TG_LANDLOCK_CHANGE},
        {at("log", log), TG_LANDLOCK_WRITE},
        {at("word", read_only), TG_LANDLOCK_READ},
        {at("nowhere", gone), TG_LANDLOCK_READ},
    };
    if (tg_landlock_enter(rules, sizeof(rules) / sizeof(rules[0]), &level) != TG_OK) {
        return 1;
    }
    if (level == 0) {
        return 77; /* a kernel without it */
    }
    if (tg_landlock_level() != level) {
        return 2;
    }
    if (try_open("store/new", O_RDWR | O_CREAT) != 0 || rename(at("store/new", path), at("store/named", other)) != 0 ||
        truncate(other, 0) != 0 || unlink(other) != 0) {
        return 3;
    }
    if (try_open("log/new", O_WRONLY | O_CREAT | O_APPEND) != 0 || try_open("log/new", O_RDONLY) != EACCES) {
        return 4;
    }
    if (try_open("word", O_RDONLY) != 0 || try_open("word", O_WRONLY) != EACCES) {
        return 5;
    }
    if (try_open("secret", O_RDONLY) != EACCES || try_open("made", O_WRONLY | O_CREAT) != EACCES ||
        mkdir(at("store/deeper", path), 0700) == 0 || symlink("/etc", at("store/link", path)) == 0) {
        return 6;
    }
    if (level >= 4 && try_connect() != EACCES) {
        return 7;
    }
    return level >= 6 && kill(getppid(), 0) == 0 ? 8 : 0;
}

static void test_only_what_is_named(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(child_looks());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int child_of_a_gate_looks(void)
{
    char whole[160];
    char store[160];
    char path[160];
    int level = -1;
    const struct tg_landlock_rule rules[] = {
        {at(".", whole), TG_LANDLOCK_READ},
        {at("store", store), TG_LANDLOCK_TREE},
    };
    if (tg_landlock_enter_files(rules, sizeof(rules) / sizeof(rules[0]), &level) != TG_OK) {
        return 1;
    }
    if (level == 0) {
        return 77;
    }
    if (mkdir(at("store/deeper", path), 0700) != 0 || try_open("store/deeper/new", O_WRONLY | O_CREAT) != 0 ||
        unlink(at("store/deeper/new", path)) != 0 || rmdir(at("store/deeper", path)) != 0) {
        return 2;
    }
    if (try_open("word", O_RDONLY) != 0 || try_open("word", O_WRONLY) != EACCES ||
        try_open("made", O_WRONLY | O_CREAT) != EACCES || mkdir(at("made", path), 0700) == 0) {
        return 3;
    }
    return try_connect() == EACCES ? 4 : (kill(getppid(), 0) != 0 ? 5 : 0);
}

static void test_files_alone(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(child_of_a_gate_looks());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_folder_that_is_missing_stops(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        const struct tg_landlock_rule rules[] = {{"/nowhere/at/all", TG_LANDLOCK_CHANGE}};
        int level = -1;
        enum tg_err err = tg_landlock_enter(rules, 1, &level);
        _exit(err == TG_ERR_DENIED || (err == TG_OK && level == 0) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(tg_landlock_level(), 0);
}

static void test_folder_of_a_path(void **state)
{
    (void)state;
    char ret[16];
    assert_int_equal(tg_landlock_folder("/a/b.log", ret, sizeof(ret)), TG_OK);
    assert_string_equal(ret, "/a");
    assert_int_equal(tg_landlock_folder("/b.log", ret, sizeof(ret)), TG_OK);
    assert_string_equal(ret, "/");
    assert_int_equal(tg_landlock_folder("b.log", ret, sizeof(ret)), TG_OK);
    assert_string_equal(ret, ".");
    assert_int_equal(tg_landlock_folder("/a/long/folder/name/b.log", ret, sizeof(ret)), TG_ERR_LIMIT);
}

static int make_world(void **state)
{
    (void)state;
    char path[160];
    snprintf(folder, sizeof(folder), "/tmp/tollgate-landlock-XXXXXX");
    if (mkdtemp(folder) == NULL || mkdir(at("store", path), 0700) != 0 || mkdir(at("log", path), 0700) != 0) {
        return -1;
    }
    return try_open("word", O_WRONLY | O_CREAT) != 0 || try_open("secret", O_WRONLY | O_CREAT) != 0 ? -1 : 0;
}

static int remove_world(void **state)
{
    (void)state;
    static const char *const files[] = {"log/new", "word", "secret", "store/new", "store/named"};
    char path[160];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unlink(at(files[i], path));
    }
    return rmdir(at("store", path)) != 0 || rmdir(at("log", path)) != 0 || rmdir(folder) != 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_named),
        cmocka_unit_test(test_files_alone),
        cmocka_unit_test(test_a_folder_that_is_missing_stops),
        cmocka_unit_test(test_folder_of_a_path),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
