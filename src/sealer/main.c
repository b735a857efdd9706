/*
 * main.c - tollgate-sealer: opens what it needs, gives up every right, serves.
 *
 * Promises: the order below; nothing of the keeper's is read before the sandbox is closed.
 * Does not: decide anything about keys (keys.c, ring.c) or frames (serve.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/landlock.h"
#include "daemon/log.h"
#include "sealer/options.h"
#include "sealer/sandbox.h"
#include "sealer/serve.h"

#include "base/banned.h"

#define EXIT_USAGE 2

static struct tg_sealer sealer;
static struct tg_serve serve;

static const char *kind_name(enum tg_secret_kind kind)
{
    return kind == TG_SECRET_MEMFD ? "memfd_secret" : (kind == TG_SECRET_LOCKED ? "locked" : "unlocked");
}

/* The folder of the keys; one that others may enter is used, but not without a word. */
static enum tg_err open_folder(const char *path, int *fd)
{
    struct stat status;
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0 || fstat(*fd, &status) != 0) {
        tg_log_errno("keys_not_opened", path, errno);
        return TG_ERR_DENIED;
    }
    if ((status.st_mode & 077) != 0) {
        tg_log_say(TG_LOG_WARNING, "keys_folder_open", "others may look into the folder of the keys: chmod 700");
    }
    return TG_OK;
}

/* Who we become: --user, or who we are. */
static enum tg_err find_user(const struct tg_sealer_options *options, struct tg_daemon_user *user)
{
    *user = (struct tg_daemon_user){geteuid(), getegid()};
    if (options->user == NULL) {
        if (user->uid == 0) {
            tg_log_say(TG_LOG_WARNING, "running_as_root", "no --user: the sealer keeps root's rights");
        }
        return TG_OK;
    }
    return tg_daemon_user_find(options->user, user);
}

static enum tg_err make_keys(const struct tg_sealer_options *options, const struct tg_daemon_user *user)
{
    int folder = -1;
    enum tg_err err = options->user == NULL ? TG_OK : tg_daemon_drop(user);
    if (err == TG_OK) {
        err = tg_daemon_harden();
    }
    if (err == TG_OK) {
        err = open_folder(options->keys, &folder);
    }
    /* The master key first: its check looks at whether the ring is blank. */
    if (err == TG_OK) {
        err = tg_keys_create(folder);
    }
    if (err == TG_OK) {
        err = tg_ring_create(folder);
    }
    if (folder >= 0) {
        close(folder);
    }
    return err;
}

static enum tg_err open_all(const struct tg_sealer_options *options, const struct tg_daemon_user *user, int *pid_fd,
                            int *listener)
{
    int folder = -1;
    enum tg_err err = options->pid == NULL ? TG_OK : tg_daemon_pid_lock(options->pid, pid_fd);
    if (err == TG_OK) {
        err = open_folder(options->keys, &folder);
    }
    if (err == TG_OK) {
        err = tg_keys_load(&sealer.keys, folder, user->uid);
    }
    if (err == TG_OK) {
        err = tg_ring_open(&sealer.ring, folder, tg_keys_find(&sealer.keys, TG_KEYS_RING, TG_KEY_USE_WRAP));
    }
    if (folder >= 0) {
        close(folder);
    }
    /* The socket last: whoever sees it finds the keys loaded. */
    if (err == TG_OK) {
        uid_t owner = geteuid() == 0 ? options->keeper_uid : TG_DAEMON_UID_NONE;
        err = tg_daemon_listen(options->socket, owner, listener);
    }
    return err;
}

/* What `tollgate status` shows of this process; core files and ptrace are shut out by tg_daemon_harden. */
static void describe_guard(void)
{
    struct tg_buf text = tg_buf(sealer.guard, sizeof(sealer.guard) - 1);
    tg_buf_put_string(&text, "keys_memory=");
    tg_buf_put_string(&text, kind_name(sealer.keys.kind));
    tg_buf_put_string(&text, " segment_keys_memory=");
    tg_buf_put_string(&text, kind_name(sealer.ring.kind));
    tg_buf_put_string(&text, " buffers_memory=");
    tg_buf_put_string(&text, kind_name(serve.kind));
    tg_buf_put_string(&text, " seccomp=");
    tg_buf_put_decimal(&text, tg_sandbox_filtered());
    tg_buf_put_string(&text, " landlock=");
    tg_buf_put_decimal(&text, tg_landlock_level());
    tg_buf_put_string(&text, " dumpable=");
    tg_buf_put_decimal(&text, TG_DAEMON_SANITIZED);
}

static void log_start(void)
{
    struct tg_log line;
    tg_log_say(TG_LOG_WARNING, "master_key_in_file",
               "THE MASTER KEY IS IN A FILE: whoever reads keys/master.key has every key of this instance; "
               "no HSM and no shares protect it");
    tg_log_begin(&line, TG_LOG_INFO, "keys_loaded");
    tg_log_string(&line, "keys_memory", kind_name(sealer.keys.kind));
    tg_log_string(&line, "segment_keys_memory", kind_name(sealer.ring.kind));
    tg_log_string(&line, "buffers_memory", kind_name(serve.kind));
    tg_log_number(&line, "segment_keys", sealer.ring.count);
    tg_log_number(&line, "torn_slots", sealer.ring.torn);
    tg_log_end(&line);
}

/* Everything between open files and the loop. As root the locks are taken before the limit of the new user counts. */
static enum tg_err close_in(const struct tg_sealer_options *options, const struct tg_daemon_user *user, int listener)
{
    enum tg_err err = tg_serve_prepare(&serve, &sealer, listener, options->keeper_uid, options->keepers);
    if (err == TG_OK && geteuid() == 0 && mlockall(MCL_CURRENT) != 0) {
        tg_log_errno("memory_not_locked", "mlockall", errno);
    }
    if (err == TG_OK && options->user != NULL) {
        err = tg_daemon_drop(user);
    }
    if (err == TG_OK) {
        err = tg_daemon_harden();
    }
    if (err == TG_OK) {
        err = tg_work_self_test();
    }
    if (err == TG_OK) {
        log_start();
        err = tg_sandbox_enter(options->log);
    }
    if (err == TG_OK) {
        describe_guard();
    }
    return err;
}

static enum tg_err run(const struct tg_sealer_options *options)
{
    struct tg_daemon_user user;
    int pid_fd = -1;
    int listener = -1;
    enum tg_err err = find_user(options, &user);
    if (err != TG_OK) {
        return err;
    }
    if (options->make_keys) {
        return make_keys(options, &user);
    }
    sealer.ring.fd = -1;
    err = open_all(options, &user, &pid_fd, &listener);
    if (err == TG_OK) {
        err = close_in(options, &user, listener);
    }
    if (err == TG_OK) {
        tg_log_ready("the sealer serves");
        err = tg_serve_run(&serve);
    }
    tg_serve_free(&serve);
    tg_ring_close(&sealer.ring);
    tg_keys_free(&sealer.keys);
    if (listener >= 0) {
        close(listener);
    }
    tg_daemon_pid_unlock(pid_fd);
    return err;
}

int main(int count, char **words)
{
    struct tg_sealer_options options;
    if (tg_sealer_options_read(count, words, &options) != TG_OK) {
        tg_sealer_options_usage(stderr);
        return EXIT_USAGE;
    }
    if (options.help) {
        tg_sealer_options_usage(stdout);
        return EXIT_SUCCESS;
    }
    enum tg_err err = tg_log_open("sealer", options.log);
    if (err == TG_OK) {
        err = run(&options);
    }
    if (err != TG_OK) {
        tg_log_say(TG_LOG_ERROR, "ended", tg_err_name(err));
        return EXIT_FAILURE;
    }
    if (!options.make_keys) {
        tg_log_say(TG_LOG_INFO, "ended", "clean");
    }
    return EXIT_SUCCESS;
}
