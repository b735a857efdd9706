/*
 * preload.c - what goes wrong inside a process under test: disks, sockets and clocks that fail on command.
 *
 * Loaded by LD_PRELOAD into the keeper, the sealer, nginx and refpay. A page that the bench and the processes share
 * (TOLLGATE_FAULT_CONTROL names its file; it is mapped before any sandbox closes) holds rules: at the nth call of a
 * kind, do this. control.py writes the same layout.
 *
 * Promises: wraps libc calls only and makes no system call that the sandboxes would not allow anyway; without the
 * variable, or in another program, every call passes through. What an fsync has not covered can be taken back, as a
 * machine that loses its power or a disk that fails would.
 * Does not: know stores or frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define SLOTS 4
#define RULES 8
/* Bytes of unsynced writes that are remembered; what is beyond is taken as synced. */
#define UNDO_BYTES_MAX (64u * 1024u * 1024u)
/* As a supervisor sees SIGKILL; exit_group is in every sandbox, tgkill is not. */
#define KILLED_STATUS 137

/* A session: the one on which the keeper commits to PostgreSQL, over a socket of this machine. */
enum { ON_WRITE = 1, ON_SYNC = 2, ON_SEND = 4, ON_RECEIVE = 8, ON_SESSION_SEND = 16, ON_SESSION_RECEIVE = 32 };
enum {
    DO_ERROR = 1,
    DO_SHORT = 2,
    DO_STALL = 3,
    DO_KILL = 4,
    DO_KILL_AFTER = 5,
    DO_ERROR_LOSE = 6,
    DO_KILL_LOSE = 7,
    DO_LIE = 8,
    DO_CUT = 9
};

struct rule {
    _Atomic uint32_t active;
    uint32_t on;
    uint32_t act;
    uint32_t error;
    _Atomic int64_t left; /* calls until it happens; at 1 it happens */
    int64_t count;        /* how often in a row */
    uint64_t parameter;   /* milliseconds of a stall; bits by which lost writes are drawn */
    _Atomic int64_t fired;
};

struct slot {
    _Atomic int64_t clock_us;  /* added to the wall clock */
    _Atomic uint32_t remember; /* unsynced writes are remembered, from the beginning: a rule may lose them */
    uint32_t unused;
    struct rule rules[RULES];
};

struct control {
    uint64_t magic;
    uint64_t unused;
    struct slot slots[SLOTS];
};

static const char *const programs[SLOTS] = {"tollgate-keeper", "tollgate-sealer", "nginx", "refpay"};
enum { KEEPER = 0, SEALER = 1 };
static struct slot *mine;
static int self = -1;
static int session = -1; /* the keeper's first connection with a server of PostgreSQL: its committer's */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("TOLLGATE_FAULT_CONTROL");
    for (int i = 0; i < SLOTS; i++) {
        if (strncmp(program_invocation_short_name, programs[i], 32) == 0) {
            self = i;
        }
    }
    int fd = path == NULL || self < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED) {
        mine = &((struct control *)page)->slots[self];
    }
}

/* ---- what has not been synced ---- */

struct undo {
    struct undo *before;
    int fd;
    dev_t device;
    ino_t inode;
    off_t at;
    size_t len;     /* written */
    size_t old_len; /* of them there before */
    uint8_t old[];
};

static struct undo *undos; /* the newest first */
static size_t undo_bytes;
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

static bool same_file(const struct undo *undo, int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_dev == undo->device && info.st_ino == undo->inode;
}

/* Call with the lock held, before the write. */
static void remember(int fd, size_t len, off_t at)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || undo_bytes + len > UNDO_BYTES_MAX) {
        return;
    }
    size_t old_len = at >= info.st_size ? 0 : (size_t)(info.st_size - at) < len ? (size_t)(info.st_size - at) : len;
    struct undo *undo = malloc(sizeof(*undo) + old_len);
    if (undo == NULL) {
        return;
    }
    *undo = (struct undo){undos, fd, info.st_dev, info.st_ino, at, len, old_len};
    if (old_len > 0 && syscall(SYS_pread64, fd, undo->old, old_len, at) != (long)old_len) {
        free(undo);
        return;
    }
    undos = undo;
    undo_bytes += old_len;
}

/* What stood there before stands there again; beyond the old end zeros, as a file system leaves them. */
static void take_back(const struct undo *undo)
{
    static const uint8_t zeros[65536];
    if (undo->old_len > 0) {
        (void)!syscall(SYS_pwrite64, undo->fd, undo->old, undo->old_len, undo->at);
    }
    for (size_t done = undo->old_len; done < undo->len;) {
        size_t some = undo->len - done < sizeof(zeros) ? undo->len - done : sizeof(zeros);
        (void)!syscall(SYS_pwrite64, undo->fd, zeros, some, undo->at + (off_t)done);
        done += some;
    }
}

/*
 * Ends the memory of one file (fd), or of all (-1); `lose`: the writes whose bit says so are taken back first.
 * Call with the lock held.
 */
static void forget(int fd, bool lose, uint64_t bits)
{
    struct undo **at = &undos;
    for (unsigned i = 0; *at != NULL;) {
        struct undo *undo = *at;
        if (fd >= 0 && !same_file(undo, fd)) {
            at = &undo->before;
            continue;
        }
        if (lose && (bits >> (i++ % 64) & 1) != 0 && same_file(undo, undo->fd)) {
            take_back(undo);
        }
        *at = undo->before;
        undo_bytes -= undo->old_len;
        free(undo);
    }
}

/* ---- rules ---- */

static struct rule *due(uint32_t on)
{
    for (int i = 0; mine != NULL && i < RULES; i++) {
        struct rule *rule = &mine->rules[i];
        if (atomic_load(&rule->active) == 0 || (rule->on & on) == 0) {
            continue;
        }
        int64_t left = atomic_fetch_sub(&rule->left, 1);
        if (left <= 1 && left > 1 - rule->count) {
            atomic_fetch_add(&rule->fired, 1);
            return rule;
        }
    }
    return NULL;
}

static bool watched(uint32_t on)
{
    for (int i = 0; mine != NULL && i < RULES; i++) {
        if (atomic_load(&mine->rules[i].active) != 0 && (mine->rules[i].on & on) != 0) {
            return true;
        }
    }
    return false;
}

static void stall(uint64_t wait_ms)
{
    struct timespec wait = {(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
    syscall(SYS_ppoll, NULL, 0, &wait, NULL, 0);
}

_Noreturn static void end(void)
{
    for (;;) {
        syscall(SYS_exit_group, KILLED_STATUS);
    }
}

/* Before the call: true when it fails with errno set. *ret_len may become shorter. */
static bool fails(struct rule *rule, size_t *ret_len)
{
    if (rule == NULL) {
        return false;
    }
    switch (rule->act) {
    case DO_ERROR:
        errno = (int)rule->error;
        return true;
    case DO_SHORT:
        *ret_len = *ret_len > 1 ? *ret_len / 2 : *ret_len;
        return false;
    case DO_STALL:
        stall(rule->parameter);
        return false;
    case DO_KILL_LOSE:
        pthread_mutex_lock(&undo_lock); /* for good: no other thread writes behind the end */
        forget(-1, true, rule->parameter);
        end();
    case DO_KILL:
        end();
    case DO_CUT: /* at both ends: the server goes on with what it has, and hears no more */
        syscall(SYS_shutdown, session, SHUT_RDWR);
        errno = ECONNRESET;
        return true;
    default:
        return false;
    }
}

static void after(const struct rule *rule)
{
    if (rule != NULL && rule->act == DO_KILL_AFTER) {
        end();
    }
}

/* ---- files ---- */

static ssize_t write_at(int fd, const void *bytes, size_t len, off_t at)
{
    struct rule *rule = due(ON_WRITE);
    if (fails(rule, &len)) {
        return -1;
    }
    long done;
    if (mine != NULL && atomic_load(&mine->remember) != 0) {
        pthread_mutex_lock(&undo_lock);
        remember(fd, len, at);
        done = syscall(SYS_pwrite64, fd, bytes, len, at);
        pthread_mutex_unlock(&undo_lock);
    } else {
        done = syscall(SYS_pwrite64, fd, bytes, len, at);
    }
    after(rule);
    return done;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_at(fd, bytes, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return write_at(fd, bytes, len, at);
}

static int sync_file(long number, int fd)
{
    struct rule *rule = due(ON_SYNC);
    size_t nothing = 0;
    if (fails(rule, &nothing)) {
        return -1;
    }
    if (rule != NULL && rule->act == DO_ERROR_LOSE) {
        pthread_mutex_lock(&undo_lock);
        forget(fd, true, rule->parameter);
        pthread_mutex_unlock(&undo_lock);
        errno = (int)rule->error;
        return -1;
    }
    if (rule != NULL && rule->act == DO_LIE) {
        return 0; /* a disk that says so and does not: the bench must see what comes of it */
    }
    int done;
    if (mine != NULL && atomic_load(&mine->remember) != 0) {
        /* With the lock, or a write that comes while it syncs would count as covered. */
        pthread_mutex_lock(&undo_lock);
        done = (int)syscall(number, fd);
        if (done == 0) {
            forget(fd, false, 0);
        }
        pthread_mutex_unlock(&undo_lock);
    } else {
        done = (int)syscall(number, fd);
    }
    after(rule);
    return done;
}

EXPORT int fsync(int fd)
{
    return sync_file(SYS_fsync, fd);
}

EXPORT int fdatasync(int fd)
{
    return sync_file(SYS_fdatasync, fd);
}

/* ---- files or sockets ---- */

/* The sealer's sandbox knows no fstat; it writes to its log alone. */
static uint32_t kind_of(int fd, uint32_t socket_kind)
{
    struct stat info;
    if (self == SEALER) {
        return socket_kind == ON_SEND ? ON_WRITE : 0;
    }
    if (fstat(fd, &info) != 0) {
        return 0;
    }
    return S_ISSOCK(info.st_mode) ? socket_kind : S_ISREG(info.st_mode) && socket_kind == ON_SEND ? ON_WRITE : 0;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    struct rule *rule = watched(ON_WRITE | ON_SEND) ? due(kind_of(fd, ON_SEND)) : NULL;
    if (fails(rule, &len)) {
        return -1;
    }
    long done = syscall(SYS_write, fd, bytes, len);
    after(rule);
    return done;
}

EXPORT ssize_t read(int fd, void *bytes, size_t len)
{
    struct rule *rule = watched(ON_RECEIVE) ? due(kind_of(fd, ON_RECEIVE)) : NULL;
    if (fails(rule, &len)) {
        return -1;
    }
    long done = syscall(SYS_read, fd, bytes, len);
    after(rule);
    return done;
}

/* ---- sockets ---- */

static uint32_t socket_kind(int fd, uint32_t kind)
{
    uint32_t more = kind == ON_SEND ? ON_SESSION_SEND : ON_SESSION_RECEIVE;
    return fd == session ? kind | more : kind;
}

EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)(const void *)to.__sockaddr__;
    if (self == KEEPER && session < 0 && name->sun_family == AF_UNIX && to_len > sizeof(sa_family_t) &&
        memmem(name->sun_path, to_len - sizeof(sa_family_t), "/.s.PGSQL.", 10) != NULL) {
        session = fd;
    }
    return (int)syscall(SYS_connect, fd, to.__sockaddr__, to_len);
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
    struct rule *rule = due(socket_kind(fd, ON_SEND));
    if (fails(rule, &len)) {
        return -1;
    }
    long done = syscall(SYS_sendto, fd, bytes, len, flags, to.__sockaddr__, to_len);
    after(rule);
    return done;
}

EXPORT ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    return sendto(fd, bytes, len, flags, (__CONST_SOCKADDR_ARG){NULL}, 0);
}

EXPORT ssize_t recvfrom(int fd, void *bytes, size_t len, int flags, __SOCKADDR_ARG from, socklen_t *from_len)
{
    struct rule *rule = due(socket_kind(fd, ON_RECEIVE));
    if (fails(rule, &len)) {
        return -1;
    }
    long done = syscall(SYS_recvfrom, fd, bytes, len, flags, from.__sockaddr__, from_len);
    after(rule);
    return done;
}

EXPORT ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    return recvfrom(fd, bytes, len, flags, (__SOCKADDR_ARG){NULL}, NULL);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct rule *rule = watched(ON_WRITE | ON_SEND) ? due(kind_of(fd, ON_SEND)) : NULL;
    size_t len = count > 0 ? parts[0].iov_len : 0;
    size_t first = len;
    if (fails(rule, &len)) {
        return -1;
    }
    long done = len == first ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_write, fd, parts[0].iov_base, len);
    after(rule);
    return done;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct rule *rule = due(ON_SEND);
    size_t nothing = 0;
    if (fails(rule, &nothing)) {
        return -1;
    }
    long done = syscall(SYS_sendmsg, fd, message, flags);
    after(rule);
    return done;
}

/* ---- clocks ---- */

EXPORT int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int done = (int)syscall(SYS_clock_gettime, clock, ret);
    if (done == 0 && mine != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t step_us = atomic_load(&mine->clock_us);
        int64_t now_ns = (int64_t)ret->tv_sec * 1000000000 + ret->tv_nsec + step_us * 1000;
        ret->tv_sec = now_ns / 1000000000;
        ret->tv_nsec = now_ns % 1000000000;
    }
    return done;
}

EXPORT int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec now;
    (void)zone;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return done;
}

EXPORT time_t time(time_t *ret)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL) {
        *ret = now.tv_sec;
    }
    return now.tv_sec;
}
