/*
 * option.h - a command's options as a table, and what a command line said about them.
 *
 * Promises: "--name value" and "--name=value" mean the same; "--" ends the
 * options; an option that is not in the table, comes twice, or lacks its value
 * is refused with a sentence that says so. Values are borrowed from argv.
 * Does not: print, exit, or read files.
 */
#ifndef TG_CLI_OPTION_H
#define TG_CLI_OPTION_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TG_OPTIONS_MAX 32      /* rows of the longest table (pay) with room */
#define TG_OPTION_REPEATS_MAX 16 /* values of one repeatable option */
#define TG_POSITIONALS_MAX 4

enum tg_option_kind {
    TG_OPTION_FLAG = 1, /* stands alone */
    TG_OPTION_TEXT = 2, /* one value */
    TG_OPTION_MANY = 3  /* one value, may come again */
};

struct tg_option {
    const char *name;  /* without the dashes; NULL ends a table */
    char letter;       /* short form, or 0 */
    uint8_t kind;      /* enum tg_option_kind */
    const char *value; /* "FILE": for help; NULL for flags */
    const char *help;
};

struct tg_option_seen {
    size_t count;
    const char *values[TG_OPTION_REPEATS_MAX];
};

struct tg_arguments {
    const struct tg_option *options;
    struct tg_option_seen seen[TG_OPTIONS_MAX];
    size_t positional_count;
    const char *positionals[TG_POSITIONALS_MAX];
    char why[160]; /* what is wrong, when parsing failed */
};

/* Reads argv[0..argc) (without program and command words). TG_ERR_INPUT: see ret->why. */
TG_MUST_CHECK enum tg_err tg_arguments_parse(const struct tg_option *options, int argc, char **argv,
                                             struct tg_arguments *ret);

bool tg_arguments_flag(const struct tg_arguments *arguments, const char *name);

/* The value, or NULL where it was not given. */
const char *tg_arguments_text(const struct tg_arguments *arguments, const char *name);

/* The value, or `otherwise`. */
const char *tg_arguments_text_or(const struct tg_arguments *arguments, const char *name, const char *otherwise);

/* The positional word at index, or NULL. */
const char *tg_arguments_word(const struct tg_arguments *arguments, size_t index);

/* All values of a repeatable option. */
const struct tg_option_seen *tg_arguments_many(const struct tg_arguments *arguments, const char *name);

/* A decimal integer within [least, most]; *ret keeps what it held where the option was not given. */
TG_MUST_CHECK enum tg_err tg_arguments_number(struct tg_arguments *arguments, const char *name, int64_t least,
                                              int64_t most, int64_t *ret);

/* Decimal digits with an optional minus, nothing else. */
TG_MUST_CHECK enum tg_err tg_number_parse(const char *text, int64_t *ret);

#endif
