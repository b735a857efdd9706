/*
 * guard.h - what a worker may still do once it serves: the kernel's filters around nginx and all its modules.
 *
 * Promises: from then on the worker gains no privileges, starts no program and no process, cannot be traced or dumped
 * by its own user, and makes or changes files only beneath the folders of nginx's logs, temporary files and caches.
 * What is forbidden fails with EPERM or EACCES, so that another module sees an error and nginx lives on. Whatever
 * the kernel does not give is said in the error log and by tg_gate_guard(); the worker serves all the same, since a
 * worker that ends would take every server of this nginx along.
 * Does not: limit reading or where a worker connects to (the file system's modes and the network's rules do), or
 * hold the threads of a pool by Landlock: they are made before, and the filter of system calls alone holds them.
 */
#ifndef TG_GATE_GUARD_H
#define TG_GATE_GUARD_H

/* nginx first: it sets feature macros. */
#include <ngx_config.h>
#include <ngx_core.h>

#include <stdbool.h>

struct tg_gate_guard {
    bool filtered; /* system calls are */
    bool dumpable;
    int landlock; /* level; 0: none */
};

/* Once in a worker, as the last thing before it serves. */
void tg_gate_guard_enter(ngx_cycle_t *cycle);

/* What is in force in this worker. */
struct tg_gate_guard tg_gate_guard(void);

#endif
