/* migrate_test.c - steps forward one by one; a newer schema is refused and left as it is; a broken step leaves no half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "store/migrate.h"
#include "store/sqlite.h"
#include "store/testkit.h"

static sqlite3 *memory(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    return db;
}

static void test_forward(void **state)
{
    (void)state;
    static const struct tg_schema one = {1, {"CREATE TABLE a (x)"}};
    static const struct tg_schema two = {2, {"CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y; CREATE TABLE b (z)"}};
    static const struct tg_schema bad = {3, {"", "", "CREATE TABLE c (z); CREATE TABLE a (x)"}};
    sqlite3 *db = memory();
    assert_int_equal(tg_migrate(db, &one), TG_OK);
    assert_int_equal(tg_sqlite_exec(db, "INSERT INTO a VALUES (1)"), TG_OK);
    assert_int_equal(tg_migrate(db, &two), TG_OK);
    assert_int_equal(tg_migrate(db, &two), TG_OK);
    assert_int_equal(tg_sqlite_exec(db, "SELECT x, y, z FROM a, b"), TG_OK);
    assert_int_equal(tg_migrate(db, &one), TG_ERR_DENIED);
    assert_int_equal(tg_migrate(db, &bad), TG_ERR_DOWN);
    assert_int_equal(tg_sqlite_exec(db, "SELECT z FROM c"), TG_ERR_DOWN); /* rolled back with the rest */
    assert_int_equal(tg_migrate(db, &two), TG_OK);
    (void)sqlite3_close(db);
}

static void newer(struct kit *kit, const char *file)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    sqlite3 *db = NULL;
    tg_store_close(kit->store);
    kit->store = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", kit->path, file);
    assert_int_equal(tg_sqlite_open(path, false, &db), TG_OK);
    assert_int_equal(tg_sqlite_exec(db, "PRAGMA user_version = 999"), TG_OK);
    (void)sqlite3_close(db);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_ERR_DENIED);
    assert_null(kit->store);
}

static void test_newer_setup(void **state)
{
    newer(*state, "tollgate.sqlite");
}

static void test_newer_segment(void **state)
{
    newer(*state, "segments/segment-0000000001.sqlite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),
                                       cmocka_unit_test_setup_teardown(test_newer_setup, kit_setup, kit_teardown),
                                       cmocka_unit_test_setup_teardown(test_newer_segment, kit_setup, kit_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
