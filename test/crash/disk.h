/*
 * disk.h - a disk in memory that a test can take the power from at any write, sync, rename or removal.
 *
 * A program under test sees it under DISK_ROOT by the names of libc (calls.c); SQLite's own unix layer runs on it
 * unchanged. Every change is an operation with a number. What was written is seen at once and durable only when its
 * file was synced; a name that was made, moved or removed is durable only when its folder was synced.
 *
 * Promises: the same operations on the same disk give the same disk, so that a run is recorded once and its disk
 * made again as it stood before any operation. At a power cut every unsynced operation is kept or lost by itself;
 * a rename is one operation.
 * Does not: damage bytes outside a write that was torn (as SQLite, it takes drives for such that do not).
 */
#ifndef TEST_CRASH_DISK_H
#define TEST_CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_ROOT "/tollgate-disk"
#define DISK_NAME_BYTES 64

enum disk_op_kind {
    DISK_MAKE = 1, /* a file and its name */
    DISK_MAKE_FOLDER,
    DISK_WRITE,
    DISK_RESIZE,
    DISK_SYNC, /* of a file: its bytes; of a folder: its names */
    DISK_NAME, /* a further name of a file */
    DISK_UNNAME,
    DISK_RENAME,
    DISK_LOSE /* a sync that failed: some of what it should have covered will never reach the disk */
};

/* Bytes that many disks and records share. */
struct disk_bytes {
    uint32_t users;
    size_t len;
    uint8_t bytes[];
};

struct disk_op {
    enum disk_op_kind kind;
    uint32_t node;   /* the file; or the folder whose names change */
    uint32_t target; /* NAME: what is named; RENAME: the folder of the new name */
    uint64_t at;     /* WRITE: where; RESIZE: the size; LOSE: bits of who is lost */
    bool back;       /* LOSE: readers see the old bytes again (else they see what the disk does not hold) */
    struct disk_bytes *data;
    char name[DISK_NAME_BYTES], to[DISK_NAME_BYTES];
};

struct disk_log {
    struct disk_op *ops;
    size_t count, cap;
};

/* What a live call is told instead of being done. */
enum disk_act {
    DISK_DO = 0,    /* nothing: it is done */
    DISK_FAIL,      /* fails with the error, changes nothing */
    DISK_FAIL_HALF, /* a write that is done by half and says so; other calls fail */
    DISK_FAIL_LOSE, /* a sync that fails: what it should have covered is lost, and still seen */
    DISK_FAIL_BACK  /* the same, and the old bytes are seen again */
};

struct disk_fault {
    enum disk_act act;
    int error;
    uint64_t seed; /* LOSE, BACK: who is lost; 0: all */
};

/* Asked before each live operation; `number` counts from 0 since the mount. */
typedef struct disk_fault (*disk_hook)(void *user, const struct disk_op *op, uint64_t number);

struct disk;
struct disk *disk_new(void); /* an empty root folder, durable */
struct disk *disk_clone(const struct disk *disk);
void disk_free(struct disk *disk);

/* The disk that the calls use from now on (NULL: none), with files that are open nowhere. Operations are recorded in
 * log, unless it is NULL, and asked of hook. */
void disk_mount(struct disk *disk, struct disk_log *log, disk_hook hook, void *user);
const struct disk *disk_mounted(void);

void disk_apply(struct disk *disk, const struct disk_op *op);
void disk_log_free(struct disk_log *log);

/* Who of the unsynced operations is kept at a power cut. */
enum disk_keep {
    DISK_KEEP_NONE = 0,
    DISK_KEEP_ALL,
    DISK_KEEP_SOME, /* drawn from the seed, each by itself; some of the kept writes are torn, or kept in pieces */
    DISK_KEEP_FIRST /* all up to one that the seed draws: a disk that keeps the order */
};
struct disk_cut {
    enum disk_keep bytes, names; /* of writes and sizes; of names */
    bool torn;                   /* of the last unsynced write one half only: the first (even seed) or the second */
    uint64_t seed;
};
void disk_cut(struct disk *disk, const struct disk_cut *cut);

bool disk_is_folder(const struct disk *disk, uint32_t node);
bool disk_is_settled(const struct disk *disk); /* nothing is unsynced, nothing seen differs from what is durable */
uint64_t disk_digest(const struct disk *disk); /* of all names and bytes seen from the root */
/* Each name in a folder (path below DISK_ROOT, "" for the root itself). */
void disk_list(const struct disk *disk, const char *path, void (*each)(void *user, const char *name), void *user);

/* What an operation is about to do, for reports. */
void disk_say(const struct disk *disk, const struct disk_op *op, char *to, size_t len);

uint64_t disk_mix(uint64_t a, uint64_t b); /* a good mix of two numbers */

#endif
