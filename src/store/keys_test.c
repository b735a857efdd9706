/* keys_test.c - key files there and back; damage of any byte, a cut and another segment's file are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/testkit.h"

static void test_there_and_back(void **state)
{
    struct kit *kit = *state;
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, 8, "keys", path), TG_OK);
    struct tg_key_open unsettled[2] = {{.row = 3, .told = 1, .reason = 181}, {.row = 4}};
    struct tg_key_entry entries[3] = {{9, 1, 10}, {UINT64_MAX, 2, 20}, {1, 3, 30}};
    struct tg_keys keys = {.open = unsettled, .open_count = 2, .entries = entries, .count = 3}, read;
    assert_int_equal(tg_keys_read(path, 8, &read), TG_ERR_ABSENT);
    assert_int_equal(tg_keys_write(path, 8, &keys), TG_OK);
    assert_int_equal(tg_keys_read(path, 8, &read), TG_OK);
    assert_int_equal(read.open_count, 2);
    assert_int_equal(read.open[0].reason, 181);
    assert_int_equal(read.count, 3);
    assert_int_equal(read.entries[0].tag, 1); /* sorted */
    assert_int_equal(read.entries[2].sequence, 2);
    tg_keys_free(&read);
    assert_int_equal(tg_keys_read(path, 9, &read), TG_ERR_CORRUPT);
    struct stat stat_;
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 0777, 0600);
    for (off_t at = 0; at < stat_.st_size; at++) {
        uint8_t byte = 0, wrong = 0;
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        wrong = byte ^ 1;
        assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
        assert_int_equal(tg_keys_read(path, 8, &read), TG_ERR_CORRUPT);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)close(fd);
    }
    for (off_t len = stat_.st_size - 1; len >= 0; len -= 7) {
        assert_int_equal(truncate(path, len), 0);
        assert_int_equal(tg_keys_read(path, 8, &read), TG_ERR_CORRUPT);
    }
}

static void test_empty(void **state)
{
    struct kit *kit = *state;
    char path[TG_STORE_PATH_BYTES_MAX];
    struct tg_keys none = {0}, read;
    assert_int_equal(tg_segment_path(kit->path, 8, "keys", path), TG_OK);
    assert_int_equal(tg_keys_write(path, 8, &none), TG_OK);
    assert_int_equal(tg_keys_read(path, 8, &read), TG_OK);
    assert_int_equal(read.count + read.open_count, 0);
    tg_keys_free(&read);
    assert_int_equal(tg_keys_write("/nowhere/at/all.keys", 8, &none), TG_ERR_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_there_and_back, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_empty, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
