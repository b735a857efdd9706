/*
 * store_memory_test.c - the embedded store, refused memory at every allocation that it and SQLite make.
 *
 * A life is rehearsed and its allocations counted; then it is lived again, and at one after the other a child goes on
 * with that allocation refused: once, or that and all behind it. A store that says it failed takes nothing any more;
 * one that went on holds what the rehearsal holds. Behind it the process ends, killed or with the power, and the next
 * starts must find what was acknowledged.
 *
 * TOLLGATE_CRASH=FIRST-LAST tries every allocation of longer lives; without it some hundreds of one life.
 * Promises: the same seed tries the same. Does not: run under sanitizers, which bring an allocator of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lives.h"
#include "memory.h"

#define TRIES 150u /* allocations of the start, and as many behind it, refused in `make check`, each in both ways */

static struct {
    uint64_t first, last, tries;
    size_t steps;
    bool said;
} plan = {9, 9, TRIES, 24, false};

struct counted {
    const struct lives_life *life;
    uint64_t start, later; /* allocations of the start, and of all steps behind it */
};

struct starving {
    struct lives_fault fault;
    const struct lives_life *life;
    uint64_t every_start, every_later, number;
    bool child, forever, ok;
};

static bool count(void *user, uint64_t number)
{
    struct counted *counted = user;
    (void)number;
    *(counted->life->count > 1 ? &counted->later : &counted->start) += 1;
    return false;
}

static bool starve(void *user, uint64_t number)
{
    struct starving *starving = user;
    if (starving->child) {
        return starving->forever;
    }
    uint64_t every = starving->life->count > 1 ? starving->every_later : starving->every_start;
    for (unsigned way = 0; way < 2 && number % every == 0; way++) {
        lives_numbers->faults++;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            starving->child = true;
            starving->forever = way == 1;
            starving->number = number;
            starving->fault.happened = true;
            starving->fault.steps_more = number % 4;
            return true;
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        starving->ok = starving->ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!WIFEXITED(status)) {
            print_message("# a child ended by signal %d: allocation %ju, %s\n", WTERMSIG(status), (uintmax_t)number,
                          way == 1 ? "and all behind it" : "once");
        }
    }
    return false;
}

/* The process ended behind it: killed, or the power went. */
static bool end_behind(const struct lives_life *life)
{
    static const struct disk_cut cut = {DISK_KEEP_NONE, DISK_KEEP_NONE, false, 0};
    bool ok = true;
    for (unsigned killed = 0; killed < 2; killed++) {
        struct disk *disk = lives_disk(life, life->log.count);
        struct lives_wanted wanted = lives_wanted_at(life, life->log.count);
        if (killed == 0) {
            disk_cut(disk, &cut);
        }
        lives_numbers->ends++;
        lives_enter("behind it %s", killed == 1 ? "killed" : "power cut");
        ok = lives_go_on(disk, &wanted, disk_mix(life->seed, killed), 2, 1, 1) && ok;
        lives_leave();
    }
    return ok;
}

static bool starve_everywhere(uint64_t seed)
{
    struct world_moment *nothing = malloc(sizeof(*nothing));
    struct lives_life rehearsal, life;
    assert_non_null(nothing);
    struct lives_wanted wanted = lives_nothing(nothing);
    struct counted asked = {&rehearsal, 0, 0};
    memory_watch(count, &asked);
    bool ok = lives_run(&rehearsal, disk_new(), &wanted, seed, plan.steps, NULL);
    memory_watch(NULL, NULL);
    assert_true(asked.start > 0 && asked.later > 0); /* it is our allocator that was called */
    struct starving starving = {.fault = {.rehearsal = &rehearsal}, .life = &life, .ok = true};
    starving.every_start = 1 + asked.start / plan.tries;
    starving.every_later = 1 + asked.later / plan.tries;
    memory_watch(starve, &starving);
    ok = ok && lives_run(&life, disk_new(), &wanted, seed, plan.steps, &starving.fault);
    memory_watch(NULL, NULL);
    if (starving.child) { /* this is where its life ended */
        lives_enter("seed %ju, allocation %ju refused %s; %zu steps in all", (uintmax_t)seed,
                    (uintmax_t)starving.number, starving.forever ? "with all behind it" : "once", life.count);
        ok = ok ? end_behind(&life) : lives_failed();
        _exit(ok ? 0 : 1);
    }
    if (plan.said) {
        print_message("# seed %ju: %ju allocations in the start, %ju behind it, %ju refused, %ju starts, %ju starts "
                      "refused, %ju failures\n",
                      (uintmax_t)seed, (uintmax_t)asked.start, (uintmax_t)asked.later, (uintmax_t)lives_numbers->faults,
                      (uintmax_t)lives_numbers->starts, (uintmax_t)lives_numbers->refusals,
                      (uintmax_t)lives_numbers->failures);
    }
    lives_free(&life);
    lives_free(&rehearsal);
    free(nothing);
    return ok && starving.ok;
}

static void test_every_allocation_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = plan.first; seed <= plan.last; seed++) {
        assert_true(starve_everywhere(seed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_is_refused)};
    const char *wish = getenv("TOLLGATE_CRASH");
    if (!MEMORY_CAN_FAIL) {
        puts("1..0 # SKIP a sanitizer brings its own allocator");
        return 0;
    }
    if (wish != NULL) {
        char *end = NULL;
        plan.first = strtoull(wish, &end, 10);
        plan.last = *end == '-' ? strtoull(end + 1, NULL, 10) : plan.first;
        plan.steps = 60;
        plan.tries = UINT64_MAX;
    }
    plan.said = wish != NULL || getenv("CRASH_SAY") != NULL;
    lives_prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
