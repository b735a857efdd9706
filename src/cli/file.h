/*
 * file.h - files and folders of an instance: made with their mode from the first moment, read within bounds.
 *
 * Promises: a new file never exists with a wider mode than asked for, is never
 * made through a symbolic link and never replaces another (TG_FILE_NEW);
 * reads refuse more than the caller's limit. Complaints are printed here, with
 * what to do, because every caller would print the same.
 * Does not: keep anything open.
 */
#ifndef TG_CLI_FILE_H
#define TG_CLI_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>
#include <sys/types.h>

#define TG_PATH_BYTES_MAX 1024
#define TG_KEY_FILE_BYTES_MAX 4096

/* Who owns what is made; -1: as it comes. */
struct tg_owner {
    uid_t uid;
    gid_t gid;
};
#define TG_OWNER_SELF ((struct tg_owner){(uid_t)-1, (gid_t)-1})

/* "dir/name" in ret; complains and fails when it is too long. */
TG_MUST_CHECK enum tg_err tg_path_join(char ret[TG_PATH_BYTES_MAX], const char *dir, const char *name);

/* A folder that may be there already, ours or the owner's; its mode and owner are set in any case. */
TG_MUST_CHECK enum tg_err tg_folder_make(const char *path, mode_t mode, struct tg_owner owner);

/* The folder and what leads to it (new ones 0755). */
TG_MUST_CHECK enum tg_err tg_folder_make_all(const char *path, mode_t mode);

/* A new file with this content, mode and owner, synced; TG_ERR_DENIED when there is one already. */
TG_MUST_CHECK enum tg_err tg_file_new(const char *path, mode_t mode, struct tg_owner owner, struct tg_span bytes);

/* Makes an empty file unless there is one; sets mode and owner in any case. */
TG_MUST_CHECK enum tg_err tg_file_touch(const char *path, mode_t mode, struct tg_owner owner);

/* A whole file into buf. TG_ERR_ABSENT: there is none (said only when `needed`); TG_ERR_ROOM: too large. */
TG_MUST_CHECK enum tg_err tg_file_read(const char *path, bool needed, struct tg_buf *buf);

/* A file of one line: trailing line ends are cut off, the text is terminated. For keys and credentials. */
TG_MUST_CHECK enum tg_err tg_file_read_line(const char *path, char *ret, size_t ret_size);

/* Not through a symbolic link: for a file whose folder belongs to a process's user, read by one with more rights. */
TG_MUST_CHECK enum tg_err tg_file_read_line_itself(const char *path, char *ret, size_t ret_size);

bool tg_file_exists(const char *path);

#endif
