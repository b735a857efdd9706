/*
 * world.c - see world.h.
 *
 * Promises: the queue is a binary heap by moment, then by number.
 */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/env.h"

/* 2026-01-01, a day like any other. */
#define UTC_BEGIN_US INT64_C(1767225600000000)
/* A monotonic clock does not begin at zero, which code takes for "never". */
#define MONOTONIC_BEGIN_US INT64_C(1000000000)

struct event {
    int64_t at_us;
    uint64_t number;
    void (*fire)(void *who, uint64_t what);
    void *who;
    uint64_t what;
};

struct world world;
static struct event *heap;
static size_t heap_count, heap_room;
static uint64_t event_number;

static int64_t utc_us(void *user)
{
    (void)user;
    int64_t now_us = UTC_BEGIN_US + world.now_us + world.clock_step_us;
    world.utc_us_max = now_us > world.utc_us_max ? now_us : world.utc_us_max;
    return now_us;
}

static int64_t monotonic_us(void *user)
{
    (void)user;
    return MONOTONIC_BEGIN_US + world.now_us;
}

static enum tg_err random_bytes(void *user, void *bytes, size_t len)
{
    (void)user;
    for (size_t done = 0; done < len;) {
        uint64_t word = world_chance();
        size_t some = len - done < sizeof(word) ? len - done : sizeof(word);
        memcpy((uint8_t *)bytes + done, &word, some);
        done += some;
    }
    return TG_OK;
}

static const struct tg_env simulated = {utc_us, monotonic_us, random_bytes, NULL};

void world_begin(uint64_t seed)
{
    world = (struct world){.seed = seed, .chance = seed, .faults = true};
    tg_env = &simulated;
}

void world_end(void)
{
    free(heap);
    heap = NULL;
    heap_count = heap_room = 0;
}

int64_t world_utc_us(void)
{
    return utc_us(NULL);
}

/* splitmix64 (public domain by its author, S. Vigna): the next of a sequence that any seed begins. */
uint64_t world_chance(void)
{
    world.chance += 0x9e3779b97f4a7c15u;
    uint64_t word = world.chance;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

uint64_t world_below(uint64_t count)
{
    return world_chance() % count;
}

int64_t world_between(int64_t from_us, int64_t to_us)
{
    return from_us + (int64_t)world_below((uint64_t)(to_us - from_us) + 1);
}

bool world_happens(uint64_t count)
{
    return world_below(1000000) < count;
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void world_plan(int64_t wait_us, void (*fire)(void *who, uint64_t what), void *who, uint64_t what)
{
    if (heap_count == heap_room) {
        heap_room = heap_room == 0 ? 4096 : heap_room * 2;
        heap = reallocarray(heap, heap_room, sizeof(*heap));
        if (heap == NULL) {
            abort();
        }
    }
    struct event event = {world.now_us + wait_us, event_number++, fire, who, what};
    size_t at = heap_count++;
    for (; at > 0 && before(&event, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = event;
}

bool world_step(void)
{
    if (heap_count == 0) {
        return false;
    }
    struct event first = heap[0];
    struct event last = heap[--heap_count];
    size_t at = 0;
    for (size_t child = 1; child < heap_count; child = 2 * at + 1) {
        child += child + 1 < heap_count && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    if (heap_count > 0) {
        heap[at] = last;
    }
    world.now_us = first.at_us;
    world.steps++;
    first.fire(first.who, first.what);
    return true;
}

_Noreturn void world_broken(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ", %" PRId64 " us: ", world.seed, world.steps, world.now_us);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nagain: keeper_simulator --seed %" PRIu64 "\n", world.seed);
    va_end(arguments);
    exit(1);
}
