/*
 * world.h - the simulator's time, chance and what happens next.
 *
 * Promises: one seed gives one order of events: time is virtual, chance is drawn from the seed, events of one moment
 * happen in the order in which they were planned. What breaks a promise of the keeper ends the program with the seed.
 * Does not: know the keeper, but that it takes its clocks and chance from here (keeper/env.h).
 */
#ifndef TG_SIM_WORLD_H
#define TG_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)

struct world {
    uint64_t seed, chance;
    int64_t now_us;        /* since the beginning */
    int64_t clock_step_us; /* of the wall clock */
    int64_t utc_us_max;    /* the latest that was ever read */
    uint64_t steps;
    bool faults; /* still allowed */
};

extern struct world world;

void world_begin(uint64_t seed);
void world_end(void);

uint64_t world_chance(void);
uint64_t world_below(uint64_t count);
int64_t world_between(int64_t from_us, int64_t to_us);
/* True in `count` of a million cases. */
bool world_happens(uint64_t count);

int64_t world_utc_us(void);

void world_plan(int64_t wait_us, void (*fire)(void *who, uint64_t what), void *who, uint64_t what);
/* The next event; false when there is none. */
bool world_step(void);

/* The first broken promise: says seed, moment and text, and ends the program. */
_Noreturn void world_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
