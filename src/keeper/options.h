/*
 * options.h - the keeper's command line.
 *
 * Promises: an option that is unknown, given twice, or has no sense is said and refused.
 * Does not: read files or the environment.
 */
#ifndef TG_KEEPER_OPTIONS_H
#define TG_KEEPER_OPTIONS_H

#include "base/err.h"
#include "keeper/keeper.h"

/* Texts in *ret are the arguments' own. TG_ERR_INPUT: said on stderr. */
TG_MUST_CHECK enum tg_err tg_options_read(int argc, char *const argv[], struct tg_keeper_options *ret);

/* The text of --help. */
const char *tg_options_help(void);

#endif
