/*
 * json_vectors_test.c - JSONTestSuite, whole: y_ files are taken, n_ files are refused, i_ files do not hurt.
 *
 * The suite is not kept here: TOLLGATE_DATA names a folder with vectors/json/json-test-suite.tar.zst.
 * Without it the test is skipped. Two y_ files name a member twice; RFC 8259 4 leaves that open and the
 * house refuses it, with its own reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json/json.h"

#define FILE_BYTES_MAX (512 * 1024)

static char folder[] = "/tmp/tollgate-json-XXXXXX";

static int run(char *const arguments[])
{
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[0], arguments);
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static int unpack(void **state)
{
    (void)state;
    char archive[1024];
    const char *data = getenv("TOLLGATE_DATA");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(archive, sizeof archive, "%s/vectors/json/json-test-suite.tar.zst", data);
    char *const arguments[] = {"tar", "--zstd", "-xf", archive, "-C", folder, NULL};
    return run(arguments);
}

static int clean(void **state)
{
    (void)state;
    char *const arguments[] = {"rm", "-rf", "--", folder, NULL};
    return run(arguments);
}

static enum tg_reason verdict(const char *path)
{
    static uint8_t text[FILE_BYTES_MAX];
    static uint8_t block[2 * FILE_BYTES_MAX + TG_VALUE_COUNT_MAX * sizeof(struct tg_value)];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text, file);
    assert_true(feof(file) || len < sizeof text);
    (void)fclose(file);
    struct tg_arena arena = tg_arena(block, sizeof block);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    return tg_json_parse(tg_span(text, len), &arena, &root, &place);
}

static void the_suite(void **state)
{
    (void)state;
    size_t taken = 0, twice = 0, refused = 0, open = 0, wrong = 0;
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/test_parsing", folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/test_parsing/%s", folder, entry->d_name);
        enum tg_reason reason = verdict(path);
        bool yes = strncmp(entry->d_name, "y_", 2) == 0;
        bool no = strncmp(entry->d_name, "n_", 2) == 0;
        bool duplicate = strncmp(entry->d_name, "y_object_duplicated_key", 23) == 0;
        taken += yes && reason == TG_REASON_OK;
        twice += duplicate && reason == TG_REASON_JSON_DUPLICATE_MEMBER;
        refused += no && reason != TG_REASON_OK;
        open += !yes && !no;
        if ((yes && !duplicate && reason != TG_REASON_OK) || (no && reason == TG_REASON_OK)) {
            print_message("# %s: %s\n", entry->d_name, tg_reason_entry((uint16_t)reason)->name);
            wrong++;
        }
    }
    (void)closedir(directory);
    print_message("# y_: %zu taken, %zu refused as duplicates; n_: %zu refused; i_: %zu read\n", taken, twice, refused,
                  open);
    assert_int_equal(wrong, 0);
    assert_int_equal(taken, 93);
    assert_int_equal(twice, 2);
    assert_int_equal(refused, 188);
}

int main(void)
{
    if (getenv("TOLLGATE_DATA") == NULL) {
        puts("1..0 # SKIP TOLLGATE_DATA is not set"); /* cmocka's own skip is a failure to readers of TAP */
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_suite)};
    return cmocka_run_group_tests(tests, unpack, clean);
}
