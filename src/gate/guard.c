/*
 * guard.c - a worker's allow-list of system calls, and the folders that it may write in.
 *
 * Promises: as guard.h. A call that one purpose needs has its arguments pinned to that purpose.
 * Does not: guard the master (it becomes other users, binds ports, reads keys), or nginx's cache manager and loader.
 */
#include "gate/guard.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "daemon/daemon.h"
#include "daemon/landlock.h"
#include "daemon/log.h"

#include "base/banned.h"

#define TG_GUARD_FOLDER_BYTES_MAX 4096

/* The filter as a tree over the calls' numbers: its depth, not its length, is what a call costs. */
#define TG_GUARD_AS_TREE 2

/* An int argument: the upper half of its register may hold anything. */
#define TG_GUARD_INT 0xffffffffu

/* A socket's type without SOCK_NONBLOCK and SOCK_CLOEXEC. */
#define TG_GUARD_SOCKET_TYPE 0xfu

static struct tg_gate_guard tg_guard_now = {.filtered = false, .dumpable = true, .landlock = 0};

/* Whatever stock nginx 1.22's workers, their thread pools and libc call, by purpose. */
static const int tg_guard_calls[] = {
    /* the loop and its connections */
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(recvfrom), SCMP_SYS(writev),
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(close),
    SCMP_SYS(connect), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(sendfile), SCMP_SYS(accept),
    SCMP_SYS(shutdown), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(fcntl), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3),
    /* files: read, temporary ones, caches, logs (which of them: Landlock and the file system say) */
    SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(openat2), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv),
    SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(utimensat), SCMP_SYS(futimesat), SCMP_SYS(truncate),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(copy_file_range),
    SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(umask),
    /* aio on */
    SCMP_SYS(io_setup), SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_pgetevents), SCMP_SYS(io_cancel),
    SCMP_SYS(io_destroy),
    /* memory and threads */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(msync), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu),
    SCMP_SYS(membarrier), SCMP_SYS(gettid),
    /* who and when */
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(times), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrusage), SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(setitimer), SCMP_SYS(getitimer), SCMP_SYS(alarm),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
    /* signals and the end */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigpending), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(wait4), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* One argument of one call, pinned: (argument & mask) == value. */
struct tg_guard_pin {
    int call;
    unsigned argument;
    uint64_t mask;
    uint64_t value;
};

static const struct tg_guard_pin tg_guard_pins[] = {
    {SCMP_SYS(ioctl), 1, TG_GUARD_INT, FIONBIO},
    {SCMP_SYS(ioctl), 1, TG_GUARD_INT, FIONREAD},
    {SCMP_SYS(ioctl), 1, TG_GUARD_INT, FIOASYNC},
    {SCMP_SYS(ioctl), 1, TG_GUARD_INT, FIOCLEX},
    {SCMP_SYS(ioctl), 1, TG_GUARD_INT, TCGETS},
    /* memory that is never both: libraries of the resolver are mapped, code that a worker has written is not run */
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
    {SCMP_SYS(mmap), 2, PROT_EXEC | PROT_WRITE, PROT_EXEC},
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    /* threads, not processes */
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD},
    /* not PR_SET_DUMPABLE */
    {SCMP_SYS(prctl), 0, TG_GUARD_INT, PR_SET_NAME},
    /* limits are read, not set */
    {SCMP_SYS(prlimit64), 2, UINT64_MAX, 0},
    {SCMP_SYS(socketpair), 0, TG_GUARD_INT, AF_UNIX},
};

static int tg_guard_pin(scmp_filter_ctx filter, const struct tg_guard_pin *pin)
{
    const struct scmp_arg_cmp compare = {
        .arg = pin->argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = pin->mask, .datum_b = pin->value};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, pin->call, 1, &compare);
}

/* Streams and datagrams of these families: no raw or packet sockets, no netlink (libc does without). */
static int tg_guard_sockets(scmp_filter_ctx filter)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    int bad = 0;

    for (size_t i = 0; bad == 0 && i < sizeof(families) / sizeof(families[0]) * 2; i++) {
        const struct scmp_arg_cmp compare[] = {
            {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = TG_GUARD_INT, .datum_b = (scmp_datum_t)families[i / 2]},
            {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = TG_GUARD_SOCKET_TYPE, .datum_b = (scmp_datum_t)types[i % 2]},
        };
        bad = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, compare);
    }
    return bad;
}

static int tg_guard_fill(scmp_filter_ctx filter)
{
    const struct tg_guard_pin own_signals = {SCMP_SYS(tgkill), 0, TG_GUARD_INT, (uint64_t)ngx_pid};
    int bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

    if (bad == 0) {
        bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, TG_GUARD_AS_TREE);
    }
    for (size_t i = 0; bad == 0 && i < sizeof(tg_guard_calls) / sizeof(tg_guard_calls[0]); i++) {
        bad = seccomp_rule_add(filter, SCMP_ACT_ALLOW, tg_guard_calls[i], 0);
    }
    for (size_t i = 0; bad == 0 && i < sizeof(tg_guard_pins) / sizeof(tg_guard_pins[0]); i++) {
        bad = tg_guard_pin(filter, &tg_guard_pins[i]);
    }
    if (bad == 0) {
        bad = tg_guard_sockets(filter);
    }
    if (bad == 0) {
        bad = tg_guard_pin(filter, &own_signals); /* abort() */
    }
    if (bad == 0) { /* its flags lie in memory, where no filter looks: libc then falls back to clone */
        bad = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    return bad == 0 ? seccomp_load(filter) : bad;
}

static void tg_guard_filter(ngx_log_t *log)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int bad = filter == NULL ? -ENOMEM : tg_guard_fill(filter);

    seccomp_release(filter);
    if (bad != 0) {
        ngx_log_error(NGX_LOG_WARN, log, -bad, "tollgate_guard: no filter of system calls around this worker");
        return;
    }
    tg_guard_now.filtered = true;
}

/* ---- folders ---- */

/* One rule a folder; what is not there, or not within the worker's reach, it could not write in anyway. */
static ngx_int_t tg_guard_rule(ngx_array_t *rules, const char *path, enum tg_landlock_access access)
{
    struct tg_landlock_rule *rule = rules->elts;
    struct stat status;

    for (ngx_uint_t i = 0; i < rules->nelts; i++) {
        if (rule[i].access == access && ngx_strcmp(rule[i].path, path) == 0) {
            return NGX_OK;
        }
    }
    if (stat(path, &status) != 0) {
        return NGX_OK;
    }
    rule = ngx_array_push(rules);
    if (rule == NULL) {
        return NGX_ERROR;
    }
    rule->path = path;
    rule->access = access;
    return NGX_OK;
}

/* A log is opened again by its name (USR1), after another file has taken its place: so its folder, not the file. */
static ngx_int_t tg_guard_log(ngx_pool_t *pool, ngx_array_t *rules, const ngx_str_t *name)
{
    char folder[TG_GUARD_FOLDER_BYTES_MAX];
    struct stat status;
    char *kept;
    size_t len;

    if (name->len == 0 || (stat((const char *)name->data, &status) == 0 && !S_ISREG(status.st_mode))) {
        return NGX_OK; /* stderr, a pipe, a device */
    }
    if (tg_landlock_folder((const char *)name->data, folder, sizeof(folder)) != TG_OK) {
        return NGX_ERROR;
    }
    len = ngx_strlen(folder) + 1;
    kept = ngx_pnalloc(pool, len);
    if (kept == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(kept, folder, len);
    return tg_guard_rule(rules, kept, TG_LANDLOCK_WRITE);
}

static ngx_int_t tg_guard_rules(ngx_cycle_t *cycle, ngx_pool_t *pool, ngx_array_t *rules)
{
    ngx_path_t **paths = cycle->paths.elts;
    ngx_int_t rc = tg_guard_rule(rules, "/", TG_LANDLOCK_READ);

    if (rc == NGX_OK) {
        rc = tg_guard_rule(rules, "/dev/null", TG_LANDLOCK_CHANGE);
    }
    for (ngx_uint_t i = 0; rc == NGX_OK && i < cycle->paths.nelts; i++) {
        rc = tg_guard_rule(rules, (const char *)paths[i]->name.data, TG_LANDLOCK_TREE);
    }
    for (ngx_list_part_t *part = &cycle->open_files.part; rc == NGX_OK && part != NULL; part = part->next) {
        const ngx_open_file_t *file = part->elts;

        for (ngx_uint_t i = 0; rc == NGX_OK && i < part->nelts; i++) {
            rc = tg_guard_log(pool, rules, &file[i].name);
        }
    }
    return rc;
}

static void tg_guard_paths(ngx_cycle_t *cycle)
{
    ngx_pool_t *pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    ngx_array_t *rules = pool == NULL ? NULL : ngx_array_create(pool, 16, sizeof(struct tg_landlock_rule));
    int level = 0;

    if (rules == NULL || tg_guard_rules(cycle, pool, rules) != NGX_OK ||
        tg_landlock_enter_files(rules->elts, rules->nelts, &level) != TG_OK || level == 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0, "tollgate_guard: no Landlock around this worker");
    }
    tg_guard_now.landlock = level;
    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }
}

void tg_gate_guard_enter(ngx_cycle_t *cycle)
{
    if (TG_DAEMON_SANITIZED) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0, "tollgate_guard: left out in a sanitizer's build");
        return;
    }
    /* What landlock.c has to say goes to stderr, which nginx has made its error log. */
    (void)!tg_log_open("gate", NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno, "tollgate_guard: prctl(PR_SET_NO_NEW_PRIVS) failed");
    }
    /* nginx has just set it, to have core files of workers. */
    tg_guard_now.dumpable = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0;
    tg_guard_paths(cycle);
    tg_guard_filter(cycle->log);
}

struct tg_gate_guard tg_gate_guard(void)
{
    return tg_guard_now;
}
