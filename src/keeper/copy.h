/*
 * copy.h - a copy of the embedded store's files as they are at one point, made while payments pass.
 *
 * Promises: tg_copy_begin, called between two batches, fixes the point: files that may still change are held by read
 * transactions, files that are closed for good are linked. What is copied is what a crash at that point would leave.
 * Copies stand beside the files as NAME.copy (0600) until tg_copy_remove.
 * Does not: read rows, or stop the store: meanwhile its logs grow, as they cannot be shortened below the point.
 */
#ifndef TG_KEEPER_COPY_H
#define TG_KEEPER_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TG_COPY_SUFFIX ".copy"
/* Files that change at one time: the set-up, the open segment, and some that are just being closed or read. */
#define TG_COPY_LIVE_MAX 64

struct tg_copy;

/* Removes copies that an earlier one left, then fixes the point. TG_ERR_ROOM: too many live files; try again. */
TG_MUST_CHECK enum tg_err tg_copy_begin(const char *folder, struct tg_copy **ret);

/* Copies some pages. True: call again. Any one thread at a time. */
bool tg_copy_step(struct tg_copy *copy);

/* Once tg_copy_step gave false: is everything there? */
bool tg_copy_whole(const struct tg_copy *copy);

/* Ends it; copies that were made stay. Takes NULL. */
void tg_copy_free(struct tg_copy *copy);

/* Removes the copies of a folder. */
void tg_copy_remove(const char *folder);

#endif
