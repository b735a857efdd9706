/*
 * sandbox.h - what the keeper may ask of the kernel from now on.
 *
 * Promises: an allow-list of system calls for all threads, taken on after everything is opened;
 * another call ends the process. A build under a sanitizer does without and says so.
 * Does not: limit which files of its folders are opened.
 */
#ifndef TG_KEEPER_SANDBOX_H
#define TG_KEEPER_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The paths: the store's folder to work in, the log's folder (log: its path or NULL) to write in, and what tells an
 * operator's name to read. Before any thread is made.
 */
TG_MUST_CHECK enum tg_err tg_sandbox_paths(const char *store, const char *log);

/* The calls. When all threads are made. */
TG_MUST_CHECK enum tg_err tg_sandbox_enter(void);

/* False: this build does without. */
bool tg_sandbox_built(void);

#endif
