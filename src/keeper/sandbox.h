/*
 * sandbox.h - what the keeper may ask of the kernel from now on.
 *
 * Promises: an allow-list of system calls for all threads, taken on after everything is opened;
 * another call ends the process. A build under a sanitizer does without and says so.
 * Does not: limit paths.
 */
#ifndef TG_KEEPER_SANDBOX_H
#define TG_KEEPER_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

TG_MUST_CHECK enum tg_err tg_sandbox_enter(void);

/* False: this build does without. */
bool tg_sandbox_built(void);

#endif
