/*
 * file_test.c - modes from the first moment, nothing overwritten, bounds kept.
 */
#include "cli/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/tollgate-file-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void test_new(void **state)
{
    char path[TG_PATH_BYTES_MAX];
    char line[16];
    struct stat status;

    (void)state;
    assert_int_equal(tg_path_join(path, folder, "key"), TG_OK);
    assert_int_equal(tg_file_new(path, 0600, TG_OWNER_SELF, TG_SPAN("secret\n")), TG_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(tg_file_new(path, 0600, TG_OWNER_SELF, TG_SPAN("other")), TG_ERR_DENIED);
    assert_int_equal(tg_file_read_line(path, line, sizeof(line)), TG_OK);
    assert_string_equal(line, "secret");
    assert_int_equal(tg_file_read_line(path, line, 7), TG_ERR_ROOM);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tg_file_read_line(path, line, sizeof(line)), TG_ERR_ABSENT);
}

static void test_bad_lines(void **state)
{
    char path[TG_PATH_BYTES_MAX];
    char line[16];

    (void)state;
    assert_int_equal(tg_path_join(path, folder, "bad"), TG_OK);
    assert_int_equal(tg_file_new(path, 0600, TG_OWNER_SELF, TG_SPAN("two\nlines\n")), TG_OK);
    assert_int_equal(tg_file_read_line(path, line, sizeof(line)), TG_ERR_INPUT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tg_file_new(path, 0600, TG_OWNER_SELF, TG_SPAN("\n")), TG_OK);
    assert_int_equal(tg_file_read_line(path, line, sizeof(line)), TG_ERR_INPUT);
    assert_int_equal(unlink(path), 0);
}

static void test_folders(void **state)
{
    char path[TG_PATH_BYTES_MAX];
    char deep[TG_PATH_BYTES_MAX];
    struct stat status;

    (void)state;
    assert_int_equal(tg_path_join(path, folder, "a"), TG_OK);
    assert_int_equal(tg_path_join(deep, folder, "a/b"), TG_OK);
    assert_int_equal(tg_folder_make_all(deep, 0700), TG_OK);
    assert_int_equal(stat(deep, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(symlink("/tmp", deep), 0);
    assert_int_equal(tg_folder_make(deep, 0700, TG_OWNER_SELF), TG_ERR_DENIED);
    assert_int_equal(tg_file_touch(deep, 0600, TG_OWNER_SELF), TG_ERR_DENIED);
    assert_int_equal(unlink(deep), 0);
    assert_int_equal(rmdir(path), 0);
}

/* Whose folder it is could exchange what root makes in it; or have it give away what a link leads to. */
static void test_folders_of_others(void **state)
{
    char path[TG_PATH_BYTES_MAX];
    struct stat status;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(tg_path_join(path, folder, "theirs"), TG_OK);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(tg_folder_make(path, 0755, TG_OWNER_SELF), TG_ERR_DENIED);
    assert_int_equal(tg_folder_make(path, 0755, ((struct tg_owner){1, 1})), TG_ERR_DENIED);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(status.st_uid, 65534);
    assert_int_equal(tg_folder_make(path, 0755, ((struct tg_owner){65534, 65534})), TG_OK);
    assert_int_equal(rmdir(path), 0);
}

static void test_a_line_behind_a_link(void **state)
{
    char path[TG_PATH_BYTES_MAX];
    char link[TG_PATH_BYTES_MAX];
    char line[16];

    (void)state;
    assert_int_equal(tg_path_join(path, folder, "secret"), TG_OK);
    assert_int_equal(tg_path_join(link, folder, "link"), TG_OK);
    assert_int_equal(tg_file_new(path, 0600, TG_OWNER_SELF, TG_SPAN("secret\n")), TG_OK);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(tg_file_read_line(link, line, sizeof(line)), TG_OK);
    line[0] = '\0';
    assert_int_equal(tg_file_read_line_itself(link, line, sizeof(line)), TG_ERR_DENIED);
    assert_string_equal(line, "");
    assert_int_equal(tg_file_read_line_itself(path, line, sizeof(line)), TG_OK);
    assert_string_equal(line, "secret");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_new), cmocka_unit_test(test_bad_lines),
                                       cmocka_unit_test(test_folders), cmocka_unit_test(test_folders_of_others),
                                       cmocka_unit_test(test_a_line_behind_a_link)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
