/*
 * lock.c - one process of a kind, and its pid where others look for it.
 *
 * Promises: as daemon.h. The lock belongs to the open file (OFD), so that a fork of a test keeps it and a close
 * elsewhere in the process does not lose it.
 * Does not: signal anybody.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

#include "base/banned.h"

static enum tg_err refuse(const char *event, const char *path, int fd)
{
    tg_log_errno(event, path, errno);
    if (fd >= 0) {
        close(fd);
    }
    return TG_ERR_DENIED;
}

enum tg_err tg_daemon_pid_lock(const char *path, int *fd)
{
    *fd = -1;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file < 0) {
        return refuse("pid_file_not_opened", path, -1);
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_OFD_SETLK, &lock) != 0) {
        return refuse("already_running", path, file);
    }
    uint8_t text[24];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    tg_buf_put_decimal(&buf, getpid());
    tg_buf_put_u8(&buf, '\n');
    if (ftruncate(file, 0) != 0 || pwrite(file, buf.ptr, buf.len, 0) != (ssize_t)buf.len) {
        return refuse("pid_file_not_written", path, file);
    }
    *fd = file;
    return TG_OK;
}

void tg_daemon_pid_unlock(int fd)
{
    if (fd >= 0) {
        if (ftruncate(fd, 0) != 0) {
            tg_log_errno("pid_file_not_emptied", "", errno);
        }
        close(fd);
    }
}
