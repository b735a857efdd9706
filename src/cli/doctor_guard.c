/*
 * doctor_guard.c - what protects the running processes: users, filters of system calls, Landlock, secret memory.
 */
#include "cli/doctor.h"

#include "cli/admin.h"
#include "cli/gate_page.h"
#include "cli/guard.h"
#include "cli/service.h"

#include <pwd.h>
#include <string.h>

#define SECCOMP_FILTER 2

static const char *const restart_remedy = "start it by `tollgate up` or its unit, from Tollgate's own build";

static void check_user(struct tg_doctor *doctor, const char *name, const struct tg_guard *guard, const char *user)
{
    const struct passwd *entry = user[0] == '\0' ? NULL : getpwnam(user);

    if (entry != NULL && guard->uid != entry->pw_uid) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, restart_remedy, "the %s runs as uid %d, not as %s", name,
                       (int)guard->uid, user);
    }
    if (entry != NULL && guard->capabilities != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, restart_remedy, "the %s has capabilities (%llx)", name,
                       (unsigned long long)guard->capabilities);
    }
}

static void check_process(struct tg_doctor *doctor, const char *name, pid_t pid, const char *user)
{
    struct tg_guard guard;

    if (pid == 0 || tg_guard_read(pid, &guard) != TG_OK) {
        return;
    }
    check_user(doctor, name, &guard, user);
    if (!guard.no_new_privs) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, restart_remedy, "the %s could gain new privileges (NoNewPrivs is 0)",
                       name);
    }
    if (guard.seccomp != SECCOMP_FILTER) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, restart_remedy,
                       "the %s runs without its filter of system calls (seccomp %d)", name, guard.seccomp);
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the %s has a seccomp filter and no way to new privileges", name);
    }
}

static void check_landlock(struct tg_doctor *doctor, const char *name, int64_t level)
{
    if (level == 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "boot a kernel with Landlock (5.13 or later, lsm=...,landlock)",
                       "the %s is not held by Landlock: only users and modes limit its paths", name);
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the %s is held by Landlock, level %d", name, (int)level);
    }
}

/* Of nginx a worker; with the guard off there is nothing to look for (doctor_conf.c has said so). */
static void check_gate(struct tg_doctor *doctor)
{
    pid_t master = tg_service_pid(&doctor->instance, TG_SERVICE_NGINX);
    pid_t worker = master == 0 ? 0 : tg_guard_child(master);
    struct tg_gate_said said;
    struct tg_guard guard;

    if (doctor->guard_off) {
        if (worker != 0 && tg_guard_read(worker, &guard) == TG_OK) {
            check_user(doctor, "gate's worker", &guard, doctor->instance.gate_user);
        }
        return;
    }
    check_process(doctor, "gate's worker", worker, doctor->instance.gate_user);
    if (worker == 0 || tg_gate_ask(&doctor->instance, &said) != TG_OK) {
        return;
    }
    check_landlock(doctor, "gate's worker", said.landlock);
    if (said.dumpable != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, restart_remedy,
                       "the gate's worker is dumpable: another process of its user may read its memory");
    }
}

static void check_memory(struct tg_doctor *doctor, const json_t *sealer)
{
    static const char *const names[] = {"keys_memory", "segment_keys_memory", "buffers_memory"};
    const char *weakest = "memfd_secret";
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *kind = json_string_value(json_object_get(sealer, names[i]));

        if (kind == NULL || strcmp(kind, "unlocked") == 0) {
            weakest = "unlocked";
        } else if (strcmp(kind, "locked") == 0 && strcmp(weakest, "memfd_secret") == 0) {
            weakest = "locked";
        }
    }
    if (strcmp(weakest, "unlocked") == 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "raise the limit of locked memory (LimitMEMLOCK, ulimit -l) to 64 MB",
                       "the sealer's secret memory is not locked: keys may reach swap");
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the sealer's secret memory is %s", weakest);
    }
}

/* The sealer as the keeper sees it: the right one, and another instance's where this one joins. */
static void check_sealer(struct tg_doctor *doctor, const json_t *sealer)
{
    const struct tg_instance *instance = &doctor->instance;

    if (json_is_true(json_object_get(sealer, "foreign"))) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "put the keys/ that the store was begun with back, then restart the sealer",
                       "the sealer's keys are not those of this store: every payment gets 503");
    } else if (json_is_true(json_object_get(sealer, "up"))) {
        check_landlock(doctor, "sealer", json_integer_value(json_object_get(sealer, "landlock")));
        check_memory(doctor, sealer);
    } else if (instance->joins[0] != '\0') {
        tg_doctor_find(doctor, TG_FINDING_FAULT,
                       "start that instance; its \"keepers\" in tollgate.json must count those that join it too",
                       "the sealer of %s does not take this keeper: every payment gets 503", instance->joins);
    }
}

/*
 * Claims and counters cross the network: who sits in between could read them and, unless the server is verified, be it.
 * Within this machine that is every user: the port of a server that is down is anybody's, and libpq tells who listens
 * there the password when it is asked in the right way.
 */
static void check_way(struct tg_doctor *doctor, const char *way)
{
    bool open = way != NULL && strncmp(way, "TCP, ", 5) == 0;

    if (way != NULL && strcmp(way, "a socket where anybody may make one") == 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "write requirepeer=postgres into store/connection",
                       "the database is reached by %s: while it is down any user could take its place", way);
    } else if (way != NULL && strcmp(way, "TCP within this machine") == 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING,
                       "write host=/run/postgresql into store/connection, or sslmode=verify-full sslrootcert=FILE",
                       "the database is reached by %s: while it is down any user could take its place", way);
    } else if (open && strcmp(way, "TCP, TLS, server verified") != 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "write sslmode=verify-full sslrootcert=FILE into store/connection",
                       "the database is reached by %s", way);
    } else if (doctor->instance.postgres && way != NULL) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "the database is reached by %s", way);
    }
}

void tg_doctor_guards(struct tg_doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    struct tg_admin admin;
    json_t *status = NULL;
    char why[200];

    if (!doctor->runs) {
        return;
    }
    check_process(doctor, "sealer", tg_service_pid(instance, TG_SERVICE_SEALER), instance->sealer_user);
    check_process(doctor, "keeper", tg_service_pid(instance, TG_SERVICE_KEEPER), instance->keeper_user);
    check_gate(doctor);
    if (!doctor->may_ask || tg_admin_open(instance, true, &admin) != TG_OK) {
        return;
    }
    if (tg_admin_try(&admin, "status", NULL, &status, why, sizeof(why)) == TG_OK) {
        check_landlock(doctor, "keeper",
                       json_integer_value(json_object_get(json_object_get(status, "protection"), "keeper_landlock")));
        check_sealer(doctor, json_object_get(status, "sealer"));
        check_way(doctor, json_string_value(json_object_get(json_object_get(status, "protection"), "store_way")));
    }
    json_decref(status);
    tg_admin_close(&admin);
}
