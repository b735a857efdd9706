/*
 * lives.h - lives of a store on one disk: each begins with a start, goes some steps, and ends wherever a test wants.
 *
 * A life is recorded: its disk can be made again as it stood before any operation, and what a start from there must
 * find is known. So a life is run once and ended in every way at every place.
 *
 * Promises: a start must come up, hold what was acknowledged, whole steps only, and nothing that removed segments
 * left; what a start has shown stays from then on, for it answers callers by it.
 * Does not: run two lives at a time in one process.
 */
#ifndef TEST_CRASH_LIVES_H
#define TEST_CRASH_LIVES_H

#include "disk.h"
#include "world.h"

/* What a start must find: one of two moments. */
struct lives_wanted {
    const struct world_moment *first, *second;
    bool mixed; /* a rotation: some of its parts may be done */
    int64_t now_us;
    const char *what;
};

struct lives_step {
    const char *what;
    bool mixed;
    int64_t now_us;
    size_t begin, end; /* operations of the record that belong to it; with the last of them it was acknowledged */
    const struct world_moment *first, *second; /* a start in the middle finds either */
    struct world_moment *held;                 /* from its end on; NULL: it was never acknowledged */
    struct world_moment *own;                  /* `first`, where it is no other step's */
};

struct lives_life {
    uint64_t seed;
    size_t wish; /* steps */
    struct disk *base;
    struct disk_log log;
    struct lives_step *steps;
    size_t count;
    bool broke; /* a call of the store failed, after a fault */
};

/* Faults for one life; NULL in lives_run: none. */
struct lives_fault {
    disk_hook hook;
    void *user;
    bool happened;                      /* set by the hook */
    size_t steps_more;                  /* after it, if no call of the store failed; then the process is gone */
    const struct lives_life *rehearsal; /* the same life without faults: what the broken step would have made */
};

/* Numbers for the report, shared by forked children. */
struct lives_numbers {
    uint64_t ends;     /* disks that a life was ended with */
    uint64_t same;     /* of them left out: the same bytes, the same expectation */
    uint64_t starts;   /* stores opened and looked through */
    uint64_t faults;   /* calls that were failed */
    uint64_t refusals; /* starts that failed while a fault lasted, as they may */
    uint64_t failures;
    uint64_t operations; /* in the records that were gone through exhaustively */
};
extern struct lives_numbers *lives_numbers;
void lives_prepare(void); /* before the first fork */

/* Where a failure happened, for its report: one line a level. */
void lives_enter(const char *format, ...) __attribute__((format(printf, 1, 2)));
void lives_leave(void);
bool lives_failed(void); /* reports world_fault; returns false */

/* Takes the disk. False: reported. The life is to be freed either way. */
bool lives_run(struct lives_life *life, struct disk *disk, const struct lives_wanted *wanted, uint64_t seed,
               size_t steps, struct lives_fault *fault);
void lives_free(struct lives_life *life);

/* The disk as it stood before operation `at`, and what a start from there must find. */
struct disk *lives_disk(const struct lives_life *life, size_t at);
struct lives_wanted lives_wanted_at(const struct lives_life *life, size_t at);
struct lives_wanted lives_nothing(struct world_moment *room); /* of an empty disk */

/* From this end on: another life of `steps` steps, ended again at its first answer and at `more` drawn places, and so
 * on for `depth` lives. Takes the disk. */
bool lives_go_on(struct disk *disk, const struct lives_wanted *wanted, uint64_t seed, size_t steps, unsigned more,
                 unsigned depth);

#endif
