/*
 * service.c - see service.h.
 */
#include "cli/service.h"

#include "cli/admin.h"
#include "cli/command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NGINX_STOP_WAIT_MS 45000  /* above worker_shutdown_timeout of the template */
#define DAEMON_STOP_WAIT_MS 15000 /* a checkpoint of a large store fits */

static const char *const service_names[TG_SERVICE_COUNT] = {"sealer", "keeper", "refpay", "nginx"};

const char *tg_service_name(enum tg_service service)
{
    return service_names[service];
}

bool tg_service_wanted(const struct tg_instance *instance, enum tg_service service)
{
    if (service == TG_SERVICE_SEALER) {
        return instance->joins[0] == '\0';
    }
    return service != TG_SERVICE_REFPAY || instance->sandbox;
}

int tg_service_stop_signal(enum tg_service service)
{
    return service == TG_SERVICE_NGINX ? SIGQUIT : SIGTERM;
}

int tg_service_stop_wait_ms(enum tg_service service)
{
    return service == TG_SERVICE_NGINX ? NGINX_STOP_WAIT_MS : DAEMON_STOP_WAIT_MS;
}

/* Keeps a text and adds it as a word; too much of it marks the line. */
static void word_kept(struct tg_service_line *ret, const char *option, const char *text)
{
    size_t size = strlen(text) + 1;

    if (size > sizeof(ret->text) - ret->text_len) {
        ret->program.over = true;
        return;
    }
    memcpy(ret->text + ret->text_len, text, size);
    tg_program_pair(&ret->program, option, ret->text + ret->text_len);
    ret->text_len += size;
}

static void word_path(struct tg_service_line *ret, const struct tg_instance *instance, const char *option,
                      const char *name)
{
    char path[TG_PATH_BYTES_MAX];

    word_kept(ret, option, tg_instance_path(instance, name, path));
}

static void word_number(struct tg_service_line *ret, const char *option, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    word_kept(ret, option, text);
}

static enum tg_err line_sealer(const struct tg_instance *instance, struct tg_service_line *ret)
{
    struct tg_owner keeper;

    if (tg_user_find(instance->keeper_user, &keeper) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    word_path(ret, instance, "--keys", "keys");
    word_path(ret, instance, "--socket", "run/sealer.sock");
    word_number(ret, "--keeper-uid", instance->separated ? keeper.uid : geteuid());
    if (instance->keepers > 1) {
        word_number(ret, "--keepers", instance->keepers);
    }
    if (instance->separated) {
        word_kept(ret, "--user", instance->sealer_user);
    }
    return TG_OK;
}

static enum tg_err line_keeper(const struct tg_instance *instance, struct tg_service_line *ret)
{
    struct tg_owner gate;

    if (tg_user_find(instance->gate_user, &gate) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    if (instance->postgres) {
        word_path(ret, instance, "--store-postgres-file", "store/connection");
    } else {
        word_path(ret, instance, "--store", "store");
    }
    word_path(ret, instance, "--gate-socket", "run/gate.sock");
    word_path(ret, instance, "--admin-socket", "run/admin.sock");
    word_path(ret, instance, "--sealer-socket", "run/sealer.sock");
    word_number(ret, "--gate-uid", instance->separated ? gate.uid : geteuid());
    word_number(ret, "--admin-uid", geteuid());
    if (instance->separated) {
        word_kept(ret, "--user", instance->keeper_user);
    }
    return TG_OK;
}

static void line_refpay(const struct tg_instance *instance, struct tg_service_line *ret)
{
    tg_program_word(&ret->program, "serve");
    word_kept(ret, "--listen", instance->upstream);
    word_path(ret, instance, "--control", "run/refpay.sock");
    word_path(ret, instance, "--credential-file", "sandbox/upstream.credential");
    word_path(ret, instance, "--ledger", "sandbox/ledger.sqlite");
    if (instance->separated) {
        word_kept(ret, "--user", instance->sandbox_user);
    }
}

static void line_nginx(const struct tg_instance *instance, struct tg_service_line *ret)
{
    word_path(ret, instance, "-c", "nginx.conf");
    word_path(ret, instance, "-p", ".");
    word_path(ret, instance, "-e", "log/error.log");
    tg_program_pair(&ret->program, "-g", "daemon off;");
}

enum tg_err tg_service_line(const struct tg_instance *instance, enum tg_service service, struct tg_service_line *ret)
{
    static const char *const programs[TG_SERVICE_COUNT] = {"tollgate-sealer", "tollgate-keeper", "refpay", "nginx"};
    char name[64];
    enum tg_err err;

    ret->text_len = 0;
    err = tg_program_begin(&ret->program, programs[service]);
    if (err != TG_OK) {
        return err;
    }
    if (service == TG_SERVICE_SEALER) {
        err = line_sealer(instance, ret);
    } else if (service == TG_SERVICE_KEEPER) {
        err = line_keeper(instance, ret);
    } else if (service == TG_SERVICE_REFPAY) {
        line_refpay(instance, ret);
    } else {
        line_nginx(instance, ret);
    }
    if (err == TG_OK && service != TG_SERVICE_NGINX) {
        (void)snprintf(name, sizeof(name), "run/%s.pid", service_names[service]);
        word_path(ret, instance, "--pid", name);
    }
    if (err == TG_OK && service != TG_SERVICE_NGINX) {
        (void)snprintf(name, sizeof(name), "log/%s.log", service_names[service]);
        word_path(ret, instance, "--log", name);
    }
    if (err == TG_OK && ret->program.over) {
        tg_complain("the command line of %s is too long", service_names[service]);
        return TG_ERR_LIMIT;
    }
    return err;
}

int tg_address_connect(const char *address)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    struct timeval wait = {1, 0};
    char host[TG_ADDRESS_CHARS_MAX];
    socklen_t size = sizeof(*v4);
    uint16_t port;
    int fd;

    if (tg_address_parse(address, host, &port) != TG_OK) {
        return -1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        size = sizeof(*v6);
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) {
            return -1;
        }
    }
    fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)); /* bounds connect() too */
    if (connect(fd, (struct sockaddr *)&storage, size) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool tg_address_answers(const char *address)
{
    int fd = tg_address_connect(address);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static bool socket_answers(const struct tg_instance *instance, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[TG_PATH_BYTES_MAX];
    size_t len = strlen(tg_instance_path(instance, name, path));
    bool answers;
    int fd;

    if (len >= sizeof(address.sun_path)) {
        return false;
    }
    memcpy(address.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    answers = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return answers;
}

/*
 * The sealer talks to the keeper's user alone and logs everyone else, so it is not asked: it serves when its lock
 * is held and its socket is younger than the pid that was written under that lock.
 */
static bool sealer_serves(const struct tg_instance *instance)
{
    char path[TG_PATH_BYTES_MAX];
    struct stat lock;
    struct stat bound;

    if (tg_service_pid(instance, TG_SERVICE_SEALER) == 0 ||
        stat(tg_instance_path(instance, "run/sealer.pid", path), &lock) != 0 ||
        lstat(tg_instance_path(instance, "run/sealer.sock", path), &bound) != 0 || !S_ISSOCK(bound.st_mode)) {
        return false;
    }
    return bound.st_ctim.tv_sec > lock.st_mtim.tv_sec ||
           (bound.st_ctim.tv_sec == lock.st_mtim.tv_sec && bound.st_ctim.tv_nsec >= lock.st_mtim.tv_nsec);
}

static bool keeper_answers(const struct tg_instance *instance)
{
    struct tg_admin admin;
    json_t *result = NULL;
    char why[200];
    bool answers = false;

    if (tg_admin_open(instance, true, &admin) == TG_OK) {
        answers = tg_admin_try(&admin, "status", NULL, &result, why, sizeof(why)) == TG_OK;
        json_decref(result);
        tg_admin_close(&admin);
    }
    return answers;
}

/* Under a service manager the socket is older than the sealer: then the keeper, its only peer, knows. */
static bool keeper_has_sealer(const struct tg_instance *instance)
{
    struct tg_admin admin;
    json_t *result = NULL;
    char why[200];
    bool up = false;

    if (tg_service_pid(instance, TG_SERVICE_SEALER) != 0 && tg_admin_open(instance, true, &admin) == TG_OK) {
        if (tg_admin_try(&admin, "status", NULL, &result, why, sizeof(why)) == TG_OK) {
            up = json_is_true(json_object_get(json_object_get(result, "sealer"), "up"));
        }
        json_decref(result);
        tg_admin_close(&admin);
    }
    return up;
}

bool tg_service_ready(const struct tg_instance *instance, enum tg_service service)
{
    switch (service) {
    case TG_SERVICE_SEALER:
        return sealer_serves(instance) || keeper_has_sealer(instance);
    case TG_SERVICE_KEEPER:
        return keeper_answers(instance);
    case TG_SERVICE_REFPAY:
        return socket_answers(instance, "run/refpay.sock") && tg_address_answers(instance->upstream);
    case TG_SERVICE_NGINX:
        return tg_service_pid(instance, TG_SERVICE_NGINX) != 0 && tg_address_answers(instance->listen) &&
               tg_address_answers(instance->status_listen);
    case TG_SERVICE_COUNT:
        break;
    }
    return false;
}

/* nginx holds no lock: a pid is its master's when that one's title says `-c` and this instance's own nginx.conf. */
static bool is_nginx_of(const struct tg_instance *instance, pid_t pid)
{
    static char line[4096];
    struct tg_buf buf = tg_buf(line, sizeof(line) - 1);
    struct stat own;
    struct stat named;
    char path[TG_PATH_BYTES_MAX];
    size_t i;

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if (tg_file_read(path, false, &buf) != TG_OK || stat(tg_instance_path(instance, "nginx.conf", path), &own) != 0) {
        return false;
    }
    line[buf.len] = '\0';
    for (i = 0; i < buf.len; i++) { /* words end with a NUL, and in a title that was set with a space */
        line[i] = line[i] == ' ' ? '\0' : line[i];
    }
    for (i = 0; i + 3 < buf.len; i += strlen(line + i) + 1) {
        if (strcmp(line + i, "-c") == 0) {
            return stat(line + i + 3, &named) == 0 && named.st_dev == own.st_dev && named.st_ino == own.st_ino;
        }
    }
    return false;
}

/* What a daemon's own user may write names a process of that user, or the caller would signal any that it is told to. */
static bool is_owners(int fd, pid_t pid)
{
    static char text[4096];
    struct tg_buf buf = tg_buf(text, sizeof(text) - 1);
    struct stat status;
    const char *uid;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (fstat(fd, &status) != 0 || tg_file_read(path, false, &buf) != TG_OK) {
        return false;
    }
    text[buf.len] = '\0';
    uid = strstr(text, "\nUid:\t");
    return status.st_uid == 0 || (uid != NULL && strtoul(uid + 6, NULL, 10) == status.st_uid);
}

/* A daemon holds a lock on its pid file as long as it lives. */
static bool pid_holds(const struct tg_instance *instance, enum tg_service service, int fd, pid_t pid)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (service == TG_SERVICE_NGINX) {
        return is_nginx_of(instance, pid);
    }
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && is_owners(fd, pid);
}

pid_t tg_service_pid(const struct tg_instance *instance, enum tg_service service)
{
    char path[TG_PATH_BYTES_MAX];
    char name[64];
    char text[24];
    int64_t pid = 0;
    ssize_t got;
    int fd;

    (void)snprintf(name, sizeof(name), "run/%s.pid", service_names[service]);
    fd = open(tg_instance_path(instance, name, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    got = read(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n ")] = '\0';
    if (tg_number_parse(text, &pid) != TG_OK || pid <= 1 || pid > INT32_MAX ||
        !pid_holds(instance, service, fd, (pid_t)pid)) {
        pid = 0;
    }
    (void)close(fd);
    return (pid_t)pid;
}

enum tg_err tg_service_logs(const struct tg_instance *instance)
{
    static const char *const names[] = {"log/sealer.log", "log/keeper.log", "log/refpay.log", "log/up.log",
                                        "log/error.log",  "log/access.json"};
    const char *const users[] = {instance->sealer_user, instance->keeper_user, instance->sandbox_user, "", "", ""};
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = TG_OK;
    size_t i;

    for (i = 0; err == TG_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        struct tg_owner owner;

        err = tg_user_find(users[i], &owner);
        if (err == TG_OK) {
            err = tg_file_touch(tg_instance_path(instance, names[i], path), 0640, owner);
        }
    }
    return err;
}

enum tg_err tg_service_pid_files(const struct tg_instance *instance)
{
    const char *const names[] = {"run/sealer.pid", "run/keeper.pid"};
    const char *const users[] = {instance->sealer_user, instance->keeper_user};
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = TG_OK;
    size_t i;

    for (i = 0; err == TG_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        struct tg_owner owner;

        err = tg_user_find(users[i], &owner);
        if (err == TG_OK) {
            err = tg_file_touch(tg_instance_path(instance, names[i], path), 0644, owner);
        }
    }
    return err;
}
