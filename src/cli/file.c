/*
 * file.c - see file.h.
 */
#include "cli/file.h"

#include "cli/command.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum tg_err tg_path_join(char ret[TG_PATH_BYTES_MAX], const char *dir, const char *name)
{
    int len = snprintf(ret, TG_PATH_BYTES_MAX, "%s/%s", dir, name);

    if (len < 0 || len >= TG_PATH_BYTES_MAX) {
        tg_complain("the path %.60s.../%s is too long", dir, name);
        return TG_ERR_LIMIT;
    }
    return TG_OK;
}

bool tg_file_exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

static bool owner_given(struct tg_owner owner)
{
    return owner.uid != (uid_t)-1 || owner.gid != (gid_t)-1;
}

enum tg_err tg_folder_make(const char *path, mode_t mode, struct tg_owner owner)
{
    struct stat status;
    int fd;
    bool set;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        tg_complain("cannot make the folder %s: %s", path, strerror(errno));
        return TG_ERR_DENIED;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        tg_complain("%s is not a folder: move it away", path);
        return TG_ERR_DENIED;
    }
    if (status.st_uid != geteuid() && (!owner_given(owner) || status.st_uid != owner.uid)) {
        tg_complain("%s belongs to another user, who could exchange what is made in it: move it away", path);
        (void)close(fd);
        return TG_ERR_DENIED;
    }
    /* What was looked at, whatever the name leads to by now. */
    set = (!owner_given(owner) || fchown(fd, owner.uid, owner.gid) == 0) && fchmod(fd, mode) == 0;
    if (!set) {
        tg_complain("cannot set owner and mode of %s: %s", path, strerror(errno));
    }
    (void)close(fd);
    return set ? TG_OK : TG_ERR_DENIED;
}

enum tg_err tg_folder_make_all(const char *path, mode_t mode)
{
    char part[TG_PATH_BYTES_MAX];
    size_t len = strlen(path);
    size_t i;

    if (len == 0 || len >= sizeof(part)) {
        tg_complain("the folder's name is empty or too long");
        return TG_ERR_LIMIT;
    }
    memcpy(part, path, len + 1);
    for (i = 1; i < len; i++) {
        if (part[i] != '/') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, 0755) == 0) {
            (void)chmod(part, 0755);
        } else if (errno != EEXIST) {
            tg_complain("cannot make the folder %s: %s", part, strerror(errno));
            return TG_ERR_DENIED;
        }
        part[i] = '/';
    }
    return tg_folder_make(path, mode, TG_OWNER_SELF);
}

static enum tg_err write_all(int fd, struct tg_span bytes)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return TG_ERR_DOWN;
        }
        bytes.ptr += done;
        bytes.len -= (size_t)done;
    }
    return TG_OK;
}

enum tg_err tg_file_new(const char *path, mode_t mode, struct tg_owner owner, struct tg_span bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum tg_err err;

    if (fd < 0) {
        tg_complain("cannot make %s: %s%s", path, strerror(errno),
                    errno == EEXIST ? ". It is never overwritten: move it away first" : "");
        return TG_ERR_DENIED;
    }
    err = write_all(fd, bytes);
    if (err == TG_OK && owner_given(owner) && fchown(fd, owner.uid, owner.gid) != 0) {
        err = TG_ERR_DENIED;
    }
    if (err == TG_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        err = TG_ERR_DENIED;
    }
    if (close(fd) != 0 && err == TG_OK) {
        err = TG_ERR_DOWN;
    }
    if (err != TG_OK) {
        tg_complain("cannot write %s: %s", path, strerror(errno));
        (void)unlink(path);
    }
    return err;
}

enum tg_err tg_file_touch(const char *path, mode_t mode, struct tg_owner owner)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

    if (fd < 0) {
        tg_complain("cannot make %s: %s", path, strerror(errno));
        return TG_ERR_DENIED;
    }
    if ((owner_given(owner) && fchown(fd, owner.uid, owner.gid) != 0) || fchmod(fd, mode) != 0) {
        tg_complain("cannot set owner and mode of %s: %s", path, strerror(errno));
        (void)close(fd);
        return TG_ERR_DENIED;
    }
    (void)close(fd);
    return TG_OK;
}

static enum tg_err read_all(const char *path, int flags, bool needed, struct tg_buf *buf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    enum tg_err err = TG_OK;

    if (fd < 0) {
        bool absent = errno == ENOENT;

        if (needed || !absent) {
            tg_complain("cannot read %s: %s", path, strerror(errno));
        }
        return absent ? TG_ERR_ABSENT : TG_ERR_DENIED;
    }
    while (err == TG_OK) {
        ssize_t got = read(fd, buf->ptr + buf->len, buf->cap - buf->len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            tg_complain("cannot read %s: %s", path, strerror(errno));
            err = TG_ERR_DOWN;
        } else if (got == 0) {
            break;
        } else {
            buf->len += (size_t)got;
            if (buf->len == buf->cap) {
                tg_complain("%s is larger than %zu bytes", path, buf->cap - 1);
                err = TG_ERR_ROOM;
            }
        }
    }
    (void)close(fd);
    return err;
}

enum tg_err tg_file_read(const char *path, bool needed, struct tg_buf *buf)
{
    return read_all(path, 0, needed, buf);
}

static enum tg_err read_line(const char *path, int flags, char *ret, size_t ret_size)
{
    struct tg_buf buf = tg_buf(ret, ret_size);
    enum tg_err err = read_all(path, flags, true, &buf);
    size_t len = buf.len;
    size_t i;

    if (err != TG_OK) {
        tg_wipe(ret, ret_size);
        return err;
    }
    while (len > 0 && (ret[len - 1] == '\n' || ret[len - 1] == '\r')) {
        len--;
    }
    for (i = 0; i < len; i++) {
        if ((unsigned char)ret[i] < 0x20 || (unsigned char)ret[i] > 0x7e) {
            tg_complain("%s must hold one line of visible ASCII", path);
            tg_wipe(ret, ret_size);
            return TG_ERR_INPUT;
        }
    }
    if (len == 0) {
        tg_complain("%s is empty", path);
        return TG_ERR_INPUT;
    }
    ret[len] = '\0';
    return TG_OK;
}

enum tg_err tg_file_read_line(const char *path, char *ret, size_t ret_size)
{
    return read_line(path, 0, ret, ret_size);
}

enum tg_err tg_file_read_line_itself(const char *path, char *ret, size_t ret_size)
{
    return read_line(path, O_NOFOLLOW | O_NONBLOCK, ret, ret_size);
}
