/*
 * lives.c - running, recording and ending lives; see lives.h.
 *
 * Promises: as lives.h. Does not: choose where a life ends (the tests do).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lives.h"
#include "memory.h"

struct lives_numbers *lives_numbers;

void lives_prepare(void)
{
    lives_numbers = mmap(NULL, sizeof(*lives_numbers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(lives_numbers, MAP_FAILED);
}

/* ---- where we are ---- */

#define LEVELS 16
static char levels[LEVELS][200];
static unsigned level;

void lives_enter(const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    (void)vsnprintf(levels[level < LEVELS ? level : LEVELS - 1], sizeof(levels[0]), format, rest);
    va_end(rest);
    level++;
}

void lives_leave(void)
{
    level--;
}

bool lives_failed(void)
{
    if (lives_numbers->failures++ < 20) {
        char text[4096];
        size_t len = 0;
        for (unsigned i = 0; i < level && i < LEVELS && len < sizeof(text); i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "    %s\n", levels[i]);
        }
        (void)fprintf(stderr, "# FAILED: %s\n%s", world_fault, text);
    }
    return false;
}

/* ---- one life ---- */

static struct world world;

static struct world_moment *new_moment(void)
{
    struct world_moment *moment = malloc(sizeof(*moment));
    assert_non_null(moment);
    return moment;
}

/* What the store shows now, held against the model; NULL: it is wrong, or (world_unread) a read failed. */
static struct world_moment *look(void)
{
    struct world_moment *moment = new_moment();
    moment->model = world.model;
    if (world_look(&world, &moment->view) && world_agrees(&moment->view, &moment->model, world.kit.now_us)) {
        return moment;
    }
    free(moment);
    return NULL;
}

/* Behind a fault a read may fail, which ends the process; what was acknowledged is known from the rehearsal. */
static struct world_moment *look_behind(struct lives_life *life, const struct lives_fault *fault)
{
    struct world_moment *moment = look();
    const struct lives_life *rehearsal = fault == NULL ? NULL : fault->rehearsal;
    if (moment == NULL && world_unread && fault != NULL && fault->happened && life->count <= rehearsal->count) {
        life->broke = true;
        moment = new_moment();
        *moment = *rehearsal->steps[life->count - 1].held;
    }
    return moment;
}

struct orphans {
    const struct tg_store *store;
    bool found;
    char name[DISK_NAME_BYTES];
};

/* Files of a segment that the list does not know, or knows as gone; one more than the open one is for the next
 * rotation. */
static void see_file(void *user, const char *name)
{
    struct orphans *orphans = user;
    char *end = NULL;
    unsigned long number = strncmp(name, "segment-", 8) == 0 ? strtoul(name + 8, &end, 10) : 0;
    const struct tg_segment_info *info = tg_state_info(orphans->store, (uint32_t)number);
    if (number == 0 || (info == NULL && number <= orphans->store->open.number) ||
        (info != NULL && info->leaving == TG_LEAVING_GONE)) {
        orphans->found = true;
        (void)snprintf(orphans->name, sizeof(orphans->name), "%s", name);
    }
}

static bool check_files(const struct disk *disk)
{
    struct orphans orphans = {.store = world.kit.store};
    disk_list(disk, "store/segments", see_file, &orphans);
    return !orphans.found || world_differs("%s is left of a segment that is gone", orphans.name);
}

static struct lives_step *add_step(struct lives_life *life, const char *what)
{
    struct lives_step *step = &life->steps[life->count++];
    *step = (struct lives_step){.what = what, .now_us = world.kit.now_us, .begin = life->log.count};
    return step;
}

static bool begin(struct lives_life *life, const struct disk *disk, const struct lives_wanted *wanted,
                  const struct lives_fault *fault)
{
    world.kit.now_us = wanted->now_us;
    world.draw = disk_mix(life->seed, 5);
    world.destroy_count = 0;
    struct lives_step *step = add_step(life, "start");
    step->first = wanted->first;
    step->second = wanted->second;
    step->mixed = wanted->mixed;
    step->begin = 0;
    lives_numbers->starts++;
    memory_inside(true);
    enum tg_err err = world_open(&world);
    memory_inside(false);
    step->end = life->log.count;
    if (err != TG_OK && fault != NULL && fault->happened) {
        lives_numbers->refusals++;
        life->broke = true;
        return true;
    }
    if (err != TG_OK) {
        return world_differs("THE STORE DOES NOT START: %s", tg_err_name(err));
    }
    struct world_moment *held = new_moment();
    bool seen = world_look(&world, &held->view);
    if (!seen && world_unread && fault != NULL && fault->happened) {
        free(held);
        life->broke = true; /* it answered nobody */
        return true;
    }
    step->held = held;
    if (!seen || !world_same(&held->view, &wanted->first->view, &wanted->second->view, wanted->mixed)) {
        return false;
    }
    bool after = wanted->mixed || world_same(&held->view, &wanted->second->view, &wanted->second->view, false);
    world.model = after ? wanted->second->model : wanted->first->model;
    world_forget_links(&world.model);
    held->model = world.model;
    return world_agrees(&held->view, &held->model, world.kit.now_us) && check_files(disk);
}

/* One step; *ret_on: the life goes on. */
static bool go(struct lives_life *life, const struct lives_fault *fault, bool *ret_on)
{
    struct world_moment *before = life->steps[life->count - 1].held, *own = NULL;
    int64_t was_us = world.kit.now_us;
    enum world_kind kind = world_next(&world);
    if (world.kit.now_us != was_us) { /* claims may have expired meanwhile */
        before = own = look_behind(life, fault);
        if (own == NULL) {
            return false;
        }
        if (life->broke) {
            free(own);
            *ret_on = false;
            return true;
        }
    }
    struct lives_step *step = add_step(life, world_names[kind]);
    step->mixed = kind == WORLD_ROTATE;
    step->own = own;
    step->first = before;
    memory_inside(true);
    enum tg_err err = world_do(&world, kind);
    memory_inside(false);
    step->end = life->log.count;
    if (err == TG_OK) {
        step->held = look_behind(life, fault);
        step->second = step->held;
        *ret_on = !life->broke;
        return step->held != NULL;
    }
    if (err == TG_ERR_BUG) {
        return false;
    }
    if (fault == NULL || !fault->happened || life->count > fault->rehearsal->count) {
        return world_differs("step %zu (%s) failed: %s", life->count - 1, step->what, tg_err_name(err));
    }
    step->second = fault->rehearsal->steps[life->count - 1].held;
    life->broke = true;
    if (kind != WORLD_PURGE && world_do(&world, WORLD_BATCH) == TG_OK) { /* a purge changes no row: the process ends */
        return world_differs("the store goes on behind a failed %s", step->what);
    }
    *ret_on = false;
    return true;
}

bool lives_run(struct lives_life *life, struct disk *disk, const struct lives_wanted *wanted, uint64_t seed,
               size_t steps, struct lives_fault *fault)
{
    *life = (struct lives_life){.seed = seed, .wish = steps, .base = disk_clone(disk)};
    life->steps = calloc(steps + 2, sizeof(*life->steps));
    assert_non_null(life->steps);
    disk_mount(disk, &life->log, fault == NULL ? NULL : fault->hook, fault == NULL ? NULL : fault->user);
    world.kit.store = NULL;
    bool on = true, ok = begin(life, disk, wanted, fault);
    on = ok && !life->broke;
    for (size_t i = 0; ok && on && i < steps; i++) {
        bool happened = fault != NULL && fault->happened;
        if (happened && fault->steps_more-- == 0) {
            on = false;
            break;
        }
        ok = go(life, fault, &on);
    }
    if (ok && on) {
        struct world_moment *last = life->steps[life->count - 1].held;
        struct lives_step *step = add_step(life, "end");
        step->first = step->second = last;
        memory_inside(true);
        tg_store_close(world.kit.store);
        memory_inside(false);
        step->end = life->log.count;
    }
    disk_mount(NULL, NULL, NULL, NULL); /* a broken store is left as a process that ends leaves it */
    disk_free(disk);
    return ok || lives_failed();
}

void lives_free(struct lives_life *life)
{
    for (size_t i = 0; i < life->count; i++) {
        free(life->steps[i].held);
        free(life->steps[i].own);
    }
    free(life->steps);
    disk_log_free(&life->log);
    disk_free(life->base);
    *life = (struct lives_life){0};
}

/* ---- its end ---- */

struct disk *lives_disk(const struct lives_life *life, size_t at)
{
    struct disk *disk = disk_clone(life->base);
    for (size_t i = 0; i < at; i++) {
        disk_apply(disk, &life->log.ops[i]);
    }
    return disk;
}

struct lives_wanted lives_wanted_at(const struct lives_life *life, size_t at)
{
    size_t i = life->count - 1;
    while (i > 0 && life->steps[i].begin >= at) {
        i--;
    }
    const struct lives_step *step = &life->steps[i];
    struct lives_wanted wanted = {step->first, step->second, step->mixed, step->now_us, step->what};
    if (at >= step->end && (step->held != NULL || !life->broke)) { /* the end of a life holds what it held before */
        wanted.first = wanted.second = step->held != NULL ? step->held : step->second;
        wanted.mixed = false;
    }
    return wanted;
}

struct lives_wanted lives_nothing(struct world_moment *room)
{
    memset(room, 0, sizeof(*room));
    room->view.segment = 1;
    room->view.segments[1] = WORLD_SEGMENT_KEPT;
    return (struct lives_wanted){room, room, false, KIT_START, "nothing"};
}

static const char *const keep_names[] = {"none", "all", "some", "first"};

static bool end_at(const struct lives_life *life, size_t at, uint64_t seed, size_t steps, unsigned more, unsigned depth)
{
    struct disk *disk = lives_disk(life, at);
    struct lives_wanted wanted = lives_wanted_at(life, at);
    struct disk_cut cut = {(enum disk_keep)(disk_mix(seed, 1) % 4), (enum disk_keep)(disk_mix(seed, 2) % 4),
                           disk_mix(seed, 3) % 4 == 0, seed};
    bool kill = disk_mix(seed, 4) % 4 == 0;
    if (seed == 0) { /* the first answer of a start, and all that was not synced is lost */
        cut = (struct disk_cut){DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0};
        kill = false;
    }
    lives_numbers->ends++;
    lives_enter("then at operation %zu of %zu (%s): %s, bytes %s names %s torn %d seed %ju", at, life->log.count,
                wanted.what, kill ? "killed" : "power cut", keep_names[cut.bytes], keep_names[cut.names], cut.torn,
                (uintmax_t)seed);
    if (!kill) {
        disk_cut(disk, &cut);
    }
    bool ok = lives_go_on(disk, &wanted, disk_mix(seed, at), steps, more, depth);
    lives_leave();
    return ok;
}

bool lives_go_on(struct disk *disk, const struct lives_wanted *wanted, uint64_t seed, size_t steps, unsigned more,
                 unsigned depth)
{
    struct lives_life life;
    bool ok = lives_run(&life, disk, wanted, seed, steps, NULL);
    if (ok && depth > 0) {
        ok = end_at(&life, life.steps[0].end, 0, steps, more, depth - 1);
        for (unsigned i = 0; i < more; i++) {
            uint64_t own = disk_mix(seed, 100 + i);
            ok = end_at(&life, own % (life.log.count + 1), own, steps, more, depth - 1) && ok;
        }
    }
    lives_free(&life);
    return ok;
}
