/*
 * peer.c - unix sockets: listening, and who is at the other end.
 *
 * Promises: as daemon.h. The socket is bound under umask 177, so that there is no moment in which
 * another user could connect.
 * Does not: accept, or judge a uid.
 */
#include <errno.h>
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

enum tg_err tg_daemon_listen(const char *path, uid_t owner, int *fd)
{
    *fd = -1;
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
