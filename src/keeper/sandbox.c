/*
 * sandbox.c - the keeper's allow-list.
 *
 * Promises: as sandbox.h. No new program, no new process, no network but unix sockets and what is open already: the
 * sessions with a server, which are made before and never again.
 * Does not: open anything.
 */
#include "keeper/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/landlock.h"
#include "daemon/log.h"

#include "base/banned.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

#define FOLDER_BYTES_MAX 4096

/* A tree over the calls' numbers: its depth, not its length, is what a call costs. */
#define FILTER_AS_TREE 2

static const int allowed[] = {
    /* memory and threads (they are made before, but libc may make an arena) */
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mprotect),
    SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(sched_yield), SCMP_SYS(gettid),
    SCMP_SYS(membarrier),
    /* the loop and its links */
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(listen), SCMP_SYS(connect), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv),
    SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(eventfd2), SCMP_SYS(pipe2),
    /* the store and the log */
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
    SCMP_SYS(lseek), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range), SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(link), SCMP_SYS(linkat), /* copy.c */
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), SCMP_SYS(flock), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(fchown), /* SQLite, as root */
    SCMP_SYS(umask), SCMP_SYS(utimensat), SCMP_SYS(fadvise64), SCMP_SYS(dup), SCMP_SYS(dup3),
    /* who and when */
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname),
    SCMP_SYS(sched_getaffinity),
    /* signals and the end */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int allow_if(scmp_filter_ctx filter, uint32_t action, int number, enum scmp_compare compare, uint64_t value)
{
    const struct scmp_arg_cmp first = {.arg = 0, .op = compare, .datum_a = value, .datum_b = 0};
    return seccomp_rule_add_array(filter, action, number, 1, &first);
}

static int fill(scmp_filter_ctx filter)
{
    int bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (bad == 0) {
        bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, FILTER_AS_TREE);
    }
    for (size_t i = 0; bad == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        bad = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    /* A thread's name is set by itself, perhaps after the filter. */
    if (bad == 0) {
        bad = allow_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_CMP_EQ, PR_SET_NAME);
    }
    /* abort() signals itself, and limits are its own: keepers of other instances have the same user. */
    if (bad == 0) {
        bad = allow_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_CMP_EQ, (uint64_t)getpid());
    }
    if (bad == 0) {
        bad = allow_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_CMP_EQ, 0);
    }
    /* The sealer's link, and libc's look-up of a login name, which may ask a local daemon. */
    if (bad == 0) {
        bad = allow_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), SCMP_CMP_EQ, AF_UNIX);
    }
    if (bad == 0) {
        bad = allow_if(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), SCMP_CMP_NE, AF_UNIX);
    }
    return bad == 0 ? seccomp_load(filter) : bad;
}

enum tg_err tg_sandbox_paths(const char *store, const char *log)
{
    char folder[FOLDER_BYTES_MAX];
    const struct tg_landlock_rule rules[] = {
        {store, TG_LANDLOCK_CHANGE},
        /* actor.c: the login of an operator, and libc's tables and libraries that it is looked up with */
        {"/proc", TG_LANDLOCK_READ},
        {"/etc/passwd", TG_LANDLOCK_READ},
        {"/etc/nsswitch.conf", TG_LANDLOCK_READ},
        {"/etc/ld.so.cache", TG_LANDLOCK_READ},
        {"/lib", TG_LANDLOCK_READ},
        {"/usr/lib", TG_LANDLOCK_READ},
        /* SQLite's and OpenSSL's randomness where getrandom is not asked */
        {"/dev/urandom", TG_LANDLOCK_READ},
        {folder, TG_LANDLOCK_WRITE},
    };
    size_t count = sizeof(rules) / sizeof(rules[0]);
    int level = 0;
    enum tg_err err = log == NULL ? TG_OK : tg_landlock_folder(log, folder, sizeof(folder));
    count -= log == NULL;
    size_t skip = store == NULL; /* the session with a server is open already, and needs no path */
    return err != TG_OK ? err : tg_landlock_enter(rules + skip, count - skip, &level);
}

enum tg_err tg_sandbox_enter(void)
{
    if (UNDER_SANITIZER) {
        tg_log_say(TG_LOG_WARNING, "sandbox_off", "a sanitizer needs more system calls");
        return TG_OK;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return TG_ERR_ROOM;
    }
    int bad = fill(filter);
    seccomp_release(filter);
    if (bad != 0) {
        tg_log_errno("sandbox_failed", "seccomp", -bad);
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

bool tg_sandbox_built(void)
{
    return !UNDER_SANITIZER;
}
