/*
 * archive.h - files of an instance in one sealed file (sealed.h): a description, the files, an end with their count.
 *
 * Promises: each file carries its own SHA-256, checked when it is read; names are relative, two folders deep at most, of plain
 * characters, so that none can lead out of the folder that they are read into.
 * Does not: know what an instance is made of.
 */
#ifndef TG_CLI_ARCHIVE_H
#define TG_CLI_ARCHIVE_H

#include "cli/sealed.h"

#include <jansson.h>

#define TG_ARCHIVE_NAME_BYTES_MAX 200

struct tg_archive {
    struct tg_sealed sealed;
    uint32_t count;
    uint64_t bytes;
};

struct tg_archive_file {
    char name[TG_ARCHIVE_NAME_BYTES_MAX + 1];
    uint32_t mode;
    uint64_t size;
};

/* "store/segments/1.sqlite": at most two slashes, nothing but letters, digits, '.', '-', '_', and no part that begins with '.'. */
bool tg_archive_name_fine(const char *name);

/* ---- writing; the sealed file has been created ---- */
TG_MUST_CHECK enum tg_err tg_archive_write_head(struct tg_archive *archive, const json_t *about);
/* The file at path under a name. Complains. */
TG_MUST_CHECK enum tg_err tg_archive_write_file(struct tg_archive *archive, const char *name, const char *path);
TG_MUST_CHECK enum tg_err tg_archive_write_end(struct tg_archive *archive);

/* ---- reading; the sealed file has been opened ---- */
TG_MUST_CHECK enum tg_err tg_archive_read_head(struct tg_archive *archive, json_t **about);
/* TG_ERR_ABSENT: that was all, and the end is whole. After TG_OK comes tg_archive_read_data. */
TG_MUST_CHECK enum tg_err tg_archive_next(struct tg_archive *archive, struct tg_archive_file *ret);
/* The file's bytes into fd (-1: nowhere), and its digest checked. */
TG_MUST_CHECK enum tg_err tg_archive_read_data(struct tg_archive *archive, const struct tg_archive_file *file, int fd);

#endif
