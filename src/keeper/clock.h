/*
 * clock.h - the two clocks of the keeper.
 *
 * Promises: UTC for what is written down, monotonic for what is waited for; both in microseconds.
 * Does not: mix them.
 */
#ifndef TG_KEEPER_CLOCK_H
#define TG_KEEPER_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t tg_clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t tg_clock_utc_us(void)
{
    return tg_clock_us(CLOCK_REALTIME);
}

static inline int64_t tg_clock_monotonic_us(void)
{
    return tg_clock_us(CLOCK_MONOTONIC);
}

#endif
