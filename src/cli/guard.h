/*
 * guard.h - what protects a running process, by the kernel's own word (/proc/PID/status).
 *
 * Promises: reads only what every user may read; a process that is gone gives nothing.
 * Does not: judge (doctor.c does).
 */
#ifndef TG_CLI_GUARD_H
#define TG_CLI_GUARD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct tg_guard {
    uid_t uid; /* effective */
    bool no_new_privs;
    int seccomp;           /* 0 none, 1 strict, 2 filter */
    uint64_t capabilities; /* effective */
};

/* TG_ERR_ABSENT: there is no such process, or it cannot be looked at. */
TG_MUST_CHECK enum tg_err tg_guard_read(pid_t pid, struct tg_guard *ret);

/* The same from the text of the file. */
TG_MUST_CHECK enum tg_err tg_guard_parse(const char *text, struct tg_guard *ret);

/* The first child of a process (a worker of nginx), or 0. */
pid_t tg_guard_child(pid_t pid);

#endif
