/*
 * env.c - the system's clocks and randomness.
 *
 * Promises: as env.h.
 * Does not: fail for the clocks; they are always there.
 */
#include "keeper/env.h"

#include <time.h>

#include "crypto/crypto.h"

#include "base/banned.h"

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t utc_us(void *user)
{
    (void)user;
    return read_us(CLOCK_REALTIME);
}

static int64_t monotonic_us(void *user)
{
    (void)user;
    return read_us(CLOCK_MONOTONIC);
}

static enum tg_err random_bytes(void *user, void *bytes, size_t len)
{
    (void)user;
    return tg_random(bytes, len);
}

static const struct tg_env system_env = {utc_us, monotonic_us, random_bytes, NULL};
const struct tg_env *tg_env = &system_env;
