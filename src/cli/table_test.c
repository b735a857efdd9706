/*
 * table_test.c - cells are plain text whatever the value holds.
 */
#include "cli/apikey.h"
#include "cli/table.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void cell_is(const char *json, const char *expected, size_t size)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    char cell[TG_TABLE_CELL_BYTES_MAX];

    tg_table_cell(value, cell, size);
    assert_string_equal(cell, expected);
    json_decref(value);
}

static void test_cells(void **state)
{
    (void)state;
    cell_is("\"a\\u001b[2Jb\"", "a?[2Jb", TG_TABLE_CELL_BYTES_MAX);
    cell_is("-12", "-12", TG_TABLE_CELL_BYTES_MAX);
    cell_is("true", "yes", TG_TABLE_CELL_BYTES_MAX);
    cell_is("null", "-", TG_TABLE_CELL_BYTES_MAX);
    cell_is("[\"a\",2]", "a,2", TG_TABLE_CELL_BYTES_MAX);
    cell_is("\"abcdef\"", "abc", 4);
}

static void test_rows(void **state)
{
    json_t *array = json_loads("[{\"a\":1}]", 0, NULL);
    json_t *object = json_pack("{s:i, s:O}", "n", 1, "rows", array);

    (void)state;
    assert_ptr_equal(tg_rows_of(array), array);
    assert_ptr_equal(tg_rows_of(object), array);
    assert_null(tg_rows_of(NULL));
    json_decref(object);
    json_decref(array);
}

static void test_operations(void **state)
{
    static const char *const wrong[] = {"", ",", "a,", ",a", "A", "a b", "*a"};
    json_t *names = tg_apikey_operations("payment.create,payment.read");
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(names), 2);
    assert_string_equal(json_string_value(json_array_get(names, 1)), "payment.read");
    json_decref(names);
    names = tg_apikey_operations("*");
    assert_int_equal(json_array_size(names), 1);
    json_decref(names);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(tg_apikey_operations(wrong[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_operations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
