/* gather_test.c - a commit is one write and one sync; what was not synced is not there; a failure is final. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/gather.h"
#include "store/sqlite.h"
#include "store/testkit.h"

/* ---- the VFS under it: it counts what reaches the log's file, and fails when it is told to ---- */

static struct {
    unsigned writes, syncs;
    bool full;
} disk;
static sqlite3_vfs counting, *real;
static const sqlite3_io_methods *real_methods;
static sqlite3_io_methods counting_methods;

static int count_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    disk.writes++;
    return disk.full ? SQLITE_FULL : real_methods->xWrite(file, bytes, len, at);
}

static int count_sync(sqlite3_file *file, int flags)
{
    disk.syncs++;
    return real_methods->xSync(file, flags);
}

static int count_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    int rc = real->xOpen(real, name, file, flags, ret_flags);
    if (rc != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0)
        return rc;
    real_methods = file->pMethods;
    counting_methods = *real_methods;
    counting_methods.xWrite = count_write;
    counting_methods.xSync = count_sync;
    file->pMethods = &counting_methods;
    return SQLITE_OK;
}

static void use_counting_vfs(void)
{
    real = sqlite3_vfs_find(NULL);
    counting = *real;
    counting.zName = "counting";
    counting.xOpen = count_open;
    assert_int_equal(sqlite3_vfs_register(&counting, 1), SQLITE_OK);
}

/* ---- */

static sqlite3 *open_at(const struct kit *kit)
{
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/gather.sqlite", kit->path);
    assert_int_equal(tg_sqlite_open(path, true, &db), TG_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    assert_int_equal(tg_sqlite_exec(db, sql), TG_OK);
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(tg_sqlite_prepare(db, sql, &statement), TG_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int found = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return found;
}

/* So many rows of a page each, from one number on. */
static void fill(sqlite3 *db, int from, int count)
{
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
                   "WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n LIMIT %d) "
                   "INSERT INTO t SELECT i, randomblob(3000) FROM n",
                   from, count);
    run(db, sql);
}

static void test_one_write(void **state)
{
    sqlite3 *writer = open_at(*state);
    run(writer, "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    fill(writer, 1, 5);
    sqlite3 *reader = open_at(*state);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 5);
    unsigned writes = disk.writes, syncs = disk.syncs;
    fill(writer, 6, 20);
    assert_int_equal(disk.writes - writes, 1);
    assert_int_equal(disk.syncs - syncs, 1);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 25); /* another connection reads it from the file */
    sqlite3_close(reader);
    sqlite3_close(writer);
}

/* Ten times the buffer, through a page cache that spills its frames before the commit and reads them again. */
static void test_large(void **state)
{
    sqlite3 *writer = open_at(*state);
    run(writer, "PRAGMA cache_size = 20; CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    unsigned writes = disk.writes, syncs = disk.syncs;
    run(writer, "BEGIN");
    fill(writer, 1, 300);
    assert_int_equal(number(writer, "SELECT sum(length(body)) FROM t"), 300 * 3000);
    assert_true(disk.writes > writes);
    run(writer, "ROLLBACK; BEGIN");
    fill(writer, 1000, 300);
    run(writer, "COMMIT");
    assert_int_equal(disk.syncs - syncs, 1);
    sqlite3 *reader = open_at(*state);
    assert_int_equal(number(reader, "SELECT count(*) FROM t WHERE id >= 1000"), 300);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 300);
    assert_int_equal(number(reader, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    sqlite3_close(reader);
    sqlite3_close(writer);
}

/* After a log that began anew: its head is synced before the frames that need it. */
static void test_again(void **state)
{
    sqlite3 *db = open_at(*state);
    run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    fill(db, 1, 30);
    assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL), SQLITE_OK);
    unsigned writes = disk.writes, syncs = disk.syncs;
    fill(db, 100, 5);
    assert_int_equal(disk.writes - writes, 2);
    assert_int_equal(disk.syncs - syncs, 2);
    sqlite3 *reader = open_at(*state);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 35);
    sqlite3_close(reader);
    sqlite3_close(db);
}

static void test_full(void **state)
{
    sqlite3 *db = open_at(*state);
    run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    fill(db, 1, 5);
    run(db, "BEGIN");
    fill(db, 100, 5);
    unsigned syncs = disk.syncs;
    disk.full = true;
    assert_int_equal(tg_sqlite_exec(db, "COMMIT"), TG_ERR_DOWN);
    assert_int_equal(disk.syncs, syncs); /* what was not written is not synced */
    disk.full = false;
    unsigned writes = disk.writes;
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    assert_int_equal(tg_sqlite_exec(db, "INSERT INTO t VALUES (200, x'00')"), TG_ERR_DOWN);
    assert_int_equal(disk.writes, writes);
    /* As after a crash: another connection on what the disk holds. */
    sqlite3 *reader = open_at(*state);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 5);
    sqlite3_close(reader);
    sqlite3_close(db);
    db = open_at(*state);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 5);
    sqlite3_close(db);
}

int main(void)
{
    use_counting_vfs();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_write, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_large, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_again, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_full, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
