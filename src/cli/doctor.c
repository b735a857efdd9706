/*
 * doctor.c - `tollgate doctor`: looks at an instance from outside and says what to do.
 *
 * The parts stand in doctor_*.c; here are the users, the programs, what runs, and the report. As doctor.h.
 */
#include "cli/doctor.h"

#include "cli/command.h"
#include "cli/service.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

const struct tg_option tg_options_doctor[] = {TG_OPTION_HELP, TG_OPTION_JSON, TG_OPTION_INSTANCE, TG_OPTION_END};

void tg_doctor_find(struct tg_doctor *doctor, enum tg_finding level, const char *remedy, const char *format, ...)
{
    static const char *const names[] = {"ok", "warning", "fault"};
    char what[TG_PATH_BYTES_MAX + 200];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    doctor->faults += level == TG_FINDING_FAULT ? 1 : 0;
    doctor->warnings += level == TG_FINDING_WARNING ? 1 : 0;
    (void)json_array_append_new(doctor->findings, json_pack("{s:s, s:s, s:s?}", "level", names[level], "what", what,
                                                            "remedy", remedy));
}

static void check_users(struct tg_doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    const char *const users[] = {instance->keeper_user, instance->sealer_user, instance->gate_user,
                                 instance->sandbox_user};
    int before = doctor->faults;
    size_t i;

    if (!instance->separated) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "make the instance as root: sudo tollgate init /var/lib/tollgate/NAME",
                       "processes not separated: sealer, keeper and gate run as the same user");
        return;
    }
    for (i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        if (getpwnam(users[i]) == NULL) {
            tg_doctor_find(doctor, TG_FINDING_FAULT,
                           "useradd --system --user-group --no-create-home --shell /usr/sbin/nologin NAME",
                           "there is no system user %s", users[i]);
        }
    }
    if (doctor->faults == before) {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "each process has a user of its own");
    }
}

/* What nginx says of its configuration; a good one, with all it includes, stays in doctor->conf. */
static void check_programs(struct tg_doctor *doctor)
{
    struct tg_buf output = tg_buf(doctor->conf, sizeof(doctor->conf) - 1);
    struct tg_service_line line;
    int service;

    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        if (tg_service_wanted(&doctor->instance, (enum tg_service)service) &&
            tg_service_line(&doctor->instance, (enum tg_service)service, &line) != TG_OK) {
            tg_doctor_find(doctor, TG_FINDING_FAULT, "build it, or install the package; see also the users above",
                           "the %s cannot be started: its program or a user of it is missing",
                           tg_service_name((enum tg_service)service));
            return;
        }
    }
    if (doctor->instance.separated && geteuid() != 0) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "call doctor as root",
                       "nginx.conf was not checked: it needs root's keys");
        return;
    }
    tg_program_word(&line.program, "-q");
    tg_program_word(&line.program, "-T");
    if (tg_program_run(&line.program, &output) != 0) {
        doctor->conf[output.len] = '\0';
        tg_doctor_find(doctor, TG_FINDING_FAULT, "mend nginx.conf as it says", "nginx refuses its configuration: %.600s",
                       (const char *)doctor->conf);
        return;
    }
    doctor->conf_len = output.len;
    tg_doctor_find(doctor, TG_FINDING_OK, NULL, "nginx takes its configuration");
}

static void check_idle(struct tg_doctor *doctor)
{
    const char *const addresses[] = {doctor->instance.listen, doctor->instance.status_listen};
    size_t i;

    tg_doctor_find(doctor, TG_FINDING_WARNING, "start it: tollgate up", "nothing of the instance runs");
    for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        if (tg_address_answers(addresses[i])) {
            tg_doctor_find(doctor, TG_FINDING_FAULT,
                           "stop that program, or change the port in nginx.conf and tollgate.json",
                           "another program listens on %s", addresses[i]);
        }
    }
}

static void check_services(struct tg_doctor *doctor)
{
    const struct tg_instance *instance = &doctor->instance;
    int service;

    if (!doctor->may_ask) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "call doctor as root",
                       "the processes were not looked at: root made the instance");
        return;
    }
    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        doctor->runs = doctor->runs || tg_service_pid(instance, (enum tg_service)service) != 0;
    }
    if (!doctor->runs) {
        check_idle(doctor);
        return;
    }
    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        const char *name = tg_service_name((enum tg_service)service);

        if (!tg_service_wanted(instance, (enum tg_service)service)) {
            continue;
        }
        if (tg_service_ready(instance, (enum tg_service)service)) {
            tg_doctor_find(doctor, TG_FINDING_OK, NULL, "%s answers", name);
        } else {
            tg_doctor_find(doctor, TG_FINDING_FAULT,
                           "see log/up.log and the process's own log; `tollgate down`, then `tollgate up`",
                           "%s does not answer", name);
        }
    }
}

static void findings_say(const struct tg_doctor *doctor)
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
    (void)printf("\n%d fault%s, %d warning%s\n", doctor->faults, doctor->faults == 1 ? "" : "s", doctor->warnings,
                 doctor->warnings == 1 ? "" : "s");
}

int tg_command_doctor(struct tg_arguments *arguments)
{
    struct tg_doctor *doctor = calloc(1, sizeof(*doctor));
    int code;

    if (doctor == NULL || tg_instance_open(arguments, tg_arguments_word(arguments, 0), &doctor->instance) != TG_OK) {
        free(doctor);
        return TG_EXIT_REFUSED;
    }
    doctor->findings = json_array();
    doctor->may_ask = geteuid() == 0 || !doctor->instance.separated;
    check_users(doctor);
    tg_doctor_place(doctor);
    check_programs(doctor);
    tg_doctor_conf(doctor);
    check_services(doctor);
    tg_doctor_database(doctor);
    tg_doctor_guards(doctor);
    tg_doctor_setup(doctor);
    tg_doctor_papers(doctor);
    if (tg_arguments_flag(arguments, "json")) {
        (void)json_dumpf(doctor->findings, stdout, JSON_INDENT(2));
        (void)printf("\n");
    } else {
        findings_say(doctor);
    }
    code = doctor->faults == 0 ? TG_EXIT_OK : TG_EXIT_REFUSED;
    json_decref(doctor->findings);
    free(doctor);
    return code;
}
