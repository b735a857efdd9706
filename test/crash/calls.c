/*
 * calls.c - libc's names for files, so that what stands under DISK_ROOT is a disk in memory; see disk.h.
 *
 * A program that is linked with this file has its libraries (SQLite among them) call it instead of libc. Other paths
 * and descriptors go to the kernel.
 *
 * Promises: every change of the mounted disk is one operation, recorded and asked of the hook before it is done.
 * Does not: keep locks (one process, and each start has other inode numbers) or shared memory between starts: SQLite
 * makes it anew. Does not: know more of libc than the store, the sealer and SQLite call.
 */
#include "disk_inside.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FD_BASE 1000000 /* above what the kernel gives */
#define FDS 256
#define RANDOM_PATH "/dev/urandom"

static struct {
    struct disk *disk;
    struct disk_log *log;
    disk_hook hook;
    void *user;
    uint64_t calls, starts, random;
    struct {
        uint32_t node; /* 0: free */
        bool random;
        off_t at;
    } fds[FDS];
} mounted;

void disk_mount(struct disk *disk, struct disk_log *log, disk_hook hook, void *user)
{
    mounted.disk = disk;
    mounted.log = log;
    mounted.hook = hook;
    mounted.user = user;
    mounted.calls = 0;
    mounted.starts++;
    mounted.random = 1;
    memset(mounted.fds, 0, sizeof(mounted.fds));
}

const struct disk *disk_mounted(void)
{
    return mounted.disk;
}

/* ---- one operation ---- */

static void record(const struct disk_op *op)
{
    struct disk_log *log = mounted.log;
    if (log == NULL) {
        return;
    }
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 1024 : log->cap * 2;
        log->ops = memory_own_realloc(log->ops, log->cap * sizeof(*log->ops));
        if (log->ops == NULL) {
            abort();
        }
    }
    log->ops[log->count++] = *op;
    if (op->data != NULL) {
        op->data->users++;
    }
}

static void do_op(const struct disk_op *op)
{
    record(op);
    disk_apply(mounted.disk, op);
}

/* What the call returns; for a write: how much was written. */
static ssize_t change(struct disk_op *op)
{
    struct disk_fault fault = {0};
    size_t len = op->data == NULL ? 0 : op->data->len;
    uint64_t number = mounted.calls++;
    if (mounted.hook != NULL) {
        fault = mounted.hook(mounted.user, op, number);
    }
    if (fault.act == DISK_FAIL_HALF && op->kind == DISK_WRITE && len > 1) {
        struct disk_op half = *op;
        half.data = disk_bytes_new(op->data->bytes, len / 2);
        do_op(&half);
        disk_bytes_drop(half.data);
        return (ssize_t)(len / 2);
    }
    if ((fault.act == DISK_FAIL_LOSE || fault.act == DISK_FAIL_BACK) && op->kind == DISK_SYNC) {
        struct disk_op lost = {
            .kind = DISK_LOSE, .node = op->node, .at = fault.seed, .back = fault.act == DISK_FAIL_BACK};
        do_op(&lost);
    }
    if (fault.act != DISK_DO) {
        errno = fault.error;
        return -1;
    }
    do_op(op);
    return (ssize_t)len;
}

/* ---- names ---- */

static bool is_ours(const char *path)
{
    size_t len = sizeof(DISK_ROOT) - 1;
    return mounted.disk != NULL && strncmp(path, DISK_ROOT, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The folder and the last part of a path below a folder; false with errno when a folder on the way is not there. */
static bool split(uint32_t from, const char *path, uint32_t *ret_folder, char last[DISK_NAME_BYTES])
{
    *ret_folder = from;
    last[0] = '\0';
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len == 0) {
            path++;
            continue;
        }
        if (last[0] != '\0') {
            *ret_folder = disk_find(mounted.disk, *ret_folder, last);
        }
        if (len >= DISK_NAME_BYTES || *ret_folder == 0 || !disk_node(mounted.disk, *ret_folder)->folder) {
            errno = ENOENT;
            return false;
        }
        memcpy(last, path, len);
        last[len] = '\0';
        path += len;
    }
    return true;
}

static bool split_path(const char *path, uint32_t *ret_folder, char last[DISK_NAME_BYTES])
{
    return split(DISK_ROOT_NODE, path + sizeof(DISK_ROOT) - 1, ret_folder, last);
}

/* 0 with errno ENOENT: not there. */
static uint32_t look(uint32_t folder, const char *last)
{
    uint32_t node = last[0] == '\0' ? folder : disk_find(mounted.disk, folder, last);
    if (node == 0) {
        errno = ENOENT;
    }
    return node;
}

static uint32_t look_path(const char *path)
{
    uint32_t folder;
    char last[DISK_NAME_BYTES];
    return split_path(path, &folder, last) ? look(folder, last) : 0;
}

static uint32_t node_of(int fd)
{
    return mounted.disk == NULL || fd < FD_BASE || fd >= FD_BASE + FDS ? 0 : mounted.fds[fd - FD_BASE].node;
}

static struct disk_op op_on(enum disk_op_kind kind, uint32_t node, const char *name)
{
    struct disk_op op = {.kind = kind, .node = node};
    (void)snprintf(op.name, sizeof(op.name), "%s", name);
    return op;
}

static int give_fd(uint32_t node, bool is_random)
{
    for (int i = 0; i < FDS; i++) {
        if (mounted.fds[i].node == 0) {
            mounted.fds[i].node = node;
            mounted.fds[i].random = is_random;
            mounted.fds[i].at = 0;
            return FD_BASE + i;
        }
    }
    errno = EMFILE;
    return -1;
}

static int open_node(uint32_t folder, const char *last, int flags)
{
    uint32_t node = look(folder, last);
    if (node != 0 && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (node == 0) {
        struct disk_op make = op_on(DISK_MAKE, folder, last);
        if ((flags & O_CREAT) == 0 || change(&make) < 0) {
            return -1;
        }
        node = look(folder, last);
    } else if ((flags & O_TRUNC) != 0 && disk_node(mounted.disk, node)->seen.len > 0) {
        struct disk_op cut = op_on(DISK_RESIZE, node, "");
        if (change(&cut) < 0) {
            return -1;
        }
    }
    return give_fd(node, false);
}

#define EXPORT(name) __asm__(name) __attribute__((visibility("default")))

static mode_t mode_of(int flags, va_list rest)
{
    return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
}

static int disk_openat(int at, const char *path, int flags, mode_t mode)
{
    uint32_t folder = node_of(at);
    char last[DISK_NAME_BYTES];
    if (mounted.disk != NULL && strcmp(path, RANDOM_PATH) == 0) {
        return give_fd(DISK_ROOT_NODE, true);
    }
    if (is_ours(path)) {
        return split_path(path, &folder, last) ? open_node(folder, last, flags) : -1;
    }
    if (folder != 0 && strcmp(path, "..") == 0) { /* no folder here stands deeper than in the root */
        return give_fd(DISK_ROOT_NODE, false);
    }
    if (folder != 0) {
        return split(folder, path, &folder, last) ? open_node(folder, last, flags) : -1;
    }
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define OPEN(function, name)                                                                                           \
    int function(const char *path, int flags, ...) EXPORT(name);                                                       \
    int function(const char *path, int flags, ...)                                                                     \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return disk_openat(AT_FDCWD, path, flags, mode);                                                               \
    }
OPEN(call_open, "open")
OPEN(call_open64, "open64")

#define OPENAT(function, name)                                                                                         \
    int function(int at, const char *path, int flags, ...) EXPORT(name);                                               \
    int function(int at, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        return disk_openat(at, path, flags, mode);                                                                     \
    }
OPENAT(call_openat, "openat")
OPENAT(call_openat64, "openat64")

/* What _FORTIFY_SOURCE makes of an open whose flags are not a constant. */
int call_open_2(const char *path, int flags) EXPORT("__open_2");
int call_open_2(const char *path, int flags)
{
    return disk_openat(AT_FDCWD, path, flags, 0);
}

int call_open64_2(const char *path, int flags) EXPORT("__open64_2");
int call_open64_2(const char *path, int flags)
{
    return disk_openat(AT_FDCWD, path, flags, 0);
}

int call_close(int fd) EXPORT("close");
int call_close(int fd)
{
    if (fd < FD_BASE) {
        return (int)syscall(SYS_close, fd);
    }
    if (fd < FD_BASE + FDS) {
        mounted.fds[fd - FD_BASE].node = 0;
    }
    return 0;
}

/* A call on names: done here when the path is ours, by the kernel otherwise. */
static int unname(uint32_t folder, const char *last)
{
    struct disk_op op = op_on(DISK_UNNAME, folder, last);
    return look(folder, last) == 0 || change(&op) < 0 ? -1 : 0;
}

int call_unlink(const char *path) EXPORT("unlink");
int call_unlink(const char *path)
{
    uint32_t folder;
    char last[DISK_NAME_BYTES];
    if (!is_ours(path)) {
        return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    }
    return split_path(path, &folder, last) ? unname(folder, last) : -1;
}

int call_unlinkat(int at, const char *path, int flags) EXPORT("unlinkat");
int call_unlinkat(int at, const char *path, int flags)
{
    uint32_t folder = node_of(at);
    return folder == 0 ? (int)syscall(SYS_unlinkat, at, path, flags) : unname(folder, path);
}

static int rename_in(uint32_t folder, const char *from, uint32_t to_folder, const char *to)
{
    struct disk_op op = op_on(DISK_RENAME, folder, from);
    op.target = to_folder;
    (void)snprintf(op.to, sizeof(op.to), "%s", to);
    return look(folder, from) == 0 || change(&op) < 0 ? -1 : 0;
}

int call_rename(const char *from, const char *to) EXPORT("rename");
int call_rename(const char *from, const char *to)
{
    uint32_t folder, to_folder;
    char last[DISK_NAME_BYTES], to_last[DISK_NAME_BYTES];
    if (!is_ours(from)) {
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    }
    if (!split_path(from, &folder, last) || !split_path(to, &to_folder, to_last)) {
        return -1;
    }
    return rename_in(folder, last, to_folder, to_last);
}

int call_renameat(int at, const char *from, int to_at, const char *to) EXPORT("renameat");
int call_renameat(int at, const char *from, int to_at, const char *to)
{
    uint32_t folder = node_of(at), to_folder = node_of(to_at);
    return folder == 0 ? (int)syscall(SYS_renameat2, at, from, to_at, to, 0) : rename_in(folder, from, to_folder, to);
}

int call_linkat(int at, const char *from, int to_at, const char *to, int flags) EXPORT("linkat");
int call_linkat(int at, const char *from, int to_at, const char *to, int flags)
{
    uint32_t folder = node_of(at), to_folder = node_of(to_at);
    if (folder == 0) {
        return (int)syscall(SYS_linkat, at, from, to_at, to, flags);
    }
    struct disk_op op = op_on(DISK_NAME, to_folder, to);
    op.target = look(folder, from);
    if (op.target != 0 && look(to_folder, to) != 0) {
        errno = EEXIST;
        return -1;
    }
    return op.target == 0 || change(&op) < 0 ? -1 : 0;
}

int call_mkdir(const char *path, mode_t mode) EXPORT("mkdir");
int call_mkdir(const char *path, mode_t mode)
{
    uint32_t folder;
    char last[DISK_NAME_BYTES];
    if (!is_ours(path)) {
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    }
    if (!split_path(path, &folder, last)) {
        return -1;
    }
    if (look(folder, last) != 0) {
        errno = EEXIST;
        return -1;
    }
    struct disk_op op = op_on(DISK_MAKE_FOLDER, folder, last);
    return change(&op) < 0 ? -1 : 0;
}

int call_access(const char *path, int how) EXPORT("access");
int call_access(const char *path, int how)
{
    if (!is_ours(path)) {
        return (int)syscall(SYS_faccessat, AT_FDCWD, path, how);
    }
    return look_path(path) == 0 ? -1 : 0;
}

ssize_t call_readlink(const char *path, char *to, size_t len) EXPORT("readlink");
ssize_t call_readlink(const char *path, char *to, size_t len)
{
    if (!is_ours(path)) {
        return syscall(SYS_readlinkat, AT_FDCWD, path, to, len);
    }
    errno = EINVAL;
    return -1;
}

/* ---- what is known of a file ---- */

static int fill(uint32_t number, struct stat *to)
{
    if (number == 0) {
        return -1;
    }
    const struct disk_node *node = disk_node(mounted.disk, number);
    memset(to, 0, sizeof(*to));
    to->st_dev = 0x7467;
    to->st_ino = mounted.starts * 1000000 + number; /* SQLite knows files by it: after a start all are others */
    to->st_mode = (node->folder ? (mode_t)S_IFDIR : (mode_t)S_IFREG) | node->mode;
    to->st_nlink = 1;
    to->st_uid = geteuid();
    to->st_gid = getegid();
    to->st_size = (off_t)node->seen.len;
    to->st_blksize = 4096;
    return 0;
}

static int disk_stat(int at, const char *path, struct stat *to, int flags)
{
    uint32_t folder = node_of(at);
    if (is_ours(path)) {
        return fill(look_path(path), to);
    }
    if (folder != 0) {
        return fill(look(folder, path), to);
    }
    return (int)syscall(SYS_newfstatat, at, path, to, flags);
}

#define STAT(function, name, flags)                                                                                    \
    int function(const char *path, struct stat *to) EXPORT(name);                                                      \
    int function(const char *path, struct stat *to)                                                                    \
    {                                                                                                                  \
        return disk_stat(AT_FDCWD, path, to, flags);                                                                   \
    }
STAT(call_stat, "stat", 0)
STAT(call_stat64, "stat64", 0)
STAT(call_lstat, "lstat", AT_SYMLINK_NOFOLLOW)
STAT(call_lstat64, "lstat64", AT_SYMLINK_NOFOLLOW)

#define FSTAT(function, name)                                                                                          \
    int function(int fd, struct stat *to) EXPORT(name);                                                                \
    int function(int fd, struct stat *to)                                                                              \
    {                                                                                                                  \
        return disk_stat(fd, "", to, AT_EMPTY_PATH);                                                                   \
    }
FSTAT(call_fstat, "fstat")
FSTAT(call_fstat64, "fstat64")

#define FSTATAT(function, name)                                                                                        \
    int function(int at, const char *path, struct stat *to, int flags) EXPORT(name);                                   \
    int function(int at, const char *path, struct stat *to, int flags)                                                 \
    {                                                                                                                  \
        return disk_stat(at, path, to, flags);                                                                         \
    }
FSTATAT(call_fstatat, "fstatat")
FSTATAT(call_fstatat64, "fstatat64")

int call_fchmod(int fd, mode_t mode) EXPORT("fchmod");
int call_fchmod(int fd, mode_t mode)
{
    return node_of(fd) == 0 ? (int)syscall(SYS_fchmod, fd, mode) : 0;
}

int call_fchown(int fd, uid_t uid, gid_t gid) EXPORT("fchown");
int call_fchown(int fd, uid_t uid, gid_t gid)
{
    return node_of(fd) == 0 ? (int)syscall(SYS_fchown, fd, uid, gid) : 0;
}

/* ---- bytes ---- */

static ssize_t read_at(int fd, void *to, size_t len, off_t at)
{
    const struct disk_node *node = disk_node(mounted.disk, node_of(fd));
    if (mounted.fds[fd - FD_BASE].random) { /* the same in every run */
        for (size_t i = 0; i < len; i++) {
            ((uint8_t *)to)[i] = (uint8_t)disk_mix(mounted.random++, 3);
        }
        return (ssize_t)len;
    }
    size_t left = (size_t)at >= node->seen.len ? 0 : node->seen.len - (size_t)at;
    size_t some = len < left ? len : left;
    if (some > 0) {
        memcpy(to, node->seen.bytes + at, some);
    }
    return (ssize_t)some;
}

static ssize_t write_at(int fd, const void *from, size_t len, off_t at)
{
    uint32_t number = node_of(fd);
    struct disk_op op = {.kind = DISK_WRITE, .node = number, .at = (uint64_t)at, .data = disk_bytes_new(from, len)};
    ssize_t done = (ssize_t)len;
    if (disk_node(mounted.disk, number)->scratch) {
        disk_apply(mounted.disk, &op);
    } else {
        done = change(&op);
    }
    disk_bytes_drop(op.data);
    return done;
}

ssize_t call_read(int fd, void *to, size_t len) EXPORT("read");
ssize_t call_read(int fd, void *to, size_t len)
{
    if (node_of(fd) == 0) {
        return syscall(SYS_read, fd, to, len);
    }
    ssize_t done = read_at(fd, to, len, mounted.fds[fd - FD_BASE].at);
    mounted.fds[fd - FD_BASE].at += done;
    return done;
}

ssize_t call_write(int fd, const void *from, size_t len) EXPORT("write");
ssize_t call_write(int fd, const void *from, size_t len)
{
    if (node_of(fd) == 0) {
        return syscall(SYS_write, fd, from, len);
    }
    ssize_t done = write_at(fd, from, len, mounted.fds[fd - FD_BASE].at);
    mounted.fds[fd - FD_BASE].at += done > 0 ? done : 0;
    return done;
}

#define PREAD(function, name)                                                                                          \
    ssize_t function(int fd, void *to, size_t len, off_t at) EXPORT(name);                                             \
    ssize_t function(int fd, void *to, size_t len, off_t at)                                                           \
    {                                                                                                                  \
        return node_of(fd) == 0 ? syscall(SYS_pread64, fd, to, len, at) : read_at(fd, to, len, at);                    \
    }
PREAD(call_pread, "pread")
PREAD(call_pread64, "pread64")

#define PWRITE(function, name)                                                                                         \
    ssize_t function(int fd, const void *from, size_t len, off_t at) EXPORT(name);                                     \
    ssize_t function(int fd, const void *from, size_t len, off_t at)                                                   \
    {                                                                                                                  \
        return node_of(fd) == 0 ? syscall(SYS_pwrite64, fd, from, len, at) : write_at(fd, from, len, at);              \
    }
PWRITE(call_pwrite, "pwrite")
PWRITE(call_pwrite64, "pwrite64")

static int resize(uint32_t number, off_t size)
{
    struct disk_op op = {.kind = DISK_RESIZE, .node = number, .at = (uint64_t)size};
    const struct disk_node *node = disk_node(mounted.disk, number);
    if (node->scratch) {
        disk_apply(mounted.disk, &op);
        return 0;
    }
    return node->seen.len == (size_t)size ? 0 : (int)change(&op);
}

#define FTRUNCATE(function, name)                                                                                      \
    int function(int fd, off_t size) EXPORT(name);                                                                     \
    int function(int fd, off_t size)                                                                                   \
    {                                                                                                                  \
        return node_of(fd) == 0 ? (int)syscall(SYS_ftruncate, fd, size) : resize(node_of(fd), size);                   \
    }
FTRUNCATE(call_ftruncate, "ftruncate")
FTRUNCATE(call_ftruncate64, "ftruncate64")

#define TRUNCATE(function, name)                                                                                       \
    int function(const char *path, off_t size) EXPORT(name);                                                           \
    int function(const char *path, off_t size)                                                                         \
    {                                                                                                                  \
        if (!is_ours(path)) {                                                                                          \
            return (int)syscall(SYS_truncate, path, size);                                                             \
        }                                                                                                              \
        uint32_t node = look_path(path);                                                                               \
        return node == 0 ? -1 : resize(node, size);                                                                    \
    }
TRUNCATE(call_truncate, "truncate")
TRUNCATE(call_truncate64, "truncate64")

/* posix_fallocate returns its error. */
static int allocate(int fd, off_t at, off_t len)
{
    uint32_t node = node_of(fd);
    if (node == 0) {
        return syscall(SYS_fallocate, fd, 0, at, len) == 0 ? 0 : errno;
    }
    return (size_t)(at + len) <= disk_node(mounted.disk, node)->seen.len || resize(node, at + len) == 0 ? 0 : errno;
}

int call_fallocate(int fd, off_t at, off_t len) EXPORT("posix_fallocate");
int call_fallocate(int fd, off_t at, off_t len)
{
    return allocate(fd, at, len);
}

int call_fallocate64(int fd, off_t at, off_t len) EXPORT("posix_fallocate64");
int call_fallocate64(int fd, off_t at, off_t len)
{
    return allocate(fd, at, len);
}

static int sync_fd(long number, int fd)
{
    struct disk_op op = {.kind = DISK_SYNC, .node = node_of(fd)};
    return op.node == 0 ? (int)syscall(number, fd) : (int)change(&op);
}

int call_fsync(int fd) EXPORT("fsync");
int call_fsync(int fd)
{
    return sync_fd(SYS_fsync, fd);
}

int call_fdatasync(int fd) EXPORT("fdatasync");
int call_fdatasync(int fd)
{
    return sync_fd(SYS_fdatasync, fd);
}

/* ---- locks and shared memory ---- */

static int disk_fcntl(int fd, int command, void *argument)
{
    if (node_of(fd) == 0) {
        return (int)syscall(SYS_fcntl, fd, command, argument);
    }
    if (command == F_GETLK) {
        ((struct flock *)argument)->l_type = F_UNLCK;
    }
    return 0;
}

#define FCNTL(function, name)                                                                                          \
    int function(int fd, int command, ...) EXPORT(name);                                                               \
    int function(int fd, int command, ...)                                                                             \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, command);                                                                                       \
        void *argument = va_arg(rest, void *);                                                                         \
        va_end(rest);                                                                                                  \
        return disk_fcntl(fd, command, argument);                                                                      \
    }
FCNTL(call_fcntl, "fcntl")
FCNTL(call_fcntl64, "fcntl64")

int call_flock(int fd, int how) EXPORT("flock");
int call_flock(int fd, int how)
{
    return node_of(fd) == 0 ? (int)syscall(SYS_flock, fd, how) : 0;
}

#define MMAP(function, name)                                                                                           \
    void *function(void *near, size_t len, int rights, int flags, int fd, off_t at) EXPORT(name);                      \
    void *function(void *near, size_t len, int rights, int flags, int fd, off_t at)                                    \
    {                                                                                                                  \
        bool ours = node_of(fd) != 0;                                                                                  \
        int how = ours ? MAP_PRIVATE | MAP_ANONYMOUS : flags;                                                          \
        return (void *)syscall(SYS_mmap, near, len, rights, how, ours ? -1 : fd, ours ? 0 : at);                       \
    }
MMAP(call_mmap, "mmap")
MMAP(call_mmap64, "mmap64")
