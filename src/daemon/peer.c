/*
 * peer.c - unix sockets: listening, and who is at the other end.
 *
 * Promises: as daemon.h. The socket is bound under umask 177, so that there is no moment in which
 * another user could connect.
 * Does not: accept, or judge a uid.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

#include "base/banned.h"

/* Connections that wait for accept: the gate's workers at once, with room. */
#define BACKLOG 128

/* sd_listen_fds(3): handed sockets begin at 3; we have two at most, and look at a few more. */
#define HANDED_OVER_FIRST 3
#define HANDED_OVER_MAX 16

/* Only a socket is unlinked: a mistyped path must not cost a file. */
static enum tg_err remove_stale(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? TG_OK : TG_ERR_DENIED;
    }
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return TG_ERR_DENIED;
    }
    return unlink(path) == 0 ? TG_OK : TG_ERR_DENIED;
}

static int bind_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    mode_t before = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    int error = errno;
    umask(before);
    if (bound != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* True when fd is a listening unix socket at path. */
static bool listens_at(int fd, const char *path)
{
    struct sockaddr_un address = {0};
    socklen_t len = sizeof(address) - 1; /* the last byte stays a NUL */
    int listening = 0;
    socklen_t listening_len = sizeof(listening);
    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 && address.sun_family == AF_UNIX &&
           tg_span_equal(tg_span_string(address.sun_path), tg_span_string(path)) &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) == 0 && listening == 1;
}

/* The descriptor that the service manager bound at path for us, or -1. The variables stay for the next look. */
static int handed_over(const char *path)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    uint64_t who = 0;
    uint64_t many = 0;
    if (pid == NULL || count == NULL || tg_daemon_number(pid, INT32_MAX, &who) != TG_OK ||
        who != (uint64_t)getpid() || tg_daemon_number(count, HANDED_OVER_MAX, &many) != TG_OK) {
        return -1;
    }
    for (int fd = HANDED_OVER_FIRST; fd < HANDED_OVER_FIRST + (int)many; fd++) {
        if (listens_at(fd, path) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
            return fd;
        }
    }
    return -1;
}

enum tg_err tg_daemon_listen(const char *path, uid_t owner, int *fd)
{
    *fd = handed_over(path);
    if (*fd >= 0) {
        return TG_OK;
    }
    if (remove_stale(path) != TG_OK) {
        tg_log_errno("socket_not_replaced", path, errno);
        return TG_ERR_DENIED;
    }
    int listener = bind_at(path);
    if (listener < 0) {
        tg_log_errno("socket_not_bound", path, errno);
        return TG_ERR_DENIED;
    }
    bool give = owner != TG_DAEMON_UID_NONE && owner != geteuid();
    if ((give && lchown(path, owner, (gid_t)-1) != 0) || listen(listener, BACKLOG) != 0) {
        tg_log_errno("socket_not_given", path, errno);
        close(listener);
        unlink(path);
        return TG_ERR_DENIED;
    }
    *fd = listener;
    return TG_OK;
}

enum tg_err tg_daemon_peer(int fd, uid_t *uid, pid_t *pid)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    *uid = TG_DAEMON_UID_NONE;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer)) {
        return TG_ERR_DENIED;
    }
    *uid = peer.uid;
    if (pid != NULL) {
        *pid = peer.pid;
    }
    return TG_OK;
}
