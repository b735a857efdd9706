/*
 * sandbox.h - the system calls that the sealer's loop needs, and no others.
 *
 * Promises: after tg_sandbox_enter any other call kills the process: no file can be read, no socket made, no
 * program started, no memory made executable.
 * Does not: run in builds with AddressSanitizer (daemon/daemon.h); then it says so in the log.
 */
#ifndef TG_SEALER_SANDBOX_H
#define TG_SEALER_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>

/*
 * log: path of the log file, or NULL; it allows what opening the log again needs, and nothing else is left to open
 * (Landlock). Call when all files are open and rights are dropped.
 */
TG_MUST_CHECK enum tg_err tg_sandbox_enter(const char *log);

/* 1 while the filter of system calls is in force. */
bool tg_sandbox_filtered(void);

#endif
