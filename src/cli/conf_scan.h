/*
 * conf_scan.h - the directives of an nginx configuration, one after the other, as words.
 *
 * Promises: quotes, escapes and comments are read as nginx does; blocks are entered, their words are given like a
 * directive's. Words longer than TG_CONF_WORD_BYTES_MAX and words beyond the last are cut.
 * Does not: follow includes (`nginx -T` has done that) or know what a directive means.
 */
#ifndef TG_CLI_CONF_SCAN_H
#define TG_CLI_CONF_SCAN_H

#include "base/span.h"

#include <stdbool.h>

#define TG_CONF_WORDS_MAX 8
#define TG_CONF_WORD_BYTES_MAX 256

struct tg_conf_scan {
    struct tg_span rest;
    size_t count;
    char words[TG_CONF_WORDS_MAX][TG_CONF_WORD_BYTES_MAX];
};

/* The next directive or block head in scan->words; false at the end. */
bool tg_conf_scan_next(struct tg_conf_scan *scan);

/* True when the current directive is this one. */
bool tg_conf_scan_is(const struct tg_conf_scan *scan, const char *name);

#endif
