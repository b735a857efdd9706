/* folder_test.c - settling changes no byte, and says when it could not. What it is for is seen in test/crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder.h"

#define BYTES 2500000u /* some steps, and a part of one */

static void test_settle(void **state)
{
    (void)state;
    char folder[] = "/tmp/tollgate-folder-XXXXXX", path[64];
    uint8_t *bytes = malloc(BYTES), *again = malloc(BYTES + 1);
    assert_true(bytes != NULL && again != NULL && mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    assert_int_equal(tg_folder_settle(path), TG_OK); /* there is none */
    assert_int_not_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, BYTES), BYTES);
    assert_int_equal(tg_folder_settle(path), TG_OK);
    assert_int_equal(pread(fd, again, BYTES + 1, 0), BYTES);
    assert_memory_equal(bytes, again, BYTES);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(tg_folder_settle(path), TG_ERR_DOWN); /* not a file */
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
    free(bytes);
    free(again);
}

static void test_sync(void **state)
{
    (void)state;
    assert_int_equal(tg_folder_sync("/tmp/anything"), TG_OK);
    assert_int_equal(tg_folder_sync("/tmp/no-such-folder/anything"), TG_ERR_DOWN);
    assert_int_equal(tg_folder_sync("anything"), TG_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
