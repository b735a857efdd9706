/*
 * down.c - `tollgate down`: asks the supervisor to stop and waits; stops what a killed supervisor left behind.
 *         `tollgate reload`: nginx -t, then nginx takes the configuration on.
 *
 * Promises: signals go only to processes that hold this instance's pid files; reload ends when new workers alone
 * take calls.
 */
#include "cli/command.h"
#include "cli/service.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define DOWN_WAIT_MS 90000  /* above nginx's drain and the daemons' stops together */
#define RELOAD_WAIT_MS 5000 /* until the new workers serve; the old ones then finish their calls on their own */
#define CHILDREN_BYTES_MAX 8192

const struct tg_option tg_options_down[] = {TG_OPTION_HELP, TG_OPTION_INSTANCE, TG_OPTION_END};

/* Another user cannot even see what runs: nothing it said would be true. */
static bool may_steer(const struct tg_instance *instance)
{
    if (instance->separated && geteuid() != 0) {
        tg_complain("%s was made by root: call as root", instance->dir);
        return false;
    }
    return true;
}

/* The pid of the running supervisor, or 0. */
static pid_t supervisor_pid(const struct tg_instance *instance)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[TG_PATH_BYTES_MAX];
    char text[24];
    int64_t pid = 0;
    int fd = open(tg_instance_path(instance, "run/up.pid", path), O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0) {
        return 0;
    }
    got = read(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || tg_number_parse(text, &pid) != TG_OK ||
        pid <= 1 || pid > INT32_MAX) {
        pid = 0;
    }
    (void)close(fd);
    return (pid_t)pid;
}

static bool wait_gone(const struct tg_instance *instance, pid_t (*find)(const struct tg_instance *), int wait_ms)
{
    int64_t end_ms = tg_monotonic_ms() + wait_ms;

    while (find(instance) != 0) {
        if (tg_monotonic_ms() > end_ms) {
            return false;
        }
        tg_sleep_ms(20);
    }
    return true;
}

/* What runs without a supervisor, in the order in which it must stop. */
static bool orphans_stop(const struct tg_instance *instance, bool *any)
{
    static const enum tg_service order[] = {TG_SERVICE_NGINX, TG_SERVICE_REFPAY, TG_SERVICE_KEEPER,
                                            TG_SERVICE_SEALER};
    bool gone = true;
    size_t i;

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        pid_t pid = tg_service_pid(instance, order[i]);
        int64_t end_ms = tg_monotonic_ms() + tg_service_stop_wait_ms(order[i]);

        if (pid == 0) {
            continue;
        }
        *any = true;
        if (kill(pid, tg_service_stop_signal(order[i])) != 0) {
            tg_complain("%s (pid %d) may not be stopped by this user", tg_service_name(order[i]), (int)pid);
            gone = false;
            continue;
        }
        while (tg_service_pid(instance, order[i]) == pid && tg_monotonic_ms() < end_ms) {
            tg_sleep_ms(20);
        }
        if (tg_service_pid(instance, order[i]) == pid) {
            tg_complain("%s (pid %d) does not stop: kill it by hand", tg_service_name(order[i]), (int)pid);
            gone = false;
        }
    }
    return gone;
}

int tg_command_down(struct tg_arguments *arguments)
{
    struct tg_instance instance;
    bool any = false;
    pid_t pid;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &instance) != TG_OK || !may_steer(&instance)) {
        return TG_EXIT_REFUSED;
    }
    pid = supervisor_pid(&instance);
    if (pid > 0) {
        any = true;
        if (kill(pid, SIGTERM) != 0) {
            tg_complain("the supervisor (pid %d) may not be stopped by this user", (int)pid);
            return TG_EXIT_REFUSED;
        }
        if (!wait_gone(&instance, supervisor_pid, DOWN_WAIT_MS)) {
            tg_complain("the supervisor (pid %d) does not stop: see %s/log/up.log", (int)pid, instance.dir);
            return TG_EXIT_REFUSED;
        }
    }
    if (!orphans_stop(&instance, &any)) {
        return TG_EXIT_REFUSED;
    }
    (void)printf("%s %s\n", any ? "Stopped" : "Nothing was running of", instance.dir);
    return TG_EXIT_OK;
}

/* The pids of nginx's children as text, or "" where the kernel does not tell. */
static void children_read(pid_t master, char ret[CHILDREN_BYTES_MAX])
{
    struct tg_buf buf = tg_buf(ret, CHILDREN_BYTES_MAX - 1);
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)master, (int)master);
    if (tg_file_read(path, false, &buf) != TG_OK) {
        buf.len = 0;
    }
    ret[buf.len] = '\0';
}

/* A worker that was told to leave says so in its title, and takes no new call. */
static bool worker_leaves(pid_t pid)
{
    char line[256];
    struct tg_buf buf = tg_buf(line, sizeof(line));
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    return tg_file_read(path, false, &buf) != TG_OK || memmem(buf.ptr, buf.len, "shutting down", 13) != NULL;
}

/* Whether every process of the list has left or is leaving. */
static bool all_leave(const char *list)
{
    const char *at = list;

    while (*at != '\0') {
        char text[24];
        size_t len = strcspn(at, " ");
        int64_t pid = 0;

        (void)snprintf(text, sizeof(text), "%.*s", (int)len, at);
        if (tg_number_parse(text, &pid) == TG_OK && !worker_leaves((pid_t)pid)) {
            return false;
        }
        at += len + (at[len] == ' ' ? 1 : 0);
    }
    return true;
}

static bool reload_done(const char *before)
{
    int64_t end_ms = tg_monotonic_ms() + RELOAD_WAIT_MS;

    while (!all_leave(before)) {
        if (tg_monotonic_ms() > end_ms) {
            return false;
        }
        tg_sleep_ms(20);
    }
    return true;
}

int tg_command_reload(struct tg_arguments *arguments)
{
    static uint8_t said[16384];
    struct tg_buf output = tg_buf(said, sizeof(said));
    struct tg_instance instance;
    struct tg_service_line line;
    char before[CHILDREN_BYTES_MAX];
    pid_t pid;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &instance) != TG_OK || !may_steer(&instance) ||
        tg_service_line(&instance, TG_SERVICE_NGINX, &line) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    tg_program_word(&line.program, "-t");
    if (tg_program_run(&line.program, &output) != 0) {
        (void)fwrite(output.ptr, 1, output.len, stderr);
        tg_complain("nginx refuses %s/nginx.conf: mend it; the running configuration is untouched", instance.dir);
        return TG_EXIT_REFUSED;
    }
    pid = tg_service_pid(&instance, TG_SERVICE_NGINX);
    children_read(pid, before);
    if (pid == 0 || kill(pid, SIGHUP) != 0) {
        tg_complain("nginx of %s does not run, or may not be signalled by this user", instance.dir);
        return TG_EXIT_UNREACHABLE;
    }
    if (!reload_done(before)) {
        tg_complain("nginx (pid %d) has not taken %s/nginx.conf on: see %s/log/error.log", (int)pid, instance.dir,
                    instance.dir);
        return TG_EXIT_REFUSED;
    }
    (void)printf("nginx (pid %d) has taken %s/nginx.conf on\n", (int)pid, instance.dir);
    return TG_EXIT_OK;
}
