/* disk_test.c - the disk in memory keeps what was synced, loses what was not, and can be made again from its record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"

static const struct disk_cut none = {DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0};
static const struct disk_cut all = {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0};

static void put(const char *path, const char *text)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags);
    assert_true(fd >= 0);
    int rc = fsync(fd);
    assert_int_equal(close(fd), 0);
    return rc;
}

/* What stands there; "-" where nothing does. */
static const char *get(const char *path)
{
    static char text[64];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        assert_int_equal(errno, ENOENT);
        return "-";
    }
    ssize_t len = read(fd, text, sizeof(text) - 1);
    assert_true(len >= 0);
    text[len] = '\0';
    assert_int_equal(close(fd), 0);
    return text;
}

#define A DISK_ROOT "/a"
#define B DISK_ROOT "/b"

static void cut(struct disk *disk, const struct disk_cut *how)
{
    disk_cut(disk, how);
    disk_mount(disk, NULL, NULL, NULL);
    assert_true(disk_is_settled(disk));
}

static void test_bytes_and_names(void **state)
{
    (void)state;
    struct disk *disk = disk_new();
    disk_mount(disk, NULL, NULL, NULL);
    put(A, "first");
    assert_string_equal(get(A), "first");
    assert_int_equal(sync_path(A, O_RDWR), 0);
    cut(disk, &none); /* its bytes were synced, its name was not */
    assert_string_equal(get(A), "-");
    put(A, "first");
    assert_int_equal(sync_path(DISK_ROOT, O_RDONLY | O_DIRECTORY), 0);
    cut(disk, &none); /* and the other way round */
    assert_string_equal(get(A), "");
    put(A, "second");
    assert_int_equal(sync_path(A, O_RDWR), 0);
    put(A, "THIRD");
    cut(disk, &none);
    assert_string_equal(get(A), "second");
    put(A, "THIRD");
    cut(disk, &all);
    assert_string_equal(get(A), "THIRDd");
    assert_int_equal(rename(A, B), 0);
    assert_string_equal(get(A), "-");
    cut(disk, &none);
    assert_string_equal(get(A), "THIRDd");
    assert_string_equal(get(B), "-");
    assert_int_equal(truncate(A, 2), 0);
    cut(disk, &none);
    assert_string_equal(get(A), "THIRDd");
    assert_int_equal(unlink(A), 0);
    assert_int_equal(sync_path(DISK_ROOT, O_RDONLY | O_DIRECTORY), 0);
    cut(disk, &none);
    assert_string_equal(get(A), "-");
    disk_mount(NULL, NULL, NULL, NULL);
    disk_free(disk);
}

static void test_torn(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct disk *disk = disk_new();
        struct disk_cut half = {DISK_KEEP_ALL, DISK_KEEP_ALL, true, seed};
        disk_mount(disk, NULL, NULL, NULL);
        put(A, "abcd");
        int fd = open(A, O_RDWR);
        assert_int_equal(pwrite(fd, "WXYZwxyz", 8, 4), 8);
        assert_int_equal(close(fd), 0);
        cut(disk, &half);
        char seen[12];
        fd = open(A, O_RDONLY);
        ssize_t len = read(fd, seen, sizeof(seen));
        assert_int_equal(close(fd), 0);
        assert_int_equal(len, seed == 0 ? 8 : 12);
        assert_memory_equal(seen, seed == 0 ? "abcdWXYZ" : "abcd\0\0\0\0wxyz", (size_t)len);
        disk_mount(NULL, NULL, NULL, NULL);
        disk_free(disk);
    }
}

/* Of many unsynced renames and writes each is kept or lost as one; both happen. */
static void test_some(void **state)
{
    (void)state;
    unsigned kept = 0, lost = 0, empty = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct disk *disk = disk_new();
        struct disk_cut some = {DISK_KEEP_SOME, DISK_KEEP_SOME, false, seed};
        disk_mount(disk, NULL, NULL, NULL);
        put(A, "text");
        cut(disk, &all);
        assert_int_equal(rename(A, B), 0);
        put(B, "TEXT");
        cut(disk, &some);
        bool is_there = strcmp(get(B), "-") != 0;
        assert_int_equal(is_there, strcmp(get(A), "-") == 0);
        kept += is_there;
        lost += !is_there;
        empty += strcmp(get(is_there ? B : A), "text") == 0;
        disk_mount(NULL, NULL, NULL, NULL);
        disk_free(disk);
    }
    assert_true(kept > 20 && lost > 20 && empty > 20 && empty < 180);
}

static struct disk_fault fail_sync(void *user, const struct disk_op *op, uint64_t number)
{
    (void)number;
    return op->kind == DISK_SYNC ? *(const struct disk_fault *)user : (struct disk_fault){0};
}

/* After a failed sync: what was lost is seen or not, and no later sync brings it to the disk. */
static void test_failed_sync(void **state)
{
    (void)state;
    static const enum disk_act acts[] = {DISK_FAIL, DISK_FAIL_LOSE, DISK_FAIL_BACK};
    static const char *const seen[] = {"new", "new", "old"}, *const durable[] = {"new", "old", "old"};
    for (size_t i = 0; i < 3; i++) {
        struct disk_fault fault = {acts[i], EIO, 0};
        struct disk *disk = disk_new();
        disk_mount(disk, NULL, NULL, NULL);
        put(A, "old");
        cut(disk, &all);
        disk_mount(disk, NULL, fail_sync, &fault);
        put(A, "new");
        assert_int_equal(sync_path(A, O_RDWR), -1);
        assert_int_equal(errno, EIO);
        assert_string_equal(get(A), seen[i]);
        disk_mount(disk, NULL, NULL, NULL);
        assert_int_equal(sync_path(A, O_RDWR), 0);
        assert_string_equal(get(A), seen[i]);
        cut(disk, &none);
        assert_string_equal(get(A), durable[i]);
        disk_mount(NULL, NULL, NULL, NULL);
        disk_free(disk);
    }
}

static void test_record(void **state)
{
    (void)state;
    struct disk *disk = disk_new(), *again = disk_clone(disk);
    struct disk_log log = {0};
    disk_mount(disk, &log, NULL, NULL);
    assert_int_equal(mkdir(DISK_ROOT "/folder", 0700), 0);
    put(DISK_ROOT "/folder/a", "one");
    assert_int_equal(sync_path(DISK_ROOT "/folder/a", O_RDWR), 0);
    assert_int_equal(rename(DISK_ROOT "/folder/a", DISK_ROOT "/folder/b"), 0);
    put(DISK_ROOT "/folder/c", "two");
    assert_int_equal(truncate(DISK_ROOT "/folder/c", 1), 0);
    assert_int_equal(unlink(DISK_ROOT "/folder/c"), 0);
    for (size_t i = 0; i < log.count; i++) {
        disk_apply(again, &log.ops[i]);
    }
    assert_true(disk_digest(disk) == disk_digest(again));
    disk_cut(disk, &none);
    disk_mount(NULL, NULL, NULL, NULL);
    assert_true(disk_digest(disk) != disk_digest(again));
    disk_cut(again, &none);
    assert_true(disk_digest(disk) == disk_digest(again));
    disk_log_free(&log);
    disk_free(disk);
    disk_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_names), cmocka_unit_test(test_torn),   cmocka_unit_test(test_some),
        cmocka_unit_test(test_failed_sync),     cmocka_unit_test(test_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
