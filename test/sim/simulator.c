/*
 * simulator.c - the keeper's own code under one seed: payments, faults, and a referee after every step.
 *
 *     keeper_simulator [--seed N] [--payments N] [--folder DIR] [--lies 1]
 *
 * Promises: without a seed one is drawn and printed; the same seed does the same, step for step, and prints the same
 * last line. --folder runs it on SQLite there, --lies on a store that says durable of what
 * is not. 0 when nothing was broken.
 * Does not: use threads, sockets, the clock or the disk (but for SQLite's).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "daemon/log.h"
#include "gates.h"
#include "host.h"
#include "model.h"
#include "world.h"

#define PAYMENTS 100000
/* After the last payment: longer than any deadline, so that nothing may be left but what is unknown. */
#define REST_US (90 * SECOND)
#define HOUR_US (3600 * SECOND)
/* Nothing takes so long but a keeper that hangs. */
#define LATEST_US (40 * HOUR_US)

static int64_t each_us(int64_t mean_us)
{
    return world_between(mean_us / 10, 2 * mean_us);
}

static void crash(void *who, uint64_t what)
{
    (void)who;
    if (world.faults) {
        if (what % 3 == 0) {
            host_fail_next_commit();
        } else {
            host_crash();
        }
        world_plan(each_us(3 * SECOND), crash, NULL, what + 1);
    }
}

static void break_link(void *who, uint64_t what)
{
    (void)who;
    if (world.faults) {
        if (what % 4 == 0) {
            gates_kill_worker();
        } else {
            gates_break_link();
        }
        world_plan(each_us(400 * MS), break_link, NULL, what + 1);
    }
}

static void hurt_sealer(void *who, uint64_t what)
{
    (void)who;
    if (world.faults) {
        if (what % 4 == 0) {
            sealer_slow(world.now_us + world_between(10 * MS, 500 * MS));
        } else {
            sealer_die();
        }
        world_plan(each_us(2 * SECOND), hurt_sealer, NULL, what + 1);
    }
}

/* An hour forth, back to where it was, an hour back, and again where it was. */
static void step_clock(void *who, uint64_t what)
{
    static const int64_t steps_us[] = {HOUR_US, 0, -HOUR_US, 0};
    (void)who;
    if (world.faults) {
        world.clock_step_us = steps_us[what % 4];
        world_plan(each_us(5 * SECOND), step_clock, NULL, what + 1);
    }
}

static void stall_disk(void *who, uint64_t what)
{
    (void)who;
    if (world.faults) {
        host_stall(world_between(5 * MS, 2500 * MS), world.now_us + world_between(10 * MS, 3 * SECOND));
        world_plan(each_us(6 * SECOND), stall_disk, NULL, what + 1);
    }
}

static void run(uint64_t payments, const char *folder, bool lies)
{
    struct host_options options = {.folder = folder, .lies = lies};
    for (size_t i = 0; i < HOST_PARTNERS; i++) {
        /* Half of them never meet their limit, half do. */
        options.day_minor[i] = i % 2 == 0 ? INT64_C(1) << 50 : (int64_t)(payments * 45000 / HOST_PARTNERS / 4);
    }
    host_begin(&options);
    gates_begin(payments);
    world_plan(each_us(1 * SECOND), crash, NULL, world_below(3));
    world_plan(each_us(1 * SECOND), break_link, NULL, 0);
    world_plan(each_us(1 * SECOND), hurt_sealer, NULL, 0);
    world_plan(each_us(1 * SECOND), step_clock, NULL, 0);
    world_plan(each_us(1 * SECOND), stall_disk, NULL, 0);
    while (!gates_done() && world_step()) {
        host_compare();
        if (world.now_us > LATEST_US) {
            world_broken("payments do not come to their end");
        }
    }
    world.faults = false;
    for (int64_t end_us = world.now_us + REST_US; world.now_us < end_us && world_step();) {
    }
    host_compare();
    if (!gates_done() || host_keeper == NULL || !tg_batch_idle(host_keeper) || model_open() != model_open_lost()) {
        world_broken("at the end: payments %s, keeper %s, %zu in flight", gates_done() ? "done" : "under way",
                     host_keeper == NULL ? "down" : (tg_batch_idle(host_keeper) ? "idle" : "busy"),
                     model_open() - model_open_lost());
    }
}

static void show(void)
{
    const struct model_counts *c = &model_counts;
    printf("%" PRIu64 " steps, %" PRId64 " s: %" PRIu64 " taken, %" PRIu64 " charges, %" PRIu64 " replays, %" PRIu64
           " same, %" PRIu64 " in flight, %" PRIu64 " unknown, %" PRIu64 " mismatch, %" PRIu64 " over quota, %" PRIu64
           " absent, %" PRIu64 " retaken, %" PRIu64 " expired, %" PRIu64 " settles, %" PRIu64 " late, %" PRIu64
           " lost, %" PRIu64 " crashes, chance %016" PRIx64 "\n",
           world.steps, world.now_us / SECOND, c->taken, c->charges, c->replay, c->same, c->in_flight, c->unknown,
           c->mismatch, c->over_quota, c->absent, c->retaken, c->expired, c->settles, c->late_settles, c->lost,
           c->crashes, world.chance);
}

static bool read_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

int main(int count, char **words)
{
    uint64_t seed = 0;
    uint64_t payments = PAYMENTS;
    uint64_t lies = 0;
    const char *folder = NULL;
    if (tg_random(&seed, sizeof(seed)) != TG_OK) {
        return 1;
    }
    seed >>= 32;
    for (int i = 1; i < count; i += 2) {
        bool fine = i + 1 < count;
        if (fine && strcmp(words[i], "--seed") == 0) {
            fine = read_number(words[i + 1], &seed);
        } else if (fine && strcmp(words[i], "--payments") == 0) {
            fine = read_number(words[i + 1], &payments);
        } else if (fine && strcmp(words[i], "--lies") == 0) {
            fine = read_number(words[i + 1], &lies);
        } else if (fine && strcmp(words[i], "--folder") == 0) {
            folder = words[i + 1];
        } else {
            fine = false;
        }
        if (!fine) {
            fprintf(stderr, "usage: keeper_simulator [--seed N] [--payments N] [--folder DIR] [--lies 1]\n");
            return 2;
        }
    }
    if (tg_log_open("simulator", "/dev/null") != TG_OK) {
        return 1;
    }
    printf("seed %" PRIu64 ", %" PRIu64 " payments\n", seed, payments);
    fflush(stdout);
    world_begin(seed);
    run(payments, folder, lies != 0);
    show();
    host_end();
    model_free();
    world_end();
    return 0;
}
