/*
 * clock.h - the two clocks of the keeper, and its chance.
 *
 * Promises: UTC for what is written down, monotonic for what is waited for; both in microseconds, both from tg_env.
 * Does not: mix them.
 */
#ifndef TG_KEEPER_CLOCK_H
#define TG_KEEPER_CLOCK_H

#include "keeper/env.h"

static inline int64_t tg_clock_utc_us(void)
{
    return tg_env->utc_us(tg_env->user);
}

static inline int64_t tg_clock_monotonic_us(void)
{
    return tg_env->monotonic_us(tg_env->user);
}

TG_MUST_CHECK static inline enum tg_err tg_env_random(void *bytes, size_t len)
{
    return tg_env->random(tg_env->user, bytes, len);
}

#endif
