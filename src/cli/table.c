/*
 * table.c - see table.h.
 */
#include "cli/table.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void cell_put(char *ret, size_t size, size_t *len, const char *text, size_t text_len)
{
    size_t i;

    for (i = 0; i < text_len && *len + 1 < size; i++) {
        unsigned char byte = (unsigned char)text[i];

        ret[(*len)++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    ret[*len] = '\0';
}

static void cell_add(const json_t *value, char *ret, size_t size, size_t *len)
{
    char number[40];
    size_t i;

    if (json_is_string(value)) {
        cell_put(ret, size, len, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        int written = snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));

        cell_put(ret, size, len, number, (size_t)written);
    } else if (json_is_real(value)) {
        int written = snprintf(number, sizeof(number), "%.3f", json_real_value(value));

        cell_put(ret, size, len, number, (size_t)written);
    } else if (json_is_boolean(value)) {
        cell_put(ret, size, len, json_is_true(value) ? "yes" : "no", json_is_true(value) ? 3 : 2);
    } else if (json_is_array(value)) {
        for (i = 0; i < json_array_size(value); i++) {
            if (i > 0) {
                cell_put(ret, size, len, ",", 1);
            }
            cell_add(json_array_get(value, i), ret, size, len);
        }
    } else {
        cell_put(ret, size, len, "-", 1);
    }
}

void tg_table_cell(const json_t *value, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    cell_add(value, ret, size, &len);
}

/* Bytes of a column's name without the "_s" of a time; all of it where it is none. */
static size_t head_len(const char *column)
{
    size_t len = strlen(column);

    return len > 2 && strcmp(column + len - 2, "_s") == 0 ? len - 2 : len;
}

static void column_cell(const json_t *row, const char *column, char ret[TG_TABLE_CELL_BYTES_MAX])
{
    const json_t *value = json_object_get(row, column);
    time_t at_s = (time_t)json_integer_value(value);
    struct tm parts;

    if (column[head_len(column)] == '\0' || !json_is_integer(value) || gmtime_r(&at_s, &parts) == NULL) {
        tg_table_cell(value, ret, TG_TABLE_CELL_BYTES_MAX);
    } else if (at_s == 0) {
        memcpy(ret, "-", 2);
    } else {
        (void)strftime(ret, TG_TABLE_CELL_BYTES_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
}

void tg_table_print(const char *const *columns, const json_t *rows)
{
    size_t widths[TG_TABLE_COLUMNS_MAX] = {0};
    char cell[TG_TABLE_CELL_BYTES_MAX];
    size_t count = 0;
    size_t row;
    size_t i;

    for (; count < TG_TABLE_COLUMNS_MAX && columns[count] != NULL; count++) {
        widths[count] = head_len(columns[count]);
    }
    for (row = 0; row < json_array_size(rows); row++) {
        for (i = 0; i < count; i++) {
            size_t len;

            column_cell(json_array_get(rows, row), columns[i], cell);
            len = strlen(cell);
            widths[i] = len > widths[i] ? len : widths[i];
        }
    }
    if (json_array_size(rows) == 0) {
        (void)printf("none\n");
        return;
    }
    for (i = 0; i < count; i++) {
        (void)printf("%-*.*s%s", i + 1 == count ? 0 : (int)widths[i], (int)head_len(columns[i]), columns[i],
                     i + 1 == count ? "\n" : "  ");
    }
    for (row = 0; row < json_array_size(rows); row++) {
        for (i = 0; i < count; i++) {
            column_cell(json_array_get(rows, row), columns[i], cell);
            (void)printf("%-*s%s", i + 1 == count ? 0 : (int)widths[i], cell, i + 1 == count ? "\n" : "  ");
        }
    }
}

const json_t *tg_rows_of(const json_t *result)
{
    const char *name;
    json_t *value;

    if (json_is_array(result)) {
        return result;
    }
    json_object_foreach((json_t *)(uintptr_t)result, name, value) {
        if (json_is_array(value)) {
            return value;
        }
    }
    return NULL;
}

void tg_rows_print(json_t *rows, bool json, const char *const *columns)
{
    const json_t *list = tg_rows_of(rows);

    if (json) {
        (void)json_dumpf(list == NULL ? rows : list, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
        (void)printf("\n");
    } else {
        tg_table_print(columns, list);
    }
    json_decref(rows);
}
