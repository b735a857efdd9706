/*
 * landlock.c - Landlock by its system calls: libc has no wrappers, and older kernel headers lack the later rights.
 *
 * Promises: as landlock.h. Every right that the kernel knows is handled, so that what no rule gives is denied.
 * Does not: retry with less when the kernel refuses.
 */
#include "daemon/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

#include "base/banned.h"

/* Documentation/userspace-api/landlock.rst of the kernel; the numbers are its interface. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_REFER (1ull << 13)    /* level 2 */
#define FS_TRUNCATE (1ull << 14) /* level 3 */
#define FS_LEVEL_1 ((1ull << 13) - 1)
#define FS_LEVEL_2 (FS_LEVEL_1 | FS_REFER)
#define FS_LEVEL_3 (FS_LEVEL_2 | FS_TRUNCATE)
#define FS_LEVEL_5 (FS_LEVEL_3 | (1ull << 15)) /* ioctl on devices */
#define NET_LEVEL_4 3ull                       /* bind and connect of TCP */
#define SCOPE_LEVEL_6 3ull                     /* abstract unix sockets, signals */

/* The rights that a rule on a single file may give. */
#define FS_OF_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

struct ruleset_wish {
    uint64_t handled_fs;
    uint64_t handled_net; /* level 4 */
    uint64_t scoped;      /* level 6 */
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static int level_in_force;

static struct ruleset_wish wish_of(int level)
{
    uint64_t fs = level >= 5 ? FS_LEVEL_5 : (level >= 3 ? FS_LEVEL_3 : (level == 2 ? FS_LEVEL_2 : FS_LEVEL_1));
    return (struct ruleset_wish){fs, level >= 4 ? NET_LEVEL_4 : 0, level >= 6 ? SCOPE_LEVEL_6 : 0};
}

/* An older kernel takes a shorter structure. */
static size_t wish_bytes(int level)
{
    return level >= 6 ? sizeof(struct ruleset_wish) : (level >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t));
}

static uint64_t rights_of(enum tg_landlock_access access)
{
    switch (access) {
    case TG_LANDLOCK_READ:
        return FS_READ_FILE | FS_READ_DIR;
    case TG_LANDLOCK_CHANGE:
        return FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;
    case TG_LANDLOCK_TREE:
        return rights_of(TG_LANDLOCK_CHANGE) | FS_MAKE_DIR | FS_REMOVE_DIR;
    case TG_LANDLOCK_WRITE:
        return FS_WRITE_FILE | FS_MAKE_REG | FS_TRUNCATE;
    }
    return 0;
}

static enum tg_err add_rule(int ruleset, const struct tg_landlock_rule *rule, uint64_t handled)
{
    struct stat status;
    int fd = open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && rule->access == TG_LANDLOCK_READ) {
        return TG_OK;
    }
    if (fd < 0 || fstat(fd, &status) != 0) {
        tg_log_errno("landlock_failed", rule->path, errno);
        if (fd >= 0) {
            close(fd);
        }
        return TG_ERR_DENIED;
    }
    uint64_t rights = rights_of(rule->access) & handled;
    if (!S_ISDIR(status.st_mode)) {
        rights &= FS_OF_FILES;
    }
    struct path_rule beneath = {rights, fd};
    long bad = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &beneath, 0);
    if (bad != 0) {
        tg_log_errno("landlock_failed", rule->path, errno);
    }
    close(fd);
    return bad == 0 ? TG_OK : TG_ERR_DENIED;
}

static enum tg_err restrict_self(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        tg_log_errno("landlock_failed", "restrict_self", errno);
        return TG_ERR_DENIED;
    }
    return TG_OK;
}

static enum tg_err enter(const struct tg_landlock_rule *rules, size_t count, bool files_alone, int *level)
{
    *level = 0;
    long known = TG_DAEMON_SANITIZED ? 0 : syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (known <= 0) {
        tg_log_say(TG_LOG_WARNING, "landlock_absent",
                   TG_DAEMON_SANITIZED ? "a sanitizer build: paths are not limited"
                                       : "this kernel has no Landlock: only users and modes limit paths");
        return TG_OK;
    }
    int found = known > TG_LANDLOCK_LEVEL_MAX ? TG_LANDLOCK_LEVEL_MAX : (int)known;
    struct ruleset_wish wish = wish_of(found);
    if (files_alone) {
        wish.handled_net = 0;
        wish.scoped = 0;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wish, wish_bytes(found), 0);
    if (ruleset < 0) {
        tg_log_errno("landlock_failed", "create_ruleset", errno);
        return TG_ERR_DENIED;
    }
    enum tg_err err = TG_OK;
    for (size_t i = 0; i < count && err == TG_OK; i++) {
        err = add_rule(ruleset, &rules[i], wish.handled_fs);
    }
    if (err == TG_OK) {
        err = restrict_self(ruleset);
    }
    close(ruleset);
    if (err == TG_OK) {
        *level = found;
        level_in_force = found;
    }
    return err;
}

enum tg_err tg_landlock_enter(const struct tg_landlock_rule *rules, size_t count, int *level)
{
    return enter(rules, count, false, level);
}

enum tg_err tg_landlock_enter_files(const struct tg_landlock_rule *rules, size_t count, int *level)
{
    return enter(rules, count, true, level);
}

int tg_landlock_level(void)
{
    return level_in_force;
}

enum tg_err tg_landlock_folder(const char *path, char *ret, size_t ret_size)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : (slash == path ? 1 : (size_t)(slash - path));
    if (len + 1 > ret_size) {
        return TG_ERR_LIMIT;
    }
    memcpy(ret, slash == NULL ? "." : path, len);
    ret[len] = '\0';
    return TG_OK;
}
