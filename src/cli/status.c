/*
 * status.c - `tollgate status`: what runs, and what the keeper says of itself.
 */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/gate_page.h"
#include "cli/guard.h"
#include "cli/service.h"
#include "cli/table.h"

#include <pwd.h>
#include <unistd.h>

#define STATUS_WAIT_MOST_S 600
#define STATUS_TICK_MS 50

const struct tg_option tg_options_status[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    TG_OPTION_INSTANCE,
    {"wait", 0, TG_OPTION_TEXT, "SECONDS", "wait until everything answers"},
    TG_OPTION_END,
};

struct status {
    json_t *services; /* rows: service, pid, answers, and what the kernel says of it */
    json_t *keeper;   /* its own words, or NULL */
    bool all;         /* everything that is wanted answers */
};

/* Of nginx a worker is shown: the master reads configuration, the workers meet the world. */
static json_t *service_row(const struct tg_instance *instance, enum tg_service service, bool answers)
{
    static const char *const filters[] = {"none", "strict", "filter"};
    pid_t pid = tg_service_pid(instance, service);
    pid_t shown = service == TG_SERVICE_NGINX && pid != 0 ? tg_guard_child(pid) : pid;
    json_t *row = json_pack("{s:s, s:i, s:b}", "service", tg_service_name(service), "pid", (int)pid, "answers",
                            answers ? 1 : 0);
    const struct passwd *entry;
    struct tg_gate_said said;
    struct tg_guard guard;

    if (row == NULL || shown == 0 || tg_guard_read(shown, &guard) != TG_OK) {
        return row;
    }
    entry = getpwuid(guard.uid);
    (void)json_object_set_new(row, "user", entry == NULL ? json_integer(guard.uid) : json_string(entry->pw_name));
    (void)json_object_set_new(row, "no_new_privs", json_boolean(guard.no_new_privs));
    (void)json_object_set_new(row, "seccomp", json_string(filters[guard.seccomp > 2 || guard.seccomp < 0
                                                                      ? 2
                                                                      : guard.seccomp]));
    (void)json_object_set_new(row, "capabilities", json_sprintf("%llx", (unsigned long long)guard.capabilities));
    if (service == TG_SERVICE_NGINX && answers && tg_gate_ask(instance, &said) == TG_OK) {
        (void)json_object_set_new(row, "landlock", json_integer(said.landlock));
        (void)json_object_set_new(row, "dumpable", json_integer(said.dumpable));
    }
    return row;
}

static void status_ask(const struct tg_instance *instance, struct status *ret)
{
    struct tg_admin admin;
    char why[200];
    int service;

    ret->services = json_array();
    ret->keeper = NULL;
    ret->all = true;
    for (service = 0; service < TG_SERVICE_COUNT; service++) {
        bool answers;

        if (!tg_service_wanted(instance, (enum tg_service)service)) {
            continue;
        }
        answers = tg_service_ready(instance, (enum tg_service)service);
        ret->all = ret->all && answers;
        (void)json_array_append_new(ret->services, service_row(instance, (enum tg_service)service, answers));
    }
    if (tg_admin_open(instance, true, &admin) == TG_OK) {
        if (tg_admin_try(&admin, "status", NULL, &ret->keeper, why, sizeof(why)) != TG_OK) {
            ret->keeper = NULL;
        }
        tg_admin_close(&admin);
    }
    if (instance->joins[0] != '\0') { /* another instance's, but nothing passes without it */
        ret->all = ret->all && json_is_true(json_object_get(json_object_get(ret->keeper, "sealer"), "up"));
    }
}

static void status_free(struct status *status)
{
    json_decref(status->services);
    json_decref(status->keeper);
}

/* Nested members as "a.b  value" lines. */
static void members_say(const json_t *object, const char *before)
{
    char cell[TG_TABLE_CELL_BYTES_MAX];
    char path[120];
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        (void)snprintf(path, sizeof(path), "%s%s%s", before, before[0] == '\0' ? "" : ".", name);
        if (json_is_object(value)) {
            members_say(value, path);
        } else {
            tg_table_cell(value, cell, sizeof(cell));
            (void)printf("  %-36s %s\n", path, cell);
        }
    }
}

/* The daemons' level and dumpability stand in the keeper's words. */
static void gate_say(const json_t *services)
{
    const json_t *row;
    size_t i;

    json_array_foreach(services, i, row) {
        if (json_object_get(row, "landlock") != NULL) {
            (void)printf("\nthe gate says\n  %-36s %d\n  %-36s %d\n", "landlock",
                         (int)json_integer_value(json_object_get(row, "landlock")), "dumpable",
                         (int)json_integer_value(json_object_get(row, "dumpable")));
        }
    }
}

static void status_say(const struct tg_instance *instance, const struct status *status)
{
    static const char *const columns[] = {"service", "pid",     "answers",      "user",
                                          "seccomp", "no_new_privs", "capabilities", NULL};

    (void)printf("instance  %s\npayments  https://%s\nstatus    http://%s/tollgate/status\n", instance->dir,
                 instance->listen, instance->status_listen);
    if (instance->joins[0] != '\0') {
        (void)printf("joins     %s: its database, its sealer\n", instance->joins);
    }
    if (instance->separated && geteuid() != 0) {
        (void)printf("NOTE      made by root: call as root to see its processes\n");
    }
    if (!instance->separated) {
        (void)printf("NOTE      processes not separated: not made by root, so all run as one user\n");
    }
    (void)printf("\n");
    tg_table_print(columns, status->services);
    gate_say(status->services);
    if (status->keeper != NULL) {
        (void)printf("\nthe keeper says\n");
        members_say(status->keeper, "");
    } else {
        (void)printf("\nthe keeper does not answer: tollgate doctor %s\n", instance->dir);
    }
}

int tg_command_status(struct tg_arguments *arguments)
{
    struct tg_instance instance;
    struct status status;
    int64_t wait_s = 0;
    int64_t end_ms;
    bool all;

    if (tg_arguments_number(arguments, "wait", 0, STATUS_WAIT_MOST_S, &wait_s) != TG_OK) {
        return tg_usage("status: %s", arguments->why);
    }
    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    end_ms = tg_monotonic_ms() + wait_s * 1000;
    status_ask(&instance, &status);
    while (!status.all && tg_monotonic_ms() < end_ms) {
        tg_sleep_ms(STATUS_TICK_MS);
        status_free(&status);
        status_ask(&instance, &status);
    }
    if (tg_arguments_flag(arguments, "json")) {
        json_t *row = json_pack("{s:s, s:b, s:b, s:O, s:O?}", "instance", instance.dir, "separated",
                                instance.separated ? 1 : 0, "ready", status.all ? 1 : 0, "services",
                                status.services, "keeper", status.keeper);

        (void)json_dumpf(row, stdout, JSON_INDENT(2));
        (void)printf("\n");
        json_decref(row);
    } else {
        status_say(&instance, &status);
    }
    all = status.all;
    status_free(&status);
    return all ? TG_EXIT_OK : TG_EXIT_UNREACHABLE;
}
