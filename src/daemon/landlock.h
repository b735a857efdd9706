/*
 * landlock.h - which paths a process may still open once it serves.
 *
 * Promises: from then on this thread, and every thread and process that it makes, opens only what the rules name;
 * it binds and connects no TCP port, reaches no abstract socket and signals nobody outside, as far as the kernel's
 * Landlock level knows these. A kernel that has Landlock and refuses is an error; one without it is level 0.
 * Does not: take back what is open already, or limit sockets that stand in the file system.
 */
#ifndef TG_DAEMON_LANDLOCK_H
#define TG_DAEMON_LANDLOCK_H

#include <stddef.h>

#include "base/err.h"

enum tg_landlock_access {
    TG_LANDLOCK_READ = 1,   /* files, and what a folder holds. A path that is not there is passed over */
    TG_LANDLOCK_CHANGE = 2, /* regular files in a folder: read, write, make, rename, remove */
    TG_LANDLOCK_WRITE = 3,  /* regular files in a folder: make and write, not read (logs) */
    TG_LANDLOCK_TREE = 4    /* CHANGE, and folders made and removed beneath */
};

struct tg_landlock_rule {
    const char *path;
    enum tg_landlock_access access;
};

/* No kernel has more; one that has will still do what is asked here. */
#define TG_LANDLOCK_LEVEL_MAX 99

/*
 * Call before threads are made. *level: 0 where the kernel has no Landlock or this is a sanitizer's build (said in
 * the log), else the level of its interface (1, 2, ...).
 */
TG_MUST_CHECK enum tg_err tg_landlock_enter(const struct tg_landlock_rule *rules, size_t count, int *level);

/* The same for files alone: the network, abstract sockets and signals stay as they are. */
TG_MUST_CHECK enum tg_err tg_landlock_enter_files(const struct tg_landlock_rule *rules, size_t count, int *level);

/* The level of the last of both in this process; 0 before. */
int tg_landlock_level(void);

/* The folder that holds path ("." where it names none), in ret; for the rule of a log file. */
TG_MUST_CHECK enum tg_err tg_landlock_folder(const char *path, char *ret, size_t ret_size);

#endif
