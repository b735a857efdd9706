/*
 * sealer_crash_test.c - the sealer's files (master.key, answers.ring), ended at every write, sync and name that it
 * makes.
 *
 * Keys are made and destroyed, segments that share a slot among them. For every operation: the power goes there, or the
 * process is killed there and the power goes later, or that call fails (with the writes of a failed sync lost, seen
 * or not). Then the sealer starts again: it must, with the master key and every segment key that it acknowledged, and
 * without those that it said are destroyed; what it finds then stays, for it seals under it.
 *
 * TOLLGATE_CRASH=FIRST-LAST runs these seeds and says how many ends were tried.
 * Does not: speak to a keeper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"
#include "disk.h"
#include "sealer/keys.h"
#include "sealer/ring.h"

#define FOLDER DISK_ROOT "/keys"
#define STEPS_MAX 64

/* Neighbours, and three that want one slot. */
static const uint32_t segments[] = {1, 2, 3, 4, 4 + TG_RING_SLOTS, 4 + 2 * TG_RING_SLOTS, TG_RING_SLOTS - 1, 7};
#define SEGMENTS (sizeof(segments) / sizeof(segments[0]))

struct held {
    bool made; /* the two files */
    uint8_t fixed[TG_KEY_BYTES];
    bool there[SEGMENTS];
    uint8_t keys[SEGMENTS][TG_KEY_BYTES];
};

struct step {
    size_t begin, end; /* operations */
    struct held before, after;
    bool open; /* never acknowledged: either, for good */
};

struct life {
    struct disk *base;
    struct disk_log log;
    struct step steps[STEPS_MAX];
    size_t count;
};

static struct {
    uint64_t ends, starts, faults, failures;
} * numbers;
static struct {
    uint64_t first, last;
    size_t steps;
    unsigned draws, more, depth; /* cuts by chance; ends of each later life; later lives */
    bool said;
} plan = {1, 1, 5, 0, 1, 1, false};
static char where[3][160];
static struct tg_ring ring;
static bool fault_happened;

static bool differs(const char *what, unsigned number)
{
    if (numbers->failures++ < 20) {
        (void)fprintf(stderr, "# FAILED: %s (%u)\n    %s\n    %s\n    %s\n", what, number, where[0], where[1],
                      where[2]);
    }
    return false;
}

/* ---- one life ---- */

static struct step *add_step(struct life *life, const struct held *before, const struct held *after)
{
    assert_true(life->count < STEPS_MAX);
    struct step *step = &life->steps[life->count++];
    *step = (struct step){.begin = life->log.count, .before = *before, .after = *after, .open = true};
    return step;
}

static void end_step(struct life *life, struct step *step, const struct held *held)
{
    step->end = life->log.count;
    step->open = false;
    step->before = step->after = *held;
}

static bool is_known(const uint8_t key[TG_KEY_BYTES])
{
    static const uint8_t unknown[TG_KEY_BYTES];
    return memcmp(key, unknown, TG_KEY_BYTES) != 0;
}

/* What a start finds: of each segment what one of the two moments says. */
static bool find_all(const struct held *first, const struct held *second, struct held *ret)
{
    *ret = *second;
    for (unsigned i = 0; i < SEGMENTS; i++) {
        const uint8_t *key = tg_ring_find(&ring, segments[i]);
        ret->there[i] = key != NULL;
        if (first->there[i] && second->there[i] && key == NULL) {
            return differs("a key that was acknowledged is not there: segment", segments[i]);
        }
        if (!first->there[i] && !second->there[i] && key != NULL) {
            return differs("a key is there that was destroyed, or never made: segment", segments[i]);
        }
        if (key == NULL) {
            continue;
        }
        const struct held *known = first->there[i] ? first : second;
        if (is_known(known->keys[i]) && memcmp(key, known->keys[i], TG_KEY_BYTES) != 0) {
            return differs("another key than was acknowledged: segment", segments[i]);
        }
        memcpy(ret->keys[i], key, TG_KEY_BYTES);
    }
    return true;
}

static bool start_failed(const char *what, enum tg_err err)
{
    return fault_happened || differs(what, (unsigned)-err);
}

/* --make-keys. *ret_on: acknowledged. */
static bool make(struct life *life, int folder, struct held *first, struct held *second, bool *ret_on)
{
    struct step *step = add_step(life, first, second);
    enum tg_err err = tg_keys_create(folder);
    if (err == TG_OK) {
        err = tg_ring_create(folder);
    }
    step->end = life->log.count;
    *ret_on = err == TG_OK;
    if (err != TG_OK) {
        return start_failed("THE KEYS ARE NOT MADE", err);
    }
    first->made = second->made = true;
    step->before = *first;
    step->after = *second;
    return true;
}

/* As main.c does it. *ret_on: the sealer serves. */
static bool start(int folder, const struct held *first, const struct held *second, struct held *ret, bool *ret_on)
{
    struct tg_keys keys;
    *ret_on = false;
    enum tg_err err = tg_keys_load(&keys, folder, geteuid());
    if (err != TG_OK) {
        return start_failed("THE SEALER DOES NOT START: master.key", err);
    }
    static uint8_t wrap[TG_KEY_BYTES];
    memcpy(wrap, tg_keys_find(&keys, TG_KEYS_RING, TG_KEY_USE_WRAP), sizeof(wrap));
    tg_keys_free(&keys);
    err = tg_ring_open(&ring, folder, wrap);
    if (err != TG_OK) {
        return start_failed("THE SEALER DOES NOT START: answers.ring", err);
    }
    if (!find_all(first, second, ret)) {
        return false;
    }
    if ((is_known(first->fixed) && memcmp(first->fixed, wrap, sizeof(wrap)) != 0) ||
        (is_known(second->fixed) && memcmp(second->fixed, wrap, sizeof(wrap)) != 0)) {
        return differs("another master key than was acknowledged", 0);
    }
    memcpy(ret->fixed, wrap, sizeof(wrap));
    *ret_on = true;
    return true;
}

/* Makes or destroys; false: wrong. *ret_on: acknowledged. */
static bool go(struct life *life, struct held *held, uint64_t draw, bool *ret_on)
{
    unsigned i = (unsigned)(draw % SEGMENTS);
    struct held after = *held;
    bool make = (draw >> 8) % 3 > 0;
    after.there[i] = make;
    if (make && !held->there[i]) {
        memset(after.keys[i], 0, TG_KEY_BYTES); /* which one is not known before it is acknowledged */
    }
    struct step *step = add_step(life, held, &after);
    enum tg_err err = make ? tg_ring_make(&ring, segments[i]) : tg_ring_destroy(&ring, segments[i]);
    *ret_on = err == TG_OK;
    if (err != TG_OK) {
        step->end = life->log.count;
        return fault_happened || differs("a key was not made or destroyed", segments[i]);
    }
    const uint8_t *key = tg_ring_find(&ring, segments[i]);
    if ((key != NULL) != make || (make && held->there[i] && memcmp(key, held->keys[i], TG_KEY_BYTES) != 0)) {
        return differs("what was acknowledged is not so", segments[i]);
    }
    if (make) {
        memcpy(after.keys[i], key, TG_KEY_BYTES);
    }
    *held = after;
    end_step(life, step, held);
    return true;
}

/* Takes the disk. */
static bool run(struct life *life, struct disk *disk, const struct held *first, const struct held *second,
                uint64_t seed, size_t steps, disk_hook hook, void *user)
{
    *life = (struct life){.base = disk_clone(disk)};
    struct held held;
    bool on = false;
    fault_happened = false;
    ring.fd = -1;
    numbers->starts++;
    disk_mount(disk, &life->log, hook, user);
    int folder = open(FOLDER, O_RDONLY | O_DIRECTORY);
    struct held one = *first, other = *second;
    bool made = one.made && other.made;
    bool ok = folder >= 0 && (made || make(life, folder, &one, &other, &made));
    if (ok && made) {
        struct step *step = add_step(life, &one, &other);
        ok = start(folder, &one, &other, &held, &on);
        step->end = life->log.count;
        if (on) {
            end_step(life, step, &held);
        }
    }
    for (size_t i = 0; ok && on && i < steps; i++) {
        ok = go(life, &held, disk_mix(seed, i), &on);
    }
    tg_ring_close(&ring);
    disk_mount(NULL, NULL, NULL, NULL);
    disk_free(disk);
    return ok;
}

static void free_life(struct life *life)
{
    disk_log_free(&life->log);
    disk_free(life->base);
}

/* ---- its ends ---- */

static const struct step *step_at(const struct life *life, size_t at, const struct held **ret_first,
                                  const struct held **ret_second)
{
    size_t i = life->count - 1;
    while (i > 0 && life->steps[i].begin >= at) {
        i--;
    }
    const struct step *step = &life->steps[i];
    *ret_first = &step->before;
    *ret_second = &step->after;
    return step;
}

/* A step that is over holds one moment; in its middle it may be the one before, too. */
static void wanted_at(const struct life *life, size_t at, struct held *ret_first, struct held *ret_second)
{
    const struct held *first, *second;
    const struct step *step = step_at(life, at, &first, &second);
    *ret_first = *first;
    *ret_second = *second;
    if (!step->open && at < step->end && step != life->steps) {
        *ret_first = step[-1].after;
    }
}

static bool go_on(struct disk *disk, const struct held *first, const struct held *second, uint64_t seed, unsigned depth)
{
    struct life life;
    bool ok = run(&life, disk, first, second, seed, depth > 0 ? 2 : 0, NULL, NULL);
    for (unsigned i = 0; ok && depth > 0 && i <= plan.more; i++) { /* its first answer, then drawn places */
        uint64_t own = disk_mix(seed, 50 + i);
        size_t at = i == 0 ? life.steps[0].end : own % (life.log.count + 1);
        struct held one, other;
        struct disk_cut cut = {i == 0 ? DISK_KEEP_NONE : DISK_KEEP_SOME, i == 0 ? DISK_KEEP_NONE : DISK_KEEP_SOME,
                               false, own};
        struct disk *next = disk_clone(life.base);
        for (size_t j = 0; j < at; j++) {
            disk_apply(next, &life.log.ops[j]);
        }
        if (at < life.steps[0].end) { /* nothing was answered yet */
            one = *first;
            other = *second;
        } else {
            wanted_at(&life, at, &one, &other);
        }
        (void)snprintf(where[1], sizeof(where[1]), "then at %zu of %zu, seed %ju", at, life.log.count, (uintmax_t)own);
        numbers->ends++;
        disk_cut(next, &cut);
        ok = go_on(next, &one, &other, own, depth - 1) && ok;
        where[1][0] = '\0';
    }
    free_life(&life);
    return ok;
}

static struct disk *new_disk(void)
{
    struct disk *disk = disk_new();
    static const struct disk_cut all = {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0};
    struct disk_op folder = {.kind = DISK_MAKE_FOLDER, .node = 1, .name = "keys"};
    disk_apply(disk, &folder);
    disk_cut(disk, &all);
    return disk;
}

static bool cut_everywhere(const struct life *life, uint64_t seed)
{
    static const struct disk_cut cuts[] = {
        {DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0}, {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0},
        {DISK_KEEP_NONE, DISK_KEEP_ALL, false, 0},  {DISK_KEEP_ALL, DISK_KEEP_NONE, false, 0},
        {DISK_KEEP_ALL, DISK_KEEP_ALL, true, 0},    {DISK_KEEP_ALL, DISK_KEEP_ALL, true, 1},
    };
    const size_t fixed = sizeof(cuts) / sizeof(cuts[0]);
    static const struct held nothing;
    struct disk *now = disk_clone(life->base);
    bool ok = true;
    for (size_t at = 0; at <= life->log.count; at++) {
        struct held first, second;
        wanted_at(life, at, &first, &second);
        if (at < life->steps[0].end) {
            first = second = nothing;
        }
        for (size_t i = 0; i <= fixed + plan.draws; i++) {
            struct disk *disk = disk_clone(now);
            uint64_t own = disk_mix(seed * 100 + i, at);
            struct disk_cut some = {DISK_KEEP_SOME, DISK_KEEP_SOME, false, own};
            bool kill = i == fixed + plan.draws;
            if (!kill) {
                disk_cut(disk, i < fixed ? &cuts[i] : &some);
            }
            (void)snprintf(where[0], sizeof(where[0]), "seed %ju, at %zu of %zu, %s %zu", (uintmax_t)seed, at,
                           life->log.count, kill ? "killed" : "power cut", i);
            numbers->ends++;
            ok = go_on(disk, &first, &second, own, plan.depth) && ok;
        }
        if (at < life->log.count) {
            disk_apply(now, &life->log.ops[at]);
        }
    }
    disk_free(now);
    return ok;
}

static void say(const char *what, uint64_t seed)
{
    if (plan.said) {
        print_message("# sealer, %s, seed %ju: %ju ends, %ju starts, %ju failed calls, %ju failures\n", what,
                      (uintmax_t)seed, (uintmax_t)numbers->ends, (uintmax_t)numbers->starts, (uintmax_t)numbers->faults,
                      (uintmax_t)numbers->failures);
    }
}

static void test_power_cut_everywhere(void **state)
{
    (void)state;
    static const struct held nothing;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        struct life life;
        bool ok =
            run(&life, new_disk(), &nothing, &nothing, seed, plan.steps, NULL, NULL) && cut_everywhere(&life, seed);
        free_life(&life);
        say("power cuts", seed);
        assert_true(ok);
    }
}

/* ---- a call fails ---- */

static const struct {
    bool sync;
    struct disk_fault fault;
} faults[] = {
    {false, {DISK_FAIL, EIO, 0}},     {false, {DISK_FAIL, ENOSPC, 0}},  {false, {DISK_FAIL_HALF, ENOSPC, 0}},
    {true, {DISK_FAIL, EIO, 0}},      {true, {DISK_FAIL_LOSE, EIO, 0}}, {true, {DISK_FAIL_LOSE, EIO, 77}},
    {true, {DISK_FAIL_BACK, EIO, 0}},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

struct failing {
    size_t which; /* FAULTS: the parent */
    bool shut, ok;
};

static struct disk_fault fail_one(void *user, const struct disk_op *op, uint64_t number)
{
    struct failing *failing = user;
    if (failing->shut) {
        return (struct disk_fault){DISK_FAIL, EIO, 0};
    }
    for (size_t i = 0; failing->which == FAULTS && i < FAULTS; i++) {
        if (faults[i].sync != (op->kind == DISK_SYNC)) {
            continue;
        }
        numbers->faults++;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char what[100];
            failing->which = i;
            failing->shut = faults[i].fault.act >= DISK_FAIL_LOSE && disk_is_folder(disk_mounted(), op->node);
            fault_happened = true;
            disk_say(disk_mounted(), op, what, sizeof(what));
            (void)snprintf(where[0], sizeof(where[0]), "call %ju fails (%s), fault %zu", (uintmax_t)number, what, i);
            return faults[i].fault;
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        failing->ok = failing->ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return (struct disk_fault){0};
}

/* The process is gone behind the fault; the power goes with it, or later. */
static bool end_behind(const struct life *life, uint64_t seed, bool shut)
{
    static const struct disk_cut cuts[] = {{DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0},
                                           {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0},
                                           {DISK_KEEP_SOME, DISK_KEEP_SOME, false, 9}};
    bool ok = true;
    const size_t ends = sizeof(cuts) / sizeof(cuts[0]) + (shut ? 0 : 1); /* who shut down comes back by a new mount */
    for (size_t i = 0; i < ends; i++) {
        struct disk *disk = disk_clone(life->base);
        struct held first, second;
        for (size_t j = 0; j < life->log.count; j++) {
            disk_apply(disk, &life->log.ops[j]);
        }
        if (i < sizeof(cuts) / sizeof(cuts[0])) {
            disk_cut(disk, &cuts[i]);
        }
        const struct step *last = &life->steps[life->count - 1];
        first = last->before;
        second = last->after;
        (void)snprintf(where[2], sizeof(where[2]), "behind it end %zu", i);
        numbers->ends++;
        ok = go_on(disk, &first, &second, disk_mix(seed, i), plan.depth) && ok;
    }
    return ok;
}

static void test_every_call_fails(void **state)
{
    (void)state;
    static const struct held nothing;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        struct life life;
        struct failing failing = {.which = FAULTS, .ok = true};
        bool ok = run(&life, new_disk(), &nothing, &nothing, seed, plan.steps, fail_one, &failing);
        if (failing.which < FAULTS) {
            _exit(ok && end_behind(&life, seed, failing.shut) ? 0 : 1);
        }
        free_life(&life);
        say("failed calls", seed);
        assert_true(ok && failing.ok);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_everywhere),
        cmocka_unit_test(test_every_call_fails),
    };
    const char *wish = getenv("TOLLGATE_CRASH");
    if (wish != NULL) {
        char *end = NULL;
        plan.first = strtoull(wish, &end, 10);
        plan.last = *end == '-' ? strtoull(end + 1, NULL, 10) : plan.first;
        plan.steps = 60;
        plan.draws = 8;
        plan.more = plan.depth = 2;
        plan.said = true;
    }
    plan.said = plan.said || getenv("CRASH_SAY") != NULL;
    numbers = mmap(NULL, sizeof(*numbers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30); /* the ring is 2 MB: fresh pages for each copy took most of the time */
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    if (numbers == MAP_FAILED || tg_log_open("test", "/dev/null") != TG_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
