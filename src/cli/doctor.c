/*
 * doctor.c - `tollgate doctor`: looks at an instance from outside and says what to do.
 *
 * Promises: changes nothing; each finding names its remedy. A fault stops payments or exposes a secret, a
 * warning does not yet.
 */
#include "cli/account.h"
#include "cli/command.h"
#include "cli/service.h"
#include "crypto/x509.h"

#include <jansson.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define DOCTOR_CERTIFICATE_WARN_S (30 * 86400)
#define DOCTOR_DISK_FAULT_BYTES (100ull * 1024 * 1024) /* a batch and a checkpoint must still fit */
#define DOCTOR_DISK_WARN_BYTES (2048ull * 1024 * 1024)
#define DOCTOR_TIME_LEAST_S 1735689600 /* 2025-01-01: no clock of a running system is before this program */

const struct tg_option tg_options_doctor[] = {TG_OPTION_HELP, TG_OPTION_JSON, TG_OPTION_INSTANCE, TG_OPTION_END};

enum finding { FINDING_OK = 0, FINDING_WARNING = 1, FINDING_FAULT = 2 };

struct doctor {
    struct tg_instance instance;
    json_t *findings;
    int faults;
    int warnings;
};

/* what: what was seen. remedy: what to do, NULL with FINDING_OK. */
static void find(struct doctor *doctor, enum finding level, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void find(struct doctor *doctor, enum finding level, const char *remedy, const char *format, ...)
{
    static const char *const names[] = {"ok", "warning", "fault"};
    char what[TG_PATH_BYTES_MAX + 200];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    doctor->faults += level == FINDING_FAULT ? 1 : 0;
    doctor->warnings += level == FINDING_WARNING ? 1 : 0;
    (void)json_array_append_new(doctor->findings, json_pack("{s:s, s:s, s:s?}", "level", names[level], "what", what,
                                                            "remedy", remedy));
}

static void check_users(struct doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    const char *const users[] = {instance->keeper_user, instance->sealer_user, instance->gate_user,
                                 instance->sandbox_user};
    size_t i;

    if (!instance->separated) {
        find(doctor, FINDING_WARNING, "make the instance as root: sudo tollgate init /var/lib/tollgate/NAME",
             "processes not separated: sealer, keeper and gate run as the same user");
        return;
    }
    for (i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        if (getpwnam(users[i]) == NULL) {
            find(doctor, FINDING_FAULT, "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin NAME",
                 "there is no system user %s", users[i]);
        }
    }
    find(doctor, FINDING_OK, NULL, "each process has a user of its own");
}

/* A path of the instance with the mode bits it may have and its owner. */
static void check_path(struct doctor *doctor, const char *name, mode_t allowed, const char *user)
{
    const struct passwd *entry = user[0] == '\0' ? NULL : getpwnam(user);
    char path[TG_PATH_BYTES_MAX];
    char remedy[TG_PATH_BYTES_MAX + 64];
    struct stat status;

    if (lstat(tg_instance_path(&doctor->instance, name, path), &status) != 0) {
        find(doctor, FINDING_FAULT, "restore it from the backup, or make a new instance", "%s is missing", path);
        return;
    }
    if ((status.st_mode & 07777 & ~allowed) != 0) {
        (void)snprintf(remedy, sizeof(remedy), "chmod %o %s", (unsigned)allowed, path);
        find(doctor, FINDING_FAULT, remedy, "%s has mode %o, at most %o is right", path,
             (unsigned)(status.st_mode & 07777), (unsigned)allowed);
    }
    if (entry != NULL && status.st_uid != entry->pw_uid) {
        (void)snprintf(remedy, sizeof(remedy), "chown %s %s", user, path);
        find(doctor, FINDING_FAULT, remedy, "%s does not belong to %s", path, user);
    }
}

static void check_modes(struct doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    int before = doctor->faults;

    check_path(doctor, "keys", 0700, instance->sealer_user);
    check_path(doctor, "store", 0700, instance->keeper_user);
    check_path(doctor, "tls/ca.key", 0600, "");
    check_path(doctor, "tls/server.key", 0600, "");
    if (instance->sandbox) {
        check_path(doctor, "client/tour.key", 0600, "");
    }
    check_path(doctor, "nginx.conf", 0644, "");
    check_path(doctor, "tollgate.json", 0644, "");
    check_path(doctor, "run", 0755, "");
    check_path(doctor, "log", 0755, "");
    if (geteuid() == 0 || !instance->separated) {
        check_path(doctor, "keys/master.key", 0600, instance->sealer_user);
        check_path(doctor, "keys/answers.ring", 0600, instance->sealer_user);
    }
    if (instance->sandbox) {
        check_path(doctor, "sandbox", 0700, instance->sandbox_user);
    }
    if (doctor->faults == before) {
        find(doctor, FINDING_OK, NULL, "owners and modes are right");
    }
    find(doctor, FINDING_WARNING, "keep the backup of keys/ apart from that of store/; an HSM comes with a later release",
         "the master key is a file: who reads %s/keys/master.key can open all that is sealed", instance->dir);
}

static void check_programs(struct doctor *doctor)
{
    static uint8_t said[8192];
    struct tg_buf output = tg_buf(said, sizeof(said) - 1);
    struct tg_service_line line;
    int service;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        if (tg_service_wanted(&doctor->instance, (enum tg_service)service) &&
            tg_service_line(&doctor->instance, (enum tg_service)service, &line) != TG_OK) {
            find(doctor, FINDING_FAULT, "build it, or install the package", "the program of the %s is missing",
                 tg_service_name((enum tg_service)service));
            return;
        }
    }
    if (doctor->instance.separated && geteuid() != 0) {
        find(doctor, FINDING_WARNING, "call doctor as root", "nginx.conf was not checked: it needs root's keys");
        return;
    }
    tg_program_word(&line.program, "-t");
    if (tg_program_run(&line.program, &output) != 0) {
        said[output.len] = '\0';
        find(doctor, FINDING_FAULT, "mend nginx.conf as it says", "nginx refuses its configuration: %.600s",
             (const char *)said);
        return;
    }
    find(doctor, FINDING_OK, NULL, "nginx takes its configuration");
}

static void check_services(struct doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    const char *const addresses[] = {instance->listen, instance->status_listen};
    bool any = false;
    int service;
    size_t i;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        any = any || tg_service_pid(instance, (enum tg_service)service) != 0;
    }
    if (!any) {
        find(doctor, FINDING_WARNING, "start it: tollgate up", "nothing of the instance runs");
        for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
            if (tg_address_answers(addresses[i])) {
                find(doctor, FINDING_FAULT, "stop that program, or change the port in nginx.conf and tollgate.json",
                     "another program listens on %s", addresses[i]);
            }
        }
        return;
    }
    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        const char *name = tg_service_name((enum tg_service)service);

        if (!tg_service_wanted(instance, (enum tg_service)service)) {
            continue;
        }
        if (service == TG_SERVICE_KEEPER && geteuid() != 0 && instance->separated) {
            continue; /* its admin socket is root's */
        }
        if (tg_service_ready(instance, (enum tg_service)service)) {
            find(doctor, FINDING_OK, NULL, "%s answers", name);
        } else {
            find(doctor, FINDING_FAULT, "see log/up.log and the process's own log; `tollgate down`, then `tollgate up`",
                 "%s does not answer", name);
        }
    }
}

static void check_certificate(struct doctor *doctor, const char *name)
{
    uint8_t pem[TG_PEM_BYTES_MAX * 2];
    struct tg_buf buf = tg_buf(pem, sizeof(pem));
    uint8_t sha256[32];
    char path[TG_PATH_BYTES_MAX];
    int64_t not_after_s = 0;
    int64_t left_s;

    if (tg_file_read(tg_instance_path(&doctor->instance, name, path), false, &buf) != TG_OK ||
        tg_x509_fingerprint(tg_buf_span(&buf), sha256, &not_after_s) != TG_OK) {
        find(doctor, FINDING_FAULT, "put a PEM certificate there", "%s cannot be read", path);
        return;
    }
    left_s = not_after_s - (int64_t)time(NULL);
    if (left_s <= 0) {
        find(doctor, FINDING_FAULT, "issue a new one, put it there, then: tollgate reload", "%s has ended", path);
    } else if (left_s < DOCTOR_CERTIFICATE_WARN_S) {
        find(doctor, FINDING_WARNING, "issue a new one, put it there, then: tollgate reload", "%s ends in %d days",
             path, (int)(left_s / 86400));
    } else {
        find(doctor, FINDING_OK, NULL, "%s is good for %d days", name, (int)(left_s / 86400));
    }
}

static void check_clock(struct doctor *doctor)
{
    struct timex state = {0};

    if (time(NULL) < DOCTOR_TIME_LEAST_S) {
        find(doctor, FINDING_FAULT, "set the clock and keep it with chrony or systemd-timesyncd",
             "the clock stands before this program was written");
        return;
    }
    if (adjtimex(&state) < 0 || (state.status & STA_UNSYNC) != 0) {
        find(doctor, FINDING_WARNING, "run chrony or systemd-timesyncd",
             "the kernel says that the clock is not synchronised");
        return;
    }
    find(doctor, FINDING_OK, NULL, "the clock is synchronised");
}

static void check_disk(struct doctor *doctor)
{
    struct statvfs disk;
    unsigned long long free_bytes;

    if (statvfs(doctor->instance.dir, &disk) != 0) {
        find(doctor, FINDING_FAULT, "is the volume mounted?", "the volume of %s cannot be looked at",
             doctor->instance.dir);
        return;
    }
    free_bytes = (unsigned long long)disk.f_bavail * disk.f_frsize;
    if (free_bytes < DOCTOR_DISK_FAULT_BYTES) {
        find(doctor, FINDING_FAULT, "make room: a full disk stops every payment (503)", "only %llu MB are free",
             free_bytes >> 20);
    } else if (free_bytes < DOCTOR_DISK_WARN_BYTES) {
        find(doctor, FINDING_WARNING, "make room before the disk is full: then every payment gets 503",
             "%llu MB are free", free_bytes >> 20);
    } else {
        find(doctor, FINDING_OK, NULL, "%llu GB are free", free_bytes >> 30);
    }
    if (disk.f_favail > 0 && disk.f_favail < 1000) {
        find(doctor, FINDING_WARNING, "remove small files of others", "few inodes are left");
    }
}

static void findings_say(const struct doctor *doctor)
{
    size_t i;

    for (i = 0; i < json_array_size(doctor->findings); i++) {
        const json_t *row = json_array_get(doctor->findings, i);
        const char *remedy = json_string_value(json_object_get(row, "remedy"));

        (void)printf("%-8s %s\n", json_string_value(json_object_get(row, "level")),
                     json_string_value(json_object_get(row, "what")));
        if (remedy != NULL) {
            (void)printf("         do: %s\n", remedy);
        }
    }
    (void)printf("\n%d faults, %d warnings\n", doctor->faults, doctor->warnings);
}

int tg_command_doctor(struct tg_arguments *arguments)
{
    struct doctor doctor = {.findings = json_array()};

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &doctor.instance) != TG_OK) {
        json_decref(doctor.findings);
        return TG_EXIT_REFUSED;
    }
    check_users(&doctor);
    check_modes(&doctor);
    check_programs(&doctor);
    check_services(&doctor);
    check_certificate(&doctor, "tls/server.pem");
    check_certificate(&doctor, "tls/ca.pem");
    check_clock(&doctor);
    check_disk(&doctor);
    if (tg_arguments_flag(arguments, "json")) {
        (void)json_dumpf(doctor.findings, stdout, JSON_INDENT(2));
        (void)printf("\n");
    } else {
        findings_say(&doctor);
    }
    json_decref(doctor.findings);
    return doctor.faults == 0 ? TG_EXIT_OK : TG_EXIT_REFUSED;
}
