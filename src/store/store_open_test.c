/* store_open_test.c - one process at a time, nothing made anew in place of what is missing, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/move.h"
#include "store/testkit.h"

static void test_one_at_a_time(void **state)
{
    struct kit *kit = *state;
    struct tg_store *second = NULL;
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &second), TG_ERR_DOWN);
    assert_null(second);
    tg_store_close(NULL);
}

static void test_missing_file(void **state)
{
    struct kit *kit = *state;
    (void)kit_pair(kit, 1, 1, "a");
    tg_store_close(kit->store);
    kit->store = NULL;
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, 1, "sqlite", path), TG_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_ERR_CORRUPT);
    assert_int_equal(access(path, F_OK), -1);
}

/* Copied to a server: two stores that go on from one point would charge twice. */
static void test_a_folder_that_was_moved(void **state)
{
    struct kit *kit = *state;
    char path[TG_STORE_PATH_BYTES_MAX];
    tg_store_close(kit->store);
    kit->store = NULL;
    (void)snprintf(path, sizeof(path), "%s/" TG_MOVE_MARK, kit->path);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_ERR_DENIED);
    assert_null(kit->store);
    kit->options.moved_too = true;
    kit_reopen(kit);
    kit->options.moved_too = false;
    assert_int_equal(unlink(path), 0);
    kit_reopen(kit);
}

static void test_not_a_database(void **state)
{
    struct kit *kit = *state;
    tg_store_close(kit->store);
    kit->store = NULL;
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, 1, "sqlite", path), TG_OK);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 9000; i++)
        (void)fputc(i % 251, file);
    (void)fclose(file);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_ERR_CORRUPT);
}

static void test_counts_and_modes(void **state)
{
    struct kit *kit = *state;
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_live + counts.events, 0);
    assert_int_equal(counts.segments, 1);
    assert_int_equal(tg_store_segment(kit->store), 1);
    (void)kit_pair(kit, 1, 1, "a");
    assert_int_equal(kit_ask(kit, 2, 2, 2), TG_CLAIM_TAKEN);
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_live, 2);
    assert_int_equal(counts.claims_in_flight, 1);
    assert_int_equal(counts.claims_unknown, 0);
    assert_int_equal(counts.events, 3);
    kit_reopen(kit);
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_unknown, 1);
    assert_int_equal(counts.events, 3);
    assert_true(counts.bytes > 0);
    char path[TG_STORE_PATH_BYTES_MAX];
    static const char *const suffixes[] = {"sqlite", "sqlite-wal"};
    for (size_t i = 0; i < 2; i++) {
        struct stat stat_;
        assert_int_equal(tg_segment_path(kit->path, 1, suffixes[i], path), TG_OK);
        if (stat(path, &stat_) == 0)
            assert_int_equal(stat_.st_mode & 0777, 0600);
    }
}

static void test_bad_path(void **state)
{
    (void)state;
    struct tg_store *store = NULL;
    struct tg_store_options options = {.path = ""};
    assert_int_equal(tg_store_open(&options, 1, &store), TG_ERR_LIMIT);
    options.path = "/nowhere/at/all";
    assert_int_equal(tg_store_open(&options, 1, &store), TG_ERR_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_missing_file, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_was_moved, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_not_a_database, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_counts_and_modes, kit_setup, kit_teardown),
        cmocka_unit_test(test_bad_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
