/*
 * disk_inside.h - what disk.c and calls.c share: the nodes of the disk, and how a live operation is done.
 *
 * Promises: nothing to tests; they include disk.h.
 * Does not: outlive one thread: a disk is used by one at a time.
 */
#ifndef TEST_CRASH_DISK_INSIDE_H
#define TEST_CRASH_DISK_INSIDE_H

#include "disk.h"

struct disk_blob {
    uint8_t *bytes;
    size_t len, cap;
    uint32_t *users; /* blobs that share the bytes */
};

struct disk_name {
    char name[DISK_NAME_BYTES];
    uint32_t node;
};

struct disk_names {
    struct disk_name *names;
    size_t count, cap;
};

/* An operation that no sync has covered. */
struct disk_unsynced {
    uint64_t serial;
    uint64_t at;             /* of a write; the size */
    struct disk_bytes *data; /* of a write; NULL: a size, or a name */
    uint32_t node;           /* of a name: 0: it is removed */
    char name[DISK_NAME_BYTES];
};

struct disk_node {
    bool folder;
    bool scratch; /* shared memory of SQLite: worth nothing after a start, so not recorded */
    uint32_t mode;
    struct disk_blob seen, durable;
    struct disk_names seen_names, durable_names;
    struct disk_unsynced *unsynced;
    size_t unsynced_count, unsynced_cap;
};

struct disk {
    struct disk_node **nodes; /* by number; [0] is none, [1] the root */
    uint32_t count, cap;
    uint64_t serial;
};

#define DISK_ROOT_NODE 1u

struct disk_node *disk_node(const struct disk *disk, uint32_t number);
uint32_t disk_find(const struct disk *disk, uint32_t folder, const char *name); /* 0: none */
void disk_set_blob(struct disk_blob *blob, uint64_t at, const uint8_t *bytes, size_t len);
void disk_set_size(struct disk_blob *blob, uint64_t size);
struct disk_bytes *disk_bytes_new(const void *bytes, size_t len);
void disk_bytes_drop(struct disk_bytes *bytes);

#endif
