/*
 * table.h - rows for people: JSON objects as aligned columns; or as JSON for programs.
 *
 * Promises: control bytes in values never reach the terminal.
 * Does not: sort or filter.
 */
#ifndef TG_CLI_TABLE_H
#define TG_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TG_TABLE_COLUMNS_MAX 12
#define TG_TABLE_CELL_BYTES_MAX 200

/* A JSON value as one cell's text: strings bare, arrays joined by commas, null as "-". Truncated to size. */
void tg_table_cell(const json_t *value, char *ret, size_t size);

/* Prints the named members (NULL ends) of each object in rows; "none" when there are no rows. */
void tg_table_print(const char *const *columns, const json_t *rows);

/* Prints the result of a list command as --json asks. Takes the reference. */
void tg_rows_print(json_t *rows, bool json, const char *const *columns);

#endif
