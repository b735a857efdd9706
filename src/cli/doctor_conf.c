/*
 * doctor_conf.c - nginx.conf, which is the operator's, against what the rest of the instance expects of it.
 *
 * Does not: repeat what the gate's own check refuses at `nginx -t`.
 */
#include "cli/doctor.h"

#include "cli/conf_scan.h"
#include "cli/service.h"

#include <string.h>

/* A proxied call holds two: the client's and the upstream's. */
#define DESCRIPTORS_A_CONNECTION 2

struct conf_seen {
    bool listen;
    bool status_listen;
    bool observe;
    bool guard_off;
    int64_t connections;
    int64_t descriptors;
    char keeper[TG_CONF_WORD_BYTES_MAX];
    char user[TG_CONF_WORD_BYTES_MAX];
};

static void text_copy(char ret[TG_CONF_WORD_BYTES_MAX], const char *word)
{
    (void)snprintf(ret, TG_CONF_WORD_BYTES_MAX, "%s", word);
}

static void directive_note(const struct tg_doctor *doctor, const struct tg_conf_scan *scan, struct conf_seen *seen)
{
    const char *word = scan->words[1];

    if (scan->count < 2) {
        return;
    }
    if (tg_conf_scan_is(scan, "listen")) {
        seen->listen = seen->listen || strcmp(word, doctor->instance.listen) == 0;
        seen->status_listen = seen->status_listen || strcmp(word, doctor->instance.status_listen) == 0;
    } else if (tg_conf_scan_is(scan, "tollgate")) {
        seen->observe = seen->observe || strcmp(word, "observe") == 0;
    } else if (tg_conf_scan_is(scan, "tollgate_guard")) {
        seen->guard_off = strcmp(word, "off") == 0;
    } else if (tg_conf_scan_is(scan, "tollgate_keeper")) {
        text_copy(seen->keeper, word);
    } else if (tg_conf_scan_is(scan, "user")) {
        text_copy(seen->user, word);
    } else if (tg_conf_scan_is(scan, "worker_connections")) {
        (void)!tg_number_parse(word, &seen->connections);
    } else if (tg_conf_scan_is(scan, "worker_rlimit_nofile")) {
        (void)!tg_number_parse(word, &seen->descriptors);
    }
}

static void addresses_judge(struct tg_doctor *doctor, const struct conf_seen *seen)
{
    static const char *const remedy = "write the same address in both, then: tollgate reload";

    if (!seen->listen) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy, "nginx.conf does not listen on %s, which tollgate.json names",
                       doctor->instance.listen);
    }
    if (!seen->status_listen) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy,
                       "nginx.conf has no status page on %s, which tollgate.json names", doctor->instance.status_listen);
    }
}

void tg_doctor_conf(struct tg_doctor *doctor)
{
    struct tg_conf_scan scan = {.rest = tg_span(doctor->conf, doctor->conf_len)};
    struct conf_seen seen = {0};
    char path[TG_PATH_BYTES_MAX];
    char socket[TG_PATH_BYTES_MAX + 8];

    if (doctor->conf_len == 0) {
        return;
    }
    while (tg_conf_scan_next(&scan)) {
        directive_note(doctor, &scan, &seen);
    }
    addresses_judge(doctor, &seen);
    (void)snprintf(socket, sizeof(socket), "unix:%s", tg_instance_path(&doctor->instance, "run/gate.sock", path));
    if (strcmp(seen.keeper, socket) != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "write its own socket there, then: tollgate reload",
                       "nginx.conf asks another keeper: tollgate_keeper is not %s", socket);
    }
    if (doctor->instance.separated && strcmp(seen.user, doctor->instance.gate_user) != 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "write the user of tollgate.json there, then: tollgate down and up",
                       "nginx.conf runs its workers as \"%s\", and the keeper talks to %s only: every payment gets 503",
                       seen.user, doctor->instance.gate_user);
    }
    if (seen.observe) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "write `tollgate on` once what it would refuse is known",
                       "nginx.conf only observes in some place: nothing is refused there");
    }
    doctor->guard_off = seen.guard_off;
    if (seen.guard_off) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "take tollgate_guard out, unless a module of nginx needs more",
                       "nginx.conf turns the guard of the gate's workers off: only their user limits them");
    }
    if (seen.descriptors > 0 && seen.descriptors < seen.connections * DESCRIPTORS_A_CONNECTION) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "raise worker_rlimit_nofile, or lower worker_connections",
                       "a worker may open %lld files and is to hold %lld connections of two each",
                       (long long)seen.descriptors, (long long)seen.connections);
    }
}
