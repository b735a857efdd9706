/*
 * sealed_test.c - there and back at every length around a piece; each change, cut, swap and wrong passphrase is met.
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
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/sealed.h"

static char folder[64];
static uint8_t bytes[3 * TG_SEALED_PIECE_BYTES];
static struct tg_span passphrase;

static const char *at(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static void write_one(const char *name, size_t len)
{
    struct tg_sealed sealed;
    char path[128];
    unlink(at(name, path));
    assert_int_equal(tg_sealed_create(&sealed, path, passphrase, TG_SCRYPT_WORK_MIN), TG_OK);
    assert_int_equal(tg_sealed_write(&sealed, tg_span(bytes, len / 3)), TG_OK);
    assert_int_equal(tg_sealed_write(&sealed, tg_span(bytes + len / 3, len - len / 3)), TG_OK);
    assert_int_equal(tg_sealed_finish(&sealed), TG_OK);
    tg_sealed_close(&sealed);
}

static enum tg_err read_one(const char *name, size_t len, struct tg_span word)
{
    static uint8_t back[sizeof(bytes)];
    struct tg_sealed sealed;
    char path[128];
    enum tg_err err = tg_sealed_open(&sealed, at(name, path), word);
    if (err == TG_OK) {
        err = tg_sealed_read(&sealed, back, len);
    }
    if (err == TG_OK) {
        assert_memory_equal(back, bytes, len);
        err = tg_sealed_end(&sealed);
    }
    tg_sealed_close(&sealed);
    return err;
}

static void test_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, TG_SEALED_PIECE_BYTES - 1, TG_SEALED_PIECE_BYTES, TG_SEALED_PIECE_BYTES + 1,
                                     2 * TG_SEALED_PIECE_BYTES, sizeof(bytes)};
    struct stat status;
    char path[128];
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        write_one("a", lengths[i]);
        assert_int_equal(read_one("a", lengths[i], passphrase), TG_OK);
        assert_int_equal(read_one("a", lengths[i] + 1, passphrase), TG_ERR_CORRUPT);
        assert_true(lengths[i] == 0 || read_one("a", lengths[i] - 1, passphrase) == TG_ERR_CORRUPT);
    }
    assert_int_equal(stat(at("a", path), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(read_one("a", sizeof(bytes), TG_SPAN("another passphrase")), TG_ERR_CORRUPT);
}

static void change(const char *name, off_t where)
{
    char path[128];
    uint8_t byte;
    int fd = open(at(name, path), O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, where), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, where), 1);
    close(fd);
}

static void test_changes(void **state)
{
    (void)state;
    static const off_t places[] = {0, 15, 16, 17, 32, 33, 36, 37, 60, 1000, TG_SEALED_PIECE_BYTES + 40,
                                   TG_SEALED_PIECE_BYTES + 100};
    char path[128];
    const size_t len = TG_SEALED_PIECE_BYTES + 500;
    write_one("b", len);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        change("b", places[i]);
        assert_int_not_equal(read_one("b", len, passphrase), TG_OK);
        change("b", places[i]);
    }
    assert_int_equal(read_one("b", len, passphrase), TG_OK);
    /* Cut at the end of the first piece, in the second, and behind the last byte added to. */
    assert_int_equal(truncate(at("b", path), TG_SEALED_HEAD_BYTES + 4 + TG_SEALED_PIECE_BYTES + 28 + 9), 0);
    assert_int_equal(read_one("b", len, passphrase), TG_ERR_CORRUPT);
    assert_int_equal(truncate(path, TG_SEALED_HEAD_BYTES + 4 + TG_SEALED_PIECE_BYTES + 28), 0);
    assert_int_equal(read_one("b", TG_SEALED_PIECE_BYTES, passphrase), TG_ERR_CORRUPT);
    write_one("b", 10);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(read_one("b", 10, passphrase), TG_ERR_CORRUPT);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"nginx.conf", "store/1.sqlite", "keys/master.key", "a_b-c/D.9"};
    static const char *const bad[] = {"", "/etc/passwd", "../x", "a/../b", "a/b/c/d", ".hidden", "a/.b", "a/", "a b", "a\nb"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(tg_archive_name_fine(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(tg_archive_name_fine(bad[i]));
    }
}

static void test_archive(void **state)
{
    (void)state;
    struct tg_archive archive;
    struct tg_archive_file file;
    char path[128];
    char sealed[128];
    json_t *about = json_pack("{s:i}", "version", 7);
    int fd = open(at("file", path), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal(write(fd, bytes, 100000), 100000);
    close(fd);
    unlink(at("c", sealed));
    assert_int_equal(tg_sealed_create(&archive.sealed, sealed, passphrase, TG_SCRYPT_WORK_MIN), TG_OK);
    assert_int_equal(tg_archive_write_head(&archive, about), TG_OK);
    assert_int_equal(tg_archive_write_file(&archive, "store/1.sqlite", path), TG_OK);
    assert_int_equal(tg_archive_write_file(&archive, "../x", path), TG_ERR_DENIED);
    assert_int_equal(tg_archive_write_end(&archive), TG_OK);
    tg_sealed_close(&archive.sealed);
    json_decref(about);
    assert_int_equal(tg_sealed_open(&archive.sealed, sealed, passphrase), TG_OK);
    assert_int_equal(tg_archive_read_head(&archive, &about), TG_OK);
    assert_int_equal(json_integer_value(json_object_get(about, "version")), 7);
    json_decref(about);
    assert_int_equal(tg_archive_next(&archive, &file), TG_OK);
    assert_string_equal(file.name, "store/1.sqlite");
    assert_int_equal(file.mode, 0640);
    assert_true(file.size == 100000);
    assert_int_equal(tg_archive_read_data(&archive, &file, -1), TG_OK);
    assert_int_equal(tg_archive_next(&archive, &file), TG_ERR_ABSENT);
    tg_sealed_close(&archive.sealed);
}

static int make_folder(void **state)
{
    (void)state;
    passphrase = TG_SPAN("correct horse battery");
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 31 + i / 251);
    }
    snprintf(folder, sizeof(folder), "/tmp/tollgate-sealed-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "file"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(at(names[i], path));
    }
    return rmdir(folder);
}

/* A name is as long as it says: what stands behind a zero byte would be hidden from the one who judges it. */
static void test_name_with_zero(void **state)
{
    (void)state;
    static const char contents[] = "M\0\0\0\2{}F\0\7\0\0\1\x80\0\0\0\0\0\0\0\0tls\0/.x";
    struct tg_archive archive;
    struct tg_archive_file file;
    json_t *about = NULL;
    char path[128];
    unlink(at("z", path));
    assert_int_equal(tg_sealed_create(&archive.sealed, path, passphrase, TG_SCRYPT_WORK_MIN), TG_OK);
    assert_int_equal(tg_sealed_write(&archive.sealed, tg_span(contents, sizeof(contents) - 1)), TG_OK);
    assert_int_equal(tg_sealed_finish(&archive.sealed), TG_OK);
    tg_sealed_close(&archive.sealed);
    assert_int_equal(tg_sealed_open(&archive.sealed, path, passphrase), TG_OK);
    assert_int_equal(tg_archive_read_head(&archive, &about), TG_OK);
    json_decref(about);
    assert_int_equal(tg_archive_next(&archive, &file), TG_ERR_CORRUPT);
    tg_sealed_close(&archive.sealed);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_name_with_zero),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
