/*
 * sandbox.c - the seccomp filter of the sealer, and the paths that are left to it: none, or its log.
 *
 * Promises: as sandbox.h. Where a call is allowed for one purpose, its arguments are pinned to that purpose.
 * Does not: replace the dropped user: it stands on top of it.
 */
#include "sealer/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "daemon/daemon.h"
#include "daemon/landlock.h"
#include "daemon/log.h"

#include "base/banned.h"

/* A log's folder; longer paths are refused. */
#define FOLDER_BYTES_MAX 4096

/* A tree over the calls' numbers: its depth, not its length, is what a call costs. */
#define FILTER_AS_TREE 2

static bool filtered;

/* The log is opened for appending (daemon/log.c), so that the filter cannot be used to read a file. */
#define LOG_OPEN_FLAGS (O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW)

/* What the loop, the ring, the log and libc's allocator call. */
static const int plain_calls[] = {
    /* loop */
    SCMP_SYS(ppoll),
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendto),
    SCMP_SYS(close),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(restart_syscall),
    /* ring, pid file and log */
    SCMP_SYS(pwrite64),
    SCMP_SYS(fdatasync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(write),
    SCMP_SYS(getpid),
    SCMP_SYS(clock_gettime),
    /* memory and randomness */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    /* the end */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* mmap for the allocator, without PROT_EXEC. */
static int allow_mmap(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_log(scmp_filter_ctx filter)
{
    int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                               SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)LOG_OPEN_FLAGS, 0));
    return err != 0 ? err : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(dup3), 0);
}

static int fill(scmp_filter_ctx filter, bool log_is_file)
{
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, FILTER_AS_TREE);
    if (err == 0) {
        err = allow_mmap(filter);
    }
    for (size_t i = 0; i < sizeof(plain_calls) / sizeof(plain_calls[0]) && err == 0; i++) {
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
    }
    if (err == 0 && log_is_file) {
        err = allow_log(filter);
    }
    return err;
}

static enum tg_err close_paths(const char *log)
{
    char folder[FOLDER_BYTES_MAX];
    struct tg_landlock_rule rule = {folder, TG_LANDLOCK_WRITE};
    int level = 0;
    enum tg_err err = log == NULL ? TG_OK : tg_landlock_folder(log, folder, sizeof(folder));
    return err != TG_OK ? err : tg_landlock_enter(&rule, log == NULL ? 0 : 1, &level);
}

bool tg_sandbox_filtered(void)
{
    return filtered;
}

enum tg_err tg_sandbox_enter(const char *log)
{
    enum tg_err entered = close_paths(log);
    if (entered != TG_OK) {
        return entered;
    }
    if (TG_DAEMON_SANITIZED) {
        tg_log_say(TG_LOG_WARNING, "sandbox_left_out", "a sanitizer build: no seccomp filter, dumpable");
        return TG_OK;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        tg_log_errno("sandbox_failed", "seccomp_init", ENOMEM);
        return TG_ERR_DENIED;
    }
    int err = fill(filter, log != NULL);
    if (err == 0) {
        err = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (err != 0) {
        tg_log_errno("sandbox_failed", "seccomp_load", -err);
        return TG_ERR_DENIED;
    }
    filtered = true;
    return TG_OK;
}
