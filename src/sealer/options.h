/*
 * options.h - what the command line of tollgate-sealer says.
 *
 * Promises: every value is checked; an unknown or repeated flag is an error with a line on stderr.
 * Does not: look at the file system.
 */
#ifndef TG_SEALER_OPTIONS_H
#define TG_SEALER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"

struct tg_sealer_options {
    const char *keys; /* folder */
    const char *socket;
    const char *user; /* NULL: stay who we are */
    const char *log;  /* NULL: stderr */
    const char *pid;  /* NULL: no pid file */
    uid_t keeper_uid;
    size_t keepers;   /* that may be connected at a time; 1 unless said */
    bool make_keys;
    bool help;
};

/* TG_ERR_INPUT: said on stderr. */
TG_MUST_CHECK enum tg_err tg_sealer_options_read(int count, char *const *words, struct tg_sealer_options *ret);

void tg_sealer_options_usage(FILE *to);

#endif
