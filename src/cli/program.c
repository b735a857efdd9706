/*
 * program.c - see program.h.
 */
#include "cli/program.h"

#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const program_folders[] = {"/usr/libexec/tollgate", "/usr/lib/nginx/modules", "/usr/sbin",
                                              "/usr/local/sbin", "/usr/bin"};

/* The folder of this very program. */
static bool own_folder(char ret[TG_PATH_BYTES_MAX])
{
    ssize_t len = readlink("/proc/self/exe", ret, TG_PATH_BYTES_MAX - 1);
    char *slash;

    if (len <= 0) {
        return false;
    }
    ret[len] = '\0';
    slash = strrchr(ret, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return true;
}

static bool found_at(const char *folder, const char *name, char ret[TG_PATH_BYTES_MAX])
{
    int len = snprintf(ret, TG_PATH_BYTES_MAX, "%s/%s", folder, name);

    return len > 0 && len < TG_PATH_BYTES_MAX && access(ret, R_OK) == 0;
}

enum tg_err tg_program_find(const char *name, char ret[TG_PATH_BYTES_MAX])
{
    char folder[TG_PATH_BYTES_MAX];
    size_t i;

    /* nginx is Debian's: one that lies beside us is not taken for it. */
    if (strcmp(name, "nginx") != 0 && own_folder(folder) && found_at(folder, name, ret)) {
        return TG_OK;
    }
    for (i = 0; i < sizeof(program_folders) / sizeof(program_folders[0]); i++) {
        if (found_at(program_folders[i], name, ret)) {
            return TG_OK;
        }
    }
    tg_complain("%s is not found, neither beside tollgate nor in /usr/libexec/tollgate%s", name,
                strcmp(name, "nginx") == 0 ? ": install Debian's nginx-light" : ": build it, or install the package");
    return TG_ERR_ABSENT;
}

enum tg_err tg_data_find(const char *name, char ret[TG_PATH_BYTES_MAX])
{
    static const char *const places[] = {"", "/..", "/../share/tollgate"};
    char folder[TG_PATH_BYTES_MAX];
    char full[TG_PATH_BYTES_MAX];
    size_t i;

    if (own_folder(folder)) {
        for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            int len = snprintf(full, sizeof(full), "%s%s", folder, places[i]);

            if (len > 0 && (size_t)len < sizeof(full) && found_at(full, name, ret)) {
                return TG_OK;
            }
        }
    }
    if (found_at("/usr/share/tollgate", name, ret)) {
        return TG_OK;
    }
    tg_complain("the folder \"%s\" is not found beside tollgate or in /usr/share/tollgate", name);
    return TG_ERR_ABSENT;
}

enum tg_err tg_program_begin(struct tg_program_line *line, const char *name)
{
    memset(line, 0, sizeof(*line));
    if (tg_program_find(name, line->path) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    line->words[line->count++] = line->path;
    return TG_OK;
}

void tg_program_word(struct tg_program_line *line, const char *word)
{
    if (line->count == TG_PROGRAM_WORDS_MAX) {
        line->over = true;
        return;
    }
    line->words[line->count++] = word;
}

void tg_program_pair(struct tg_program_line *line, const char *option, const char *value)
{
    tg_program_word(line, option);
    tg_program_word(line, value);
}

/*
 * What a service inherits of the operator's environment: nothing but these. The rest may hold what is not ours to
 * spread (a cloud's keys, a proxy's password). The last ones serve tests: the dynamic linker's and the sanitizers'.
 */
static const char *const inherited[] = {"PATH=", "LANG=", "TZ=", "LD_PRELOAD=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
                                        "TOLLGATE_FAULT"};
#define INHERITED_COUNT (sizeof(inherited) / sizeof(inherited[0]))
#define ENVIRONMENT_WORDS_MAX 64 /* the fault bench brings the most: under ten */

static void environment_take(char *ret[ENVIRONMENT_WORDS_MAX + 1])
{
    size_t count = 0;

    for (char **word = environ; *word != NULL && count < ENVIRONMENT_WORDS_MAX; word++) {
        for (size_t i = 0; i < INHERITED_COUNT; i++) {
            if (strncmp(*word, inherited[i], strlen(inherited[i])) == 0) {
                ret[count++] = *word;
                break;
            }
        }
    }
    ret[count] = NULL;
}

/* In the child, before exec: no way back, nothing inherited but 0, 1, 2. */
static void child_become(const struct passwd *user)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0); /* Ctrl-C is for the supervisor alone: it stops in order */
    if (user != NULL && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                         setuid(user->pw_uid) != 0)) {
        _exit(126);
    }
}

#define CHILD_PROGRAM_FD 3 /* the first one behind input, output and errors */

static void child_output(int fd)
{
    int nothing = open("/dev/null", O_RDONLY);

    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
    }
    if (fd >= 0 && (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)) {
        _exit(126);
    }
}

static void child_close(int from)
{
    (void)close_range((unsigned)from, ~0u, 0);
}

pid_t tg_program_start(const struct tg_program_line *line, const char *output, const char *user)
{
    const struct passwd *entry = NULL;
    int fd = -1;
    pid_t pid;

    if (line->over) {
        tg_complain("the command line of %s is too long", line->path);
        return -1;
    }
    if (user != NULL && user[0] != '\0') {
        entry = getpwnam(user);
        if (entry == NULL) {
            tg_complain("there is no system user %s", user);
            return -1;
        }
    }
    if (output != NULL) {
        fd = open(output, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0) {
            tg_complain("cannot open %s: %s", output, strerror(errno));
            return -1;
        }
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        char *words[TG_PROGRAM_WORDS_MAX + 1];
        char *environment[ENVIRONMENT_WORDS_MAX + 1];

        memcpy(words, line->words, sizeof(words));
        environment_take(environment);
        /* Another user may not be able to walk to the program (a checkout in root's home): it is found before the change. */
        int program = entry == NULL ? -1 : open(line->path, O_PATH | O_CLOEXEC);

        /* Services need no set-uid program; nginx's workers have no other way to be told. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            _exit(126);
        }
        child_become(entry);
        child_output(fd);
        if (program > CHILD_PROGRAM_FD && dup3(program, CHILD_PROGRAM_FD, O_CLOEXEC) < 0) {
            _exit(126);
        }
        child_close(program >= 0 ? CHILD_PROGRAM_FD + 1 : CHILD_PROGRAM_FD);
        if (program >= 0) {
            (void)execveat(CHILD_PROGRAM_FD, "", words, environment, AT_EMPTY_PATH);
        } else {
            (void)execve(line->path, words, environment);
        }
        _exit(127);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (pid < 0) {
        tg_complain("cannot start %s: %s", line->path, strerror(errno));
    }
    return pid;
}

int tg_program_run(const struct tg_program_line *line, struct tg_buf *output)
{
    int pipes[2];
    int status = 0;
    pid_t pid;

    if (line->over || pipe2(pipes, O_CLOEXEC) != 0) {
        return -1;
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        char *words[TG_PROGRAM_WORDS_MAX + 1];

        memcpy(words, line->words, sizeof(words));
        child_become(NULL);
        child_output(pipes[1]);
        child_close(CHILD_PROGRAM_FD);
        (void)execv(line->path, words);
        _exit(127);
    }
    (void)close(pipes[1]);
    for (;;) {
        uint8_t chunk[512];
        ssize_t got = read(pipes[0], chunk, sizeof(chunk));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        tg_buf_put(output, tg_span(chunk, (size_t)got));
    }
    (void)close(pipes[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDS_COUNT (sizeof(ends) / sizeof(ends[0]))

void tg_program_ends_hold(sigset_t *ret_before)
{
    sigset_t held;

    (void)sigemptyset(&held);
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        struct sigaction action;

        /* Held, even an ignored one would count as come. */
        if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(&held, ends[i]);
        }
    }
    (void)sigprocmask(SIG_BLOCK, &held, ret_before);
}

bool tg_program_ends_told(void)
{
    sigset_t come;
    bool told = false;

    (void)sigpending(&come);
    for (size_t i = 0; i < ENDS_COUNT; i++) {
        told = told || sigismember(&come, ends[i]) == 1;
    }
    return told;
}

void tg_program_ends_release(const sigset_t *before)
{
    (void)sigprocmask(SIG_SETMASK, before, NULL);
}

int64_t tg_monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tg_sleep_ms(int wait_ms)
{
    struct timespec left = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

bool tg_program_wait(pid_t pid, int wait_ms, int *status)
{
    int64_t end_ms = tg_monotonic_ms() + wait_ms;

    for (;;) {
        pid_t got = waitpid(pid, status, WNOHANG);

        if (got == pid || (got < 0 && errno == ECHILD)) {
            return true;
        }
        if (tg_monotonic_ms() >= end_ms) {
            return false;
        }
        tg_sleep_ms(10);
    }
}
