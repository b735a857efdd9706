/* sqlite_test.c - how files are opened, and what SQLite's codes become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/sqlite.h"
#include "store/testkit.h"

static int first_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(tg_sqlite_prepare(db, sql, &statement), TG_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void test_open(void **state)
{
    struct kit *kit = *state;
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/x.sqlite", kit->path);
    assert_int_equal(tg_sqlite_open(path, true, &db), TG_OK);
    assert_int_equal(first_number(db, "PRAGMA synchronous"), 2);
    assert_int_equal(first_number(db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(tg_sqlite_exec(db, "CREATE TABLE t (b BLOB, c TEXT)"), TG_OK);
    struct stat stat_;
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 0777, 0600);
    sqlite3_stmt *put = NULL;
    assert_int_equal(tg_sqlite_prepare(db, "INSERT INTO t VALUES (?1, ?2)", &put), TG_OK);
    assert_int_equal(tg_sqlite_bind_blob(put, 1, tg_span(NULL, 0)), SQLITE_OK);
    assert_int_equal(tg_sqlite_bind_text(put, 2, tg_span(NULL, 0)), SQLITE_OK);
    assert_int_equal(tg_sqlite_run(put), TG_OK);
    sqlite3_finalize(put);
    assert_int_equal(first_number(db, "SELECT b IS NULL OR c IS NULL FROM t"), 0);
    sqlite3_stmt *rows = NULL;
    assert_int_equal(tg_sqlite_prepare(db, "SELECT 1", &rows), TG_OK);
    assert_int_equal(tg_sqlite_run(rows), TG_ERR_BUG);
    sqlite3_finalize(rows);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(tg_sqlite_open("/nowhere/x.sqlite", true, &db), TG_ERR_DOWN);
}

static void test_codes(void **state)
{
    (void)state;
    assert_int_equal(tg_sqlite_err(SQLITE_OK), TG_OK);
    assert_int_equal(tg_sqlite_err(SQLITE_DONE), TG_OK);
    assert_int_equal(tg_sqlite_err(SQLITE_NOTADB), TG_ERR_CORRUPT);
    assert_int_equal(tg_sqlite_err(SQLITE_IOERR_FSYNC), TG_ERR_DOWN);
    assert_int_equal(tg_sqlite_err(SQLITE_FULL), TG_ERR_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_open, kit_setup, kit_teardown),
                                       cmocka_unit_test(test_codes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
