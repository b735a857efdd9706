/*
 * connection.c - see connection.h.
 *
 * Promises: one open, one look at what was opened, one read: no moment in which the file can be exchanged.
 * Does not: follow a symbolic link at the end of the path.
 */
#include "keeper/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"

#include "base/banned.h"

static enum tg_err refuse(const char *why)
{
    tg_log_say(TG_LOG_ERROR, "store_connection", why);
    return TG_ERR_DENIED;
}

static enum tg_err check(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return refuse("the file with the connection is no file");
    }
    if ((status.st_mode & 077) != 0) {
        return refuse("the file with the connection may be read by others: chmod 600");
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return refuse("the file with the connection belongs to another user");
    }
    if (status.st_size == 0 || status.st_size >= TG_CONNECTION_BYTES_MAX) {
        return refuse("the file with the connection is empty or too long");
    }
    return TG_OK;
}

enum tg_err tg_connection_read(const char *path, char ret[TG_CONNECTION_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    memset(ret, 0, TG_CONNECTION_BYTES_MAX);
    if (fd < 0) {
        tg_log_errno("store_connection", "open", errno);
        return TG_ERR_ABSENT;
    }
    enum tg_err err = check(fd);
    ssize_t got = err == TG_OK ? read(fd, ret, TG_CONNECTION_BYTES_MAX - 1) : 0;
    close(fd);
    if (err != TG_OK) {
        return err;
    }
    size_t len = got > 0 ? (size_t)got : 0;
    if (len > 0 && ret[len - 1] == '\n') {
        ret[--len] = '\0';
    }
    if (len == 0 || memchr(ret, '\n', len) != NULL || memchr(ret, '\0', len) != NULL) {
        return refuse("the file with the connection must hold one line");
    }
    return TG_OK;
}
