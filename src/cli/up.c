/*
 * up.c - `tollgate up`: starts the processes of an instance in order, restarts what dies, stops in reverse order.
 *
 * Promises: a process is started when the one before it answers; one that dies
 * is started again, at once when it had lived, with a growing pause when it
 * had not; SIGTERM or Ctrl-C lets nginx finish what is under way before the
 * keeper goes. Only one `up` per instance: run/up.pid is locked.
 * Does not: read what the processes say; their logs do.
 */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/last_words.h"
#include "cli/service.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_WAIT_MS 30000     /* 10^7 live claims take the keeper 5 s */
#define TICK_MS 20
#define LIVED_MS 500            /* one that lived so long and dies is started again at once */
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 5000
#define PAUSE_HURRY_MS 2000     /* a second Ctrl-C: what is left gets this long */
#define DESCRIPTORS_WISH 65536

const struct tg_option tg_options_up[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"detach", 'd', TG_OPTION_FLAG, NULL, "go to the background when everything answers"},
    TG_OPTION_END,
};

struct up_child {
    pid_t pid; /* 0: not running */
    int64_t started_ms;
    int64_t due_ms; /* when to start it again, while pid is 0 */
    int64_t pause_ms;
};

struct up {
    struct tg_instance instance;
    struct up_child children[TG_SERVICE_COUNT];
    sigset_t signals;
    int lock;
};

static void up_log(enum tg_log_level level, const char *event, enum tg_service service, int64_t pid, int64_t status)
{
    struct tg_log line;

    tg_log_begin(&line, level, event);
    tg_log_string(&line, "service", tg_service_name(service));
    tg_log_number(&line, "service_pid", pid);
    tg_log_number(&line, "status", status);
    tg_log_end(&line);
}

static bool up_start(struct up *up, enum tg_service service)
{
    struct up_child *child = &up->children[service];
    struct tg_service_line line;
    char path[TG_PATH_BYTES_MAX];

    child->started_ms = tg_monotonic_ms();
    if (tg_service_line(&up->instance, service, &line) != TG_OK) {
        return false;
    }
    child->pid = tg_program_start(&line.program, tg_instance_path(&up->instance, "log/up.log", path), NULL);
    if (child->pid <= 0) {
        child->pid = 0;
        return false;
    }
    up_log(TG_LOG_INFO, "started", service, child->pid, 0);
    return true;
}

/* A master that dies leaves its workers: they go too, or their sockets block the next master. */
static void up_sweep(enum tg_service service, pid_t pid)
{
    if (service == TG_SERVICE_NGINX) {
        (void)kill(-pid, SIGTERM);
    }
}

static void up_died(struct up *up, enum tg_service service, int status)
{
    struct up_child *child = &up->children[service];
    int64_t now_ms = tg_monotonic_ms();

    up_log(TG_LOG_ERROR, "died", service, child->pid,
           WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    up_sweep(service, child->pid);
    child->pid = 0;
    if (now_ms - child->started_ms >= LIVED_MS) {
        child->pause_ms = 0;
        child->due_ms = now_ms;
        return;
    }
    child->pause_ms = child->pause_ms == 0 ? PAUSE_FIRST_MS : child->pause_ms * 2;
    child->pause_ms = child->pause_ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : child->pause_ms;
    child->due_ms = now_ms + child->pause_ms;
}

/* Collects the dead. With restart false a death is only noted. */
static void up_reap(struct up *up, bool restart)
{
    int service;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        struct up_child *child = &up->children[service];
        int status = 0;

        if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid) {
            if (restart) {
                up_died(up, (enum tg_service)service, status);
            } else {
                up_log(TG_LOG_INFO, "ended", (enum tg_service)service, child->pid,
                       WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
                child->pid = 0;
            }
        }
    }
}

static void up_restart_due(struct up *up)
{
    int64_t now_ms = tg_monotonic_ms();
    int service;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        struct up_child *child = &up->children[service];

        if (tg_service_wanted(&up->instance, (enum tg_service)service) && child->pid == 0 &&
            now_ms >= child->due_ms && !up_start(up, (enum tg_service)service)) {
            child->due_ms = now_ms + PAUSE_MOST_MS;
        }
    }
}

/* The next signal within the wait, or 0. */
static int up_signal(const struct up *up, int wait_ms)
{
    const struct timespec wait = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
    int number = sigtimedwait(&up->signals, NULL, &wait);

    return number > 0 ? number : 0;
}

static bool is_end(int number)
{
    return number == SIGTERM || number == SIGINT || number == SIGQUIT;
}

/* Starts one and waits until it answers. */
static bool up_start_ready(struct up *up, enum tg_service service)
{
    struct up_child *child = &up->children[service];
    int64_t end_ms = tg_monotonic_ms() + READY_WAIT_MS;
    pid_t pid;

    if (!up_start(up, service)) {
        return false;
    }
    pid = child->pid;
    while (!tg_service_ready(&up->instance, service)) {
        int number = up_signal(up, TICK_MS);

        up_reap(up, false);
        if (is_end(number)) {
            tg_complain("told to stop while starting");
            return false;
        }
        if (child->pid == 0) {
            tg_complain("%s ended while it was starting: see %s/log/%s.log, up.log and error.log",
                        tg_service_name(service), up->instance.dir, tg_service_name(service));
            tg_last_words_say(&up->instance, service, pid);
            return false;
        }
        if (tg_monotonic_ms() > end_ms) {
            tg_complain("%s does not answer after %d s: see %s/log", tg_service_name(service), READY_WAIT_MS / 1000,
                        up->instance.dir);
            return false;
        }
    }
    up_log(TG_LOG_INFO, "answers", service, child->pid, 0);
    (void)printf("  %-8s pid %d\n", tg_service_name(service), (int)child->pid);
    (void)fflush(stdout);
    return true;
}

static void up_stop_one(struct up *up, enum tg_service service)
{
    struct up_child *child = &up->children[service];
    int64_t end_ms = tg_monotonic_ms() + tg_service_stop_wait_ms(service);
    pid_t pid = child->pid;

    if (pid == 0) {
        return;
    }
    (void)kill(pid, tg_service_stop_signal(service));
    while (child->pid > 0 && tg_monotonic_ms() < end_ms) {
        if (is_end(up_signal(up, TICK_MS))) {
            (void)kill(pid, SIGTERM);
            end_ms = tg_monotonic_ms() + PAUSE_HURRY_MS;
        }
        up_reap(up, false);
    }
    if (child->pid > 0) {
        int status;

        up_log(TG_LOG_ERROR, "killed", service, pid, 0);
        (void)kill(-pid, SIGKILL);
        (void)tg_program_wait(pid, PAUSE_HURRY_MS, &status);
        child->pid = 0;
    }
}

static void up_stop(struct up *up)
{
    static const enum tg_service order[] = {TG_SERVICE_NGINX, TG_SERVICE_REFPAY, TG_SERVICE_KEEPER,
                                            TG_SERVICE_SEALER};
    size_t i;

    for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        up_stop_one(up, order[i]);
    }
    tg_log_say(TG_LOG_INFO, "stopped", "everything has ended");
}

static void up_reopen(struct up *up)
{
    int service;

    if (tg_service_logs(&up->instance) != TG_OK || tg_log_reopen() != TG_OK) {
        tg_log_say(TG_LOG_ERROR, "reopen", "log files could not be made again");
    }
    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        if (up->children[service].pid > 0) {
            (void)kill(up->children[service].pid, service == TG_SERVICE_NGINX ? SIGUSR1 : SIGHUP);
        }
    }
}

static void up_serve(struct up *up)
{
    for (;;) {
        int number = up_signal(up, TICK_MS);

        if (is_end(number)) {
            return;
        }
        if (number == SIGHUP) {
            up_reopen(up);
        }
        up_reap(up, true);
        up_restart_due(up);
    }
}

static void up_act(const struct tg_instance *instance, const char *what)
{
    struct tg_admin admin;
    json_t *result = NULL;
    char why[200];

    if (tg_admin_open(instance, true, &admin) == TG_OK) {
        if (tg_admin_try(&admin, "act", json_pack("{s:s, s:{s:b}}", "what", what, "after", "separated",
                                                  instance->separated ? 1 : 0),
                         &result, why, sizeof(why)) != TG_OK) {
            tg_log_say(TG_LOG_WARNING, "act", why);
        }
        json_decref(result);
        tg_admin_close(&admin);
    }
}

static void up_say(const struct tg_instance *instance)
{
    (void)printf("Serving %s%s\n"
                 "  payments  https://%s\n"
                 "  status    http://%s/tollgate/status  http://%s/tollgate/health\n"
                 "  logs      %s/log/access.json  error.log  keeper.log  sealer.log  up.log\n"
                 "  record    tollgate log tail --instance %s\n"
                 "  stop      Ctrl-C, or: tollgate down %s\n",
                 instance->dir, instance->sandbox ? " with the sandbox processor" : "", instance->listen,
                 instance->status_listen, instance->status_listen, instance->dir, instance->dir, instance->dir);
    if (!instance->separated) {
        (void)printf("  NOTE      processes not separated: not root, so all run as one user\n");
    }
    (void)fflush(stdout);
}

/* Neither an earlier start's processes nor other programs may be in the way. */
static bool ways_free(const struct tg_instance *instance)
{
    const char *const addresses[] = {instance->listen, instance->status_listen,
                                     instance->sandbox ? instance->upstream : NULL};
    int service;
    size_t i;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        if (tg_service_pid(instance, (enum tg_service)service) != 0) {
            tg_complain("processes of a supervisor that was killed still run: tollgate down %s", instance->dir);
            return false;
        }
    }

    for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        if (addresses[i] != NULL && tg_address_answers(addresses[i])) {
            tg_complain("something listens on %s already: stop it, or change the port in nginx.conf and tollgate.json",
                        addresses[i]);
            return false;
        }
    }
    return true;
}

/* Parent: waits for the child's word. Child: returns the pipe to say it on; -1 where not detached. */
static int up_detach(bool detach, int *exit_code)
{
    int pipes[2];
    uint8_t word = TG_EXIT_REFUSED;
    pid_t pid;

    *exit_code = -1;
    if (!detach) {
        return -1;
    }
    if (pipe2(pipes, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        tg_complain("cannot go to the background: %s", strerror(errno));
        *exit_code = TG_EXIT_REFUSED;
        return -1;
    }
    if (pid > 0) {
        (void)close(pipes[1]);
        while (read(pipes[0], &word, 1) < 0 && errno == EINTR) {
        }
        *exit_code = word;
        return -1;
    }
    (void)close(pipes[0]);
    (void)setsid();
    return pipes[1];
}

/* The background keeps no terminal. */
static void up_detached_ready(int pipe)
{
    const uint8_t word = TG_EXIT_OK;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (pipe < 0) {
        return;
    }
    (void)fflush(NULL);
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)dup2(nothing, STDOUT_FILENO);
        (void)dup2(nothing, STDERR_FILENO);
    }
    (void)!write(pipe, &word, 1);
    (void)close(pipe);
}

static bool up_prepare(struct up *up)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    struct rlimit limit;
    char path[TG_PATH_BYTES_MAX];
    size_t i;

    if (up->instance.separated && geteuid() != 0) {
        tg_complain("%s was made by root, with users of its own for each process: start it as root",
                    up->instance.dir);
        return false;
    }
    if (tg_service_logs(&up->instance) != TG_OK ||
        tg_log_open("up", tg_instance_path(&up->instance, "log/up.log", path)) != TG_OK) {
        return false;
    }
    if (tg_daemon_pid_lock(tg_instance_path(&up->instance, "run/up.pid", path), &up->lock) != TG_OK) {
        tg_complain("%s is up already: see `tollgate status %s`", up->instance.dir, up->instance.dir);
        return false;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WISH ? limit.rlim_max : DESCRIPTORS_WISH;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)sigemptyset(&up->signals);
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&up->signals, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &up->signals, NULL);
    return ways_free(&up->instance);
}

int tg_command_up(struct tg_arguments *arguments)
{
    static struct up up;
    bool fine;
    int code;
    int pipe;
    int service;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &up.instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    up.lock = -1;
    pipe = up_detach(tg_arguments_flag(arguments, "detach"), &code);
    if (code >= 0) {
        return code;
    }
    fine = up_prepare(&up);
    if (!fine) {
        tg_daemon_pid_unlock(up.lock);
        return TG_EXIT_REFUSED;
    }
    (void)printf("Starting %s\n", up.instance.dir);
    (void)fflush(stdout);
    for (service = 0; fine && service < TG_SERVICE_COUNT; service++) {
        fine = !tg_service_wanted(&up.instance, (enum tg_service)service) ||
               up_start_ready(&up, (enum tg_service)service);
    }
    if (fine) {
        up_act(&up.instance, "up");
        up_say(&up.instance);
        up_detached_ready(pipe);
        up_serve(&up);
        (void)printf("Stopping: calls under way are finished first\n");
        (void)fflush(stdout);
        up_act(&up.instance, "down");
    }
    up_stop(&up);
    tg_daemon_pid_unlock(up.lock);
    return fine ? TG_EXIT_OK : TG_EXIT_REFUSED;
}
