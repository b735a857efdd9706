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

/*
 * Prints the named members (NULL ends) of each object in rows; "none" when there are no rows. A member NAME_s holds
 * seconds since 1970 and is shown as a UTC time under NAME, 0 as "-".
 */
void tg_table_print(const char *const *columns, const json_t *rows);

/* The rows in a list command's result: keepers answer an array, or an object with one. NULL: neither. */
const json_t *tg_rows_of(const json_t *result);

/* Prints the result of a list command as --json asks. Takes the reference. */
void tg_rows_print(json_t *rows, bool json, const char *const *columns);

#endif
