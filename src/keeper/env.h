/*
 * env.h - what the keeper's decisions take from outside: two clocks and randomness, through one table.
 *
 * Promises: nothing that decides asks the system for time or chance but through tg_env; a simulator puts its own
 * table in its place before the first call, so that one seed replays one schedule.
 * Does not: change while threads run.
 */
#ifndef TG_KEEPER_ENV_H
#define TG_KEEPER_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tg_env {
    int64_t (*utc_us)(void *user);
    int64_t (*monotonic_us)(void *user);
    enum tg_err (*random)(void *user, void *bytes, size_t len);
    void *user;
};

/* The system's own until it is set. */
extern const struct tg_env *tg_env;

#endif
