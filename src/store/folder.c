/*
 * folder.c - names and bytes made durable; see folder.h.
 *
 * Promises: as folder.h. Does not: change a byte: a power cut in the middle leaves what was there.
 */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One step of writing again. */
#define STEP_BYTES ((size_t)1 << 20)

enum tg_err tg_folder_sync(const char *path)
{
    char folder[PATH_MAX];
    const char *end = strrchr(path, '/');
    size_t len = end == NULL ? 0 : (size_t)(end - path);
    if (len == 0 || len >= sizeof(folder))
        return TG_ERR_LIMIT;
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return TG_ERR_DOWN;
    int rc = fsync(fd);
    (void)close(fd);
    return rc == 0 ? TG_OK : TG_ERR_DOWN;
}

static enum tg_err write_all(int fd, const uint8_t *bytes, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t written = pwrite(fd, bytes, len, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return TG_ERR_DOWN;
        bytes += written;
        at += written;
        len -= (size_t)written;
    }
    return TG_OK;
}

static enum tg_err write_again(int fd, uint8_t *step)
{
    for (off_t at = 0;;) {
        ssize_t got = pread(fd, step, STEP_BYTES, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? TG_OK : TG_ERR_DOWN;
        enum tg_err err = write_all(fd, step, (size_t)got, at);
        if (err != TG_OK)
            return err;
        at += got;
    }
}

enum tg_err tg_folder_settle(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TG_OK : TG_ERR_DOWN;
    uint8_t *step = malloc(STEP_BYTES);
    enum tg_err err = step == NULL ? TG_ERR_DOWN : write_again(fd, step);
    free(step);
    if (err == TG_OK && fsync(fd) != 0)
        err = TG_ERR_DOWN;
    if (close(fd) != 0 && err == TG_OK)
        err = TG_ERR_DOWN;
    return err == TG_OK ? tg_folder_sync(path) : err;
}
