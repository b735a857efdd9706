/*
 * gather.h - a VFS of SQLite that writes a commit's frames to the write-ahead log in one piece.
 *
 * SQLite writes each frame as two, its head and its page; a batch of the store is ten to a hundred frames. Here they
 * gather in memory and are written by as few calls as the buffer allows, before the sync that makes them durable.
 *
 * Promises: what was written before a sync is in the file when the sync begins, in the order in which it was written;
 * a write that fails fails the sync, and nothing of it is tried again. Other files pass through.
 * Does not: suit a connection that commits without a sync (synchronous below FULL): other connections would look for
 * frames that are not in the file yet.
 */
#ifndef TG_STORE_GATHER_H
#define TG_STORE_GATHER_H

#include "base/err.h"

#define TG_GATHER_VFS "tollgate-gather"

/* Makes the VFS known, over the one that is the default when it is first called. */
TG_MUST_CHECK enum tg_err tg_gather_register(void);

#endif
