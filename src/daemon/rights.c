/*
 * rights.c - becoming a user with no rights, and staying one.
 *
 * Promises: as daemon.h. After a drop each way back is tried, and a success of any is a failure.
 * Does not: filter system calls: each daemon knows its own.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

#include "base/banned.h"

/* Room for one passwd entry: sysconf's hint is 1024; directory services use more. */
#define PASSWD_BYTES 16384

enum tg_err tg_daemon_user_find(const char *name, struct tg_daemon_user *ret)
{
    char room[PASSWD_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    *ret = (struct tg_daemon_user){TG_DAEMON_UID_NONE, (gid_t)-1};
    if (getpwnam_r(name, &entry, room, sizeof(room), &found) != 0 || found == NULL) {
        tg_log_errno("user_not_found", name, ENOENT);
        return TG_ERR_ABSENT;
    }
    *ret = (struct tg_daemon_user){entry.pw_uid, entry.pw_gid};
    return TG_OK;
}

/* True when all three ids are the user's and root cannot be had again. */
static bool is_dropped(const struct tg_daemon_user *user)
{
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    if (getresuid(&real, &effective, &saved) != 0 || real != user->uid || effective != user->uid ||
        saved != user->uid || getegid() != user->gid) {
        return false;
    }
    return user->uid == 0 || (setuid(0) != 0 && seteuid(0) != 0);
}

enum tg_err tg_daemon_drop(const struct tg_daemon_user *user)
{
    if (geteuid() != 0) {
        if (geteuid() == user->uid) {
            return TG_OK;
        }
        tg_log_errno("user_not_changed", "", EPERM);
        return TG_ERR_DENIED;
    }
    tg_log_give(user->uid, user->gid);
    if (setgroups(1, &user->gid) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0 || !is_dropped(user)) {
        tg_log_errno("user_not_changed", "", errno);
        return TG_ERR_DENIED;
    }
    /* The old user's: a library that looks for its files there would find them and not be let in. */
    return unsetenv("HOME") == 0 ? TG_OK : TG_ERR_DENIED;
}

enum tg_err tg_daemon_harden(void)
{
    const struct rlimit none = {0, 0};
    umask(077);
    int dumpable = TG_DAEMON_SANITIZED;
    if (prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &none) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        tg_log_errno("not_hardened", "", errno);
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

enum tg_err tg_daemon_uid(const char *text, uid_t *ret)
{
    struct tg_daemon_user user;
    uint64_t number = 0;
    *ret = TG_DAEMON_UID_NONE;
    /* The highest uid is TG_DAEMON_UID_NONE and nobody's. */
    if (tg_daemon_number(text, UINT32_MAX - 1, &number) == TG_OK) {
        *ret = (uid_t)number;
        return TG_OK;
    }
    if (text[0] == '\0' || (text[0] >= '0' && text[0] <= '9') || tg_daemon_user_find(text, &user) != TG_OK) {
        return TG_ERR_INPUT;
    }
    *ret = user.uid;
    return TG_OK;
}

enum tg_err tg_daemon_number(const char *text, uint64_t max, uint64_t *ret)
{
    struct tg_span digits = tg_span_string(text);
    uint64_t value = 0;
    *ret = 0;
    if (digits.len == 0) {
        return TG_ERR_INPUT;
    }
    for (size_t i = 0; i < digits.len; i++) {
        uint64_t digit = (uint64_t)digits.ptr[i] - '0';
        if (digits.ptr[i] < '0' || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max) {
            return TG_ERR_INPUT;
        }
    }
    *ret = value;
    return TG_OK;
}
