/*
 * folder.h - making the names of files durable, and what a start reads of a log.
 *
 * Promises: TG_OK is said only of what stands on the disk.
 * Does not: know what is in the files.
 */
#ifndef TG_STORE_FOLDER_H
#define TG_STORE_FOLDER_H

#include "base/err.h"

/* The names in the folder that holds this file are durable: what was made, moved or removed there. */
TG_MUST_CHECK enum tg_err tg_folder_sync(const char *path);

/*
 * Before a file is read whose last writer may have ended anyhow: what can be read of it becomes durable, bytes and
 * name. Written again, not only synced: after a sync that failed the kernel shows what the disk does not hold, and
 * calls it clean. Without this a start would answer callers by rows that the next power cut takes away, and leave a
 * hole in the log under what it commits itself. TG_OK when there is no such file.
 */
TG_MUST_CHECK enum tg_err tg_folder_settle(const char *path);

#endif
