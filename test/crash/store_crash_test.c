/*
 * store_crash_test.c - the embedded store, ended at every write, sync, rename and removal that it makes.
 *
 * A life of some dozens of steps is recorded; then, for every operation in it: the power goes there (kept of what was
 * not synced: nothing, all, names only, bytes only, half of the last write, drawn parts), or the process is killed
 * there and the power goes later, or that call fails (with the writes of a failed sync lost, seen or not). Each time
 * the store starts again, must hold what it acknowledged, goes on, and is ended again.
 *
 * TOLLGATE_CRASH=FIRST-LAST runs these seeds with longer lives instead, and says how many ends were tried.
 * Promises: the same seed tries the same. Does not: run threads: the second thread's calls come between the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lives.h"

static struct {
    uint64_t first, last;
    size_t steps;       /* of the life that is gone through */
    unsigned draws;     /* power cuts that keep drawn parts, at each operation */
    unsigned calls_per; /* every so many-th write or sync of a file fails; of the rarer calls each */
    unsigned again;     /* after every so many-th power cut that life is ended once more; after a kill always */
    unsigned chains;
    bool said;
} plan = {9, 9, 36, 1, 11, 8, 3, false}; /* a seed whose segments come, go and are carried on */

/* Under sanitizers a start takes ten times as long, and a fork more: what they see, few ends show. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#define IS_SANITIZED __has_feature(address_sanitizer)
#else
#define IS_SANITIZED false
#endif

static void say(const char *what, uint64_t seed)
{
    if (plan.said) {
        print_message("# %s, seed %ju: %ju operations, %ju ends (%ju alike), %ju starts, %ju failed calls, %ju starts "
                      "refused during a fault, %ju failures\n",
                      what, (uintmax_t)seed, (uintmax_t)lives_numbers->operations, (uintmax_t)lives_numbers->ends,
                      (uintmax_t)lives_numbers->same, (uintmax_t)lives_numbers->starts,
                      (uintmax_t)lives_numbers->faults, (uintmax_t)lives_numbers->refusals,
                      (uintmax_t)lives_numbers->failures);
    }
}

/* ---- the power goes ---- */

/* Disks that were tried: their digest, with what must be found there. */
static uint64_t tried[1 << 18];

static bool was_tried(const struct disk *disk, const struct lives_wanted *wanted)
{
    uint64_t key = disk_mix(disk_digest(disk), (uintptr_t)wanted->first ^ (uintptr_t)wanted->second << 1);
    uint64_t at = key % (sizeof(tried) / sizeof(tried[0]));
    bool known = tried[at] == key;
    tried[at] = key;
    return known;
}

static bool cut_here(const struct disk *now, const struct lives_life *life, size_t at, const struct disk_cut *cut,
                     uint64_t seed)
{
    struct disk *disk = disk_clone(now);
    struct lives_wanted wanted = lives_wanted_at(life, at);
    lives_numbers->ends++;
    if (cut != NULL) {
        disk_cut(disk, cut);
    }
    if (was_tried(disk, &wanted) && disk_is_settled(disk)) {
        lives_numbers->same++;
        disk_free(disk);
        return true;
    }
    lives_enter("seed %ju, at operation %zu of %zu (%s, step until %zu): %s, bytes %d names %d torn %d seed %ju",
                (uintmax_t)life->seed, at, life->log.count, wanted.what, life->steps[0].end,
                cut == NULL ? "killed" : "power cut", cut == NULL ? 0 : cut->bytes, cut == NULL ? 0 : cut->names,
                cut != NULL && cut->torn, (uintmax_t)(cut == NULL ? 0 : cut->seed));
    bool again = cut == NULL || lives_numbers->ends % plan.again == 0;
    bool ok = lives_go_on(disk, &wanted, disk_mix(seed, at), again ? at % 3 : 0, 1, again ? 1 : 0);
    lives_leave();
    return ok;
}

static bool cut_everywhere(const struct lives_life *life, unsigned draws)
{
    static const struct disk_cut cuts[] = {
        {DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0}, {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0},
        {DISK_KEEP_NONE, DISK_KEEP_ALL, false, 0},  {DISK_KEEP_ALL, DISK_KEEP_NONE, false, 0},
        {DISK_KEEP_ALL, DISK_KEEP_ALL, true, 0},    {DISK_KEEP_ALL, DISK_KEEP_ALL, true, 1},
    };
    struct disk *now = disk_clone(life->base);
    bool ok = true;
    for (size_t at = 0; at <= life->log.count; at++) {
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            ok = cut_here(now, life, at, &cuts[i], i) && ok;
        }
        for (unsigned i = 0; i < draws; i++) {
            uint64_t seed = disk_mix(life->seed * 1000 + i, at) | 2;
            struct disk_cut cut = {seed % 5 == 0 ? DISK_KEEP_FIRST : DISK_KEEP_SOME,
                                   seed % 5 == 0 ? DISK_KEEP_FIRST : DISK_KEEP_SOME, false, seed};
            ok = cut_here(now, life, at, &cut, seed) && ok;
        }
        ok = cut_here(now, life, at, NULL, 7) && ok;
        if (at < life->log.count) {
            disk_apply(now, &life->log.ops[at]);
        }
    }
    disk_free(now);
    lives_numbers->operations += life->log.count;
    return ok;
}

static void test_power_cut_everywhere(void **state)
{
    (void)state;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        struct world_moment *nothing = malloc(sizeof(*nothing));
        struct lives_life life;
        assert_non_null(nothing);
        struct lives_wanted wanted = lives_nothing(nothing);
        bool ok = lives_run(&life, disk_new(), &wanted, seed, plan.steps, NULL) && cut_everywhere(&life, plan.draws);
        lives_free(&life);
        free(nothing);
        say("power cuts", seed);
        assert_true(ok);
    }
}

/* ---- a call fails ---- */

static const struct {
    const char *name;
    enum disk_op_kind only; /* 0: any but a sync */
    struct disk_fault fault;
    bool from_now_on;
    bool always; /* what a kernel does after a failed sync: not only every so many-th */
} faults[] = {
    {"EIO", (enum disk_op_kind)0, {DISK_FAIL, EIO, 0}, false, false},
    {"disk full", DISK_WRITE, {DISK_FAIL, ENOSPC, 0}, true, false},
    {"disk full after half of it", DISK_WRITE, {DISK_FAIL_HALF, ENOSPC, 0}, true, false},
    {"disk full", DISK_MAKE, {DISK_FAIL, ENOSPC, 0}, true, false},
    {"sync fails, nothing lost", DISK_SYNC, {DISK_FAIL, EIO, 0}, false, false},
    {"sync fails, all lost and seen", DISK_SYNC, {DISK_FAIL_LOSE, EIO, 0}, false, true},
    {"sync fails, some lost and seen", DISK_SYNC, {DISK_FAIL_LOSE, EIO, 12345}, false, false},
    {"sync fails, all lost", DISK_SYNC, {DISK_FAIL_BACK, EIO, 0}, false, false},
    {"sync fails, some lost", DISK_SYNC, {DISK_FAIL_BACK, EIO, 54321}, false, false},
};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))

struct failing {
    struct lives_fault fault;
    size_t which; /* in a child: of `faults`; FAULTS in the parent */
    uint64_t number;
    char what[160];
    bool shut;
    bool ok;
};

static bool applies(size_t which, const struct disk_op *op)
{
    return faults[which].only == 0 ? op->kind != DISK_SYNC : op->kind == faults[which].only;
}

/* A disk that is full takes no new bytes; it still syncs and removes. */
static bool needs_room(const struct disk_op *op)
{
    return op->kind == DISK_WRITE || op->kind == DISK_MAKE || op->kind == DISK_MAKE_FOLDER || op->kind == DISK_NAME;
}

static struct disk_fault fail_one(void *user, const struct disk_op *op, uint64_t number)
{
    struct failing *failing = user;
    if (failing->shut) { /* a file system that could not write its names takes nothing any more */
        return (struct disk_fault){DISK_FAIL, EIO, 0};
    }
    if (failing->which < FAULTS) { /* the child's life goes on */
        bool again = faults[failing->which].from_now_on && needs_room(op);
        return again ? (struct disk_fault){DISK_FAIL, faults[failing->which].fault.error, 0} : (struct disk_fault){0};
    }
    bool often = op->kind == DISK_WRITE || (op->kind == DISK_SYNC && !disk_is_folder(disk_mounted(), op->node));
    bool is_turn = !often || number % plan.calls_per == failing->fault.rehearsal->seed % plan.calls_per;
    for (size_t i = 0; i < FAULTS; i++) {
        if (!applies(i, op) || (!is_turn && !faults[i].always)) {
            continue;
        }
        lives_numbers->faults++;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            failing->which = i;
            failing->number = number;
            disk_say(disk_mounted(), op, failing->what, sizeof(failing->what));
            failing->fault.happened = true;
            failing->fault.steps_more = number % 4 == 3 ? SIZE_MAX : number % 4;
            failing->shut = faults[i].fault.act >= DISK_FAIL_LOSE && disk_is_folder(disk_mounted(), op->node);
            return faults[i].fault;
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        failing->ok = failing->ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!WIFEXITED(status)) {
            print_message("# a child ended by signal %d: %s at call %ju\n", WTERMSIG(status), faults[i].name,
                          (uintmax_t)number);
        }
    }
    return (struct disk_fault){0};
}

/* The process ended behind the fault, if not by it: killed, or the power went. */
static bool end_behind(const struct lives_life *life, bool shut)
{
    static const struct disk_cut cuts[] = {
        {DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0},
        {DISK_KEEP_ALL, DISK_KEEP_ALL, false, 0},
        {DISK_KEEP_SOME, DISK_KEEP_SOME, false, 99},
    };
    bool ok = true;
    for (unsigned i = 0; i < 2 + plan.draws; i++) {
        struct disk *disk = lives_disk(life, life->log.count);
        struct lives_wanted wanted = lives_wanted_at(life, life->log.count);
        /* Killed first, then as the cuts say; a file system that shut down comes back by a new mount. */
        bool kill = i == 0 && !shut;
        struct disk_cut cut = cuts[i < 3 ? (i + 2) % 3 : 2];
        cut.seed += i;
        if (!kill) {
            disk_cut(disk, &cut);
        }
        lives_numbers->ends++;
        lives_enter("behind it %s %u", kill ? "killed" : "power cut", i);
        ok = lives_go_on(disk, &wanted, disk_mix(life->seed, i), 2, 1, 1) && ok;
        lives_leave();
    }
    return ok;
}

/* A life on this disk, once as it is, then with each of its calls failed. */
static bool fail_everywhere(const struct disk *disk, const struct lives_wanted *wanted, uint64_t seed, size_t steps)
{
    struct lives_life rehearsal, life;
    bool ok = lives_run(&rehearsal, disk_clone(disk), wanted, seed, steps, NULL);
    if (ok) {
        struct failing failing = {.fault = {.hook = fail_one, .rehearsal = &rehearsal}, .which = FAULTS, .ok = true};
        failing.fault.user = &failing;
        ok = lives_run(&life, disk_clone(disk), wanted, seed, steps, &failing.fault);
        if (failing.which < FAULTS) { /* a child: this is where its life ended */
            lives_enter("seed %ju, call %ju (%s): %s; %zu steps in all", (uintmax_t)seed, (uintmax_t)failing.number,
                        failing.what, faults[failing.which].name, life.count);
            ok = ok ? end_behind(&life, failing.shut) : lives_failed();
            _exit(ok ? 0 : 1);
        }
        lives_numbers->operations += life.log.count;
        ok = ok && failing.ok && life.log.count == rehearsal.log.count; /* the same seed did the same */
        lives_free(&life);
    }
    lives_free(&rehearsal);
    return ok;
}

static void test_every_call_fails(void **state)
{
    (void)state;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        struct world_moment *nothing = malloc(sizeof(*nothing));
        assert_non_null(nothing);
        struct lives_wanted wanted = lives_nothing(nothing);
        struct disk *disk = disk_new();
        bool ok = fail_everywhere(disk, &wanted, seed, plan.steps);
        disk_free(disk);
        free(nothing);
        say("failed calls", seed);
        assert_true(ok);
    }
}

/* The second life of a store, which was ended in its middle or by itself. */
static void test_every_call_of_a_later_life_fails(void **state)
{
    (void)state;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        struct world_moment *nothing = malloc(sizeof(*nothing));
        struct lives_life before;
        assert_non_null(nothing);
        struct lives_wanted wanted = lives_nothing(nothing);
        bool ok = lives_run(&before, disk_new(), &wanted, seed, plan.steps, NULL);
        for (unsigned i = 0; ok && i < 2; i++) {
            size_t at = i == 0 ? before.log.count : disk_mix(seed, 8) % before.log.count;
            struct disk *disk = lives_disk(&before, at);
            wanted = lives_wanted_at(&before, at);
            ok = fail_everywhere(disk, &wanted, seed + i, plan.steps / 8);
            disk_free(disk);
        }
        lives_free(&before);
        free(nothing);
        say("failed calls of a later life", seed);
        assert_true(ok);
    }
}

/* ---- one life after the other ---- */

static void test_many_lives(void **state)
{
    (void)state;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        bool ok = true;
        struct world_moment *nothing = malloc(sizeof(*nothing));
        assert_non_null(nothing);
        struct lives_wanted wanted = lives_nothing(nothing);
        for (unsigned i = 0; i < plan.chains; i++) {
            lives_enter("seed %ju, chain %u", (uintmax_t)seed, i);
            ok = lives_go_on(disk_new(), &wanted, disk_mix(seed, i), 6, 1, 6) && ok;
            lives_leave();
        }
        free(nothing);
        say("chains", seed);
        assert_true(ok);
    }
}

static void read_plan(const char *text)
{
    char *end = NULL;
    plan.first = strtoull(text, &end, 10);
    plan.last = *end == '-' ? strtoull(end + 1, NULL, 10) : plan.first;
    plan.steps = 160;
    plan.draws = 6;
    plan.calls_per = 1;
    plan.again = 1;
    plan.chains = 400;
    plan.said = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_everywhere),
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_every_call_of_a_later_life_fails),
        cmocka_unit_test(test_many_lives),
    };
    const char *wish = getenv("TOLLGATE_CRASH");
    if (IS_SANITIZED) {
        plan.steps = 12;
        plan.draws = 0;
        plan.calls_per = 23;
        plan.chains = 2;
    }
    if (wish != NULL) {
        read_plan(wish);
    }
    plan.said = plan.said || getenv("CRASH_SAY") != NULL;
    lives_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
