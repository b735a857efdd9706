/*
 * daemon.h - what every daemon of the house does before it serves: lock, bind, look at
 * its peers, drop its rights, harden itself.
 *
 * Promises: each function does one step and leaves nothing half done; a step
 * that fails has already written the reason to the log (daemon/log.h).
 * Does not: loop, read frames, or know which daemon it is in.
 */
#ifndef TG_DAEMON_DAEMON_H
#define TG_DAEMON_DAEMON_H

#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

/*
 * 1 in builds with AddressSanitizer: its leak check traces its own process at the end, which a process that is not
 * dumpable or that filters system calls forbids. Both are left out there, and the log says so.
 */
#if defined(__SANITIZE_ADDRESS__)
#define TG_DAEMON_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TG_DAEMON_SANITIZED 1
#endif
#endif
#ifndef TG_DAEMON_SANITIZED
#define TG_DAEMON_SANITIZED 0
#endif

/* "No such user": chown and peer checks are left out, as a process without root must. */
#define TG_DAEMON_UID_NONE ((uid_t)-1)

/*
 * Locks the file at path (made 0644 when absent) and writes our pid into it. TG_ERR_DENIED: another
 * process holds it. The descriptor stays open until the process ends: the lock dies with us, so
 * that a stale file needs no judgement. fd may be given to tg_daemon_pid_unlock.
 */
TG_MUST_CHECK enum tg_err tg_daemon_pid_lock(const char *path, int *fd);

/* Empties the file, lets the lock go and closes it. The file stays: unlinking one would race with its next owner. */
void tg_daemon_pid_unlock(int fd);

/*
 * A non-blocking, close-on-exec listening stream socket at path, mode 0600, owned by `owner` when that is
 * another uid than ours. A socket that stands there is unlinked first (the pid lock makes that safe);
 * anything else there is TG_ERR_DENIED. Where the service manager has handed us a socket that is bound at this
 * path (LISTEN_FDS, sd_listen_fds(3)), that one is taken as it is: its unit says who owns it.
 */
TG_MUST_CHECK enum tg_err tg_daemon_listen(const char *path, uid_t owner, int *fd);

/* SO_PEERCRED of a connected unix socket. pid may be NULL. */
TG_MUST_CHECK enum tg_err tg_daemon_peer(int fd, uid_t *uid, pid_t *pid);

struct tg_daemon_user {
    uid_t uid;
    gid_t gid;
};

/* Finds a system user by name. */
TG_MUST_CHECK enum tg_err tg_daemon_user_find(const char *name, struct tg_daemon_user *ret);

/*
 * Gives up root for good: groups, gid, uid (the log file goes along); then checks that there is no way back.
 * Not root: TG_OK only when already that user.
 */
TG_MUST_CHECK enum tg_err tg_daemon_drop(const struct tg_daemon_user *user);

/*
 * umask 077, not dumpable (unless TG_DAEMON_SANITIZED), no new privileges, no core files, SIGPIPE ignored.
 * Call after tg_daemon_drop, which resets some of it.
 */
TG_MUST_CHECK enum tg_err tg_daemon_harden(void);

/* A user of an option: its uid, or its name. TG_ERR_INPUT otherwise. */
TG_MUST_CHECK enum tg_err tg_daemon_uid(const char *text, uid_t *ret);

/* A decimal number of an option, 0..max, nothing before or behind it. TG_ERR_INPUT otherwise. */
TG_MUST_CHECK enum tg_err tg_daemon_number(const char *text, uint64_t max, uint64_t *ret);

#endif
