/*
 * actor.c - who an operator is: the uid of the socket's peer and the login behind it.
 *
 * Promises: the uid is the kernel's word (SO_PEERCRED). The login is the audit id of the session
 * (/proc/PID/loginuid, kept through su and sudo) where one is set, else the uid's name.
 * Does not: decide what they may do.
 */
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/daemon.h"
#include "keeper/keeper.h"

#include "base/banned.h"

/* A name as useradd(8) allows it; the rest is cut. */
#define LOGIN_CHARS_MAX 32
#define PASSWD_BYTES 16384

/* The audit id of the process; the uid when none is set (4294967295) or nothing can be read. */
static uid_t login_uid(pid_t pid, uid_t uid)
{
    char path[40];
    struct tg_buf buf = tg_buf(path, sizeof(path));
    tg_buf_put_string(&buf, "/proc/");
    tg_buf_put_decimal(&buf, pid);
    tg_buf_put(&buf, tg_span("/loginuid", sizeof("/loginuid")));
    int fd = buf.over ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return uid;
    }
    char text[16] = {0};
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    uint64_t value = UINT32_MAX;
    if (got <= 0 || tg_daemon_number(text, UINT32_MAX, &value) != TG_OK || value == UINT32_MAX) {
        return uid;
    }
    return (uid_t)value;
}

void tg_admin_actor(uid_t uid, pid_t pid, char ret[TG_LINK_ACTOR_BYTES])
{
    char room[PASSWD_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    struct tg_buf out = tg_buf(ret, TG_LINK_ACTOR_BYTES - 1);
    uid_t login = login_uid(pid, uid);
    tg_buf_put_string(&out, "uid=");
    tg_buf_put_decimal(&out, uid);
    tg_buf_put_string(&out, " login=");
    if (getpwuid_r(login, &entry, room, sizeof(room), &found) == 0 && found != NULL) {
        tg_buf_put(&out, tg_span_sub(tg_span_string(entry.pw_name), 0, LOGIN_CHARS_MAX));
    } else {
        tg_buf_put_decimal(&out, login);
    }
    ret[out.len] = '\0';
}
