/*
 * copy_test.c - the copy shows its point in time whatever is written meanwhile, and leaves nothing behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/copy.h"

static char folder[64];

static const char *at(const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static sqlite3 *open_db(const char *name, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(at(name, path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static int count_rows(const char *name)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(at(name, path), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/tollgate-copy-XXXXXX");
    char path[128];
    return mkdtemp(folder) == NULL || mkdir(at("segments", path), 0700) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"segments/1.sqlite", "segments/1.sqlite-wal", "segments/1.sqlite-shm", "2.sqlite", "2.sqlite-wal",
                                        "2.sqlite-shm", "segments/1.keys"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(at(names[i], path));
    }
    return rmdir(at("segments", path)) != 0 || rmdir(folder) != 0 ? -1 : 0;
}

static void test_one_point(void **state)
{
    (void)state;
    static const char *const rows =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, "
        "hex(randomblob(200)) FROM n";
    char path[128];
    struct stat status;
    struct tg_copy *copy = NULL;
    /* One that is closed for good, its keys, one that is being written, and a copy that a dead keeper left. */
    sqlite3_close(open_db("segments/1.sqlite", "PRAGMA journal_mode = WAL; CREATE TABLE t (i, x); INSERT INTO t VALUES (1, 2)"));
    fclose(fopen(at("segments/1.keys", path), "w"));
    fclose(fopen(at("segments/9.sqlite.copy", path), "w"));
    sqlite3 *db = open_db("2.sqlite", "PRAGMA journal_mode = WAL; CREATE TABLE t (i, x)");
    assert_int_equal(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(tg_copy_begin(folder, &copy), TG_OK);
    assert_int_equal(access(at("segments/9.sqlite.copy", path), F_OK), -1);
    int steps = 0;
    bool more = true;
    while (more) {
        assert_int_equal(sqlite3_exec(db, "INSERT INTO t VALUES (0, 'later')", NULL, NULL, NULL), SQLITE_OK);
        more = tg_copy_step(copy);
        steps++;
    }
    assert_true(steps > 1);
    assert_true(tg_copy_whole(copy));
    tg_copy_free(copy);
    assert_int_equal(count_rows("2.sqlite"), 20000 + steps);
    assert_int_equal(count_rows("2.sqlite.copy"), 20000);
    assert_int_equal(count_rows("segments/1.sqlite.copy"), 1);
    assert_int_equal(stat(at("segments/1.keys.copy", path), &status), 0);
    assert_int_equal(stat(at("2.sqlite.copy", path), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    unlink(at("2.sqlite.copy-wal", path));
    unlink(at("2.sqlite.copy-shm", path));
    unlink(at("segments/1.sqlite.copy-wal", path));
    unlink(at("segments/1.sqlite.copy-shm", path));
    tg_copy_remove(folder);
    assert_int_equal(access(at("2.sqlite.copy", path), F_OK), -1);
    assert_int_equal(access(at("segments/1.sqlite", path), F_OK), 0);
    sqlite3_close(db);
}

static void test_given_up(void **state)
{
    (void)state;
    struct tg_copy *copy = NULL;
    sqlite3 *db = open_db("2.sqlite", "INSERT INTO t VALUES (1, 2)");
    assert_int_equal(tg_copy_begin(folder, &copy), TG_OK);
    tg_copy_free(copy);
    tg_copy_remove(folder);
    tg_copy_free(NULL);
    sqlite3_close(db);
    assert_int_equal(tg_copy_begin("/nowhere/at/all", &copy), TG_ERR_DOWN);
    assert_null(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
