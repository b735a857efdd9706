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

/* log_is_file: allows what opening the log again needs. Call when all files are open and rights are dropped. */
TG_MUST_CHECK enum tg_err tg_sandbox_enter(bool log_is_file);

#endif
