/*
 * setup.c - see setup.h.
 */
#include "cli/setup.h"

#include "cli/apikey.h"
#include "cli/command.h"
#include "cli/last_words.h"
#include "cli/service.h"

#include <signal.h>

#define START_WAIT_MS 30000

/* One payment and one day, in minor units. BHD has three decimals, JPY none. */
static const struct {
    const char *currency;
    json_int_t payment_max;
    json_int_t day_max;
} setup_limits[] = {
    {"EUR", 100000, 100000000000},
    {"USD", 100000, 100000000000},
    {"JPY", 150000, 150000000000},
    {"BHD", 400000, 400000000000},
};

static enum tg_err ask(struct tg_admin *admin, const char *command, json_t *arguments)
{
    json_t *result = NULL;
    enum tg_err err = tg_admin_ask(admin, command, arguments, &result);

    json_decref(result);
    return err;
}

static enum tg_err setup_partner(struct tg_admin *admin)
{
    enum tg_err err = ask(admin, "partner.add", json_pack("{s:s}", "name", TG_SETUP_PARTNER));
    size_t i;

    for (i = 0; err == TG_OK && i < sizeof(setup_limits) / sizeof(setup_limits[0]); i++) {
        err = ask(admin, "limit.set",
                  json_pack("{s:s, s:s, s:s, s:I, s:I}", "partner", TG_SETUP_PARTNER, "environment", "test", "currency",
                            setup_limits[i].currency, "payment_max", setup_limits[i].payment_max, "day_max",
                            setup_limits[i].day_max));
    }
    return err;
}

static enum tg_err setup_keys(const struct tg_instance *instance, struct tg_admin *admin,
                              const char *read_operations)
{
    const struct {
        const char *file;
        const char *operations;
    } keys[] = {{"client/tour.key", "*"}, {"client/limited.key", read_operations}, {"client/stripe.key", "*"}};
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = TG_OK;
    size_t i;

    for (i = 0; err == TG_OK && i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct tg_apikey_wish wish = {.partner = TG_SETUP_PARTNER,
                                            .operations = keys[i].operations,
                                            .out = tg_instance_path(instance, keys[i].file, path)};
        json_int_t id;

        err = tg_apikey_make(admin, &wish, &id);
    }
    return err;
}

static enum tg_err setup_all(const struct tg_instance *instance, const char *read_operations,
                             const struct tg_setup_route *routes, size_t route_count)
{
    struct tg_admin admin;
    enum tg_err err = tg_admin_open(instance, false, &admin);
    size_t i;

    if (err != TG_OK) {
        return err;
    }
    err = ask(&admin, "act", json_pack("{s:s, s:{s:s, s:b}}", "what", "init", "after", "profile", instance->profile,
                                       "separated", instance->separated ? 1 : 0));
    if (err == TG_OK && instance->sandbox) {
        err = setup_partner(&admin);
    }
    if (err == TG_OK && instance->sandbox) {
        err = setup_keys(instance, &admin, read_operations);
    }
    for (i = 0; err == TG_OK && i < route_count; i++) {
        err = ask(&admin, "route.set",
                  json_pack("{s:s, s:s}", "route", routes[i].name, "credential", routes[i].credential));
    }
    tg_admin_close(&admin);
    return err;
}

static pid_t daemon_start(const struct tg_instance *instance, enum tg_service service)
{
    struct tg_service_line line;
    char path[TG_PATH_BYTES_MAX];
    int64_t end_ms = tg_monotonic_ms() + START_WAIT_MS;
    int status;
    pid_t pid;

    if (tg_service_line(instance, service, &line) != TG_OK) {
        return -1;
    }
    pid = tg_program_start(&line.program, tg_instance_path(instance, "log/up.log", path), NULL);
    while (pid > 0 && !tg_program_ends_told() && !tg_service_ready(instance, service)) {
        if (tg_program_wait(pid, 20, &status)) {
            tg_complain("the %s ended at once: see %s/log", tg_service_name(service), instance->dir);
            tg_last_words_say(instance, service, pid);
            return -1;
        }
        if (tg_monotonic_ms() > end_ms) {
            tg_complain("the %s is not ready after %d s: see %s/log", tg_service_name(service), START_WAIT_MS / 1000,
                        instance->dir);
            break;
        }
    }
    return pid;
}

/* The database may belong to another instance's sealer: with this one's keys payments would be made twice. */
static bool sealer_fits(const struct tg_instance *instance)
{
    int64_t end_ms = tg_monotonic_ms() + START_WAIT_MS;
    bool up = false;
    bool foreign = false;

    while (!up && !foreign && !tg_program_ends_told() && tg_monotonic_ms() < end_ms) {
        struct tg_admin admin;
        json_t *result = NULL;
        char why[200];

        if (tg_admin_open(instance, true, &admin) == TG_OK) {
            if (tg_admin_try(&admin, "status", NULL, &result, why, sizeof(why)) == TG_OK) {
                up = json_is_true(json_object_get(json_object_get(result, "sealer"), "up"));
                foreign = json_is_true(json_object_get(json_object_get(result, "sealer"), "foreign"));
            }
            json_decref(result);
            tg_admin_close(&admin);
        }
        tg_sleep_ms(up || foreign ? 0 : 20);
    }
    if (foreign) {
        tg_complain("the database belongs to another instance: to put a second gate on it, "
                    "`tollgate init DIR --join THAT`; else name an empty database");
    } else if (!up && !tg_program_ends_told()) {
        tg_complain("the keeper has no sealer: see %s/log", instance->dir);
    }
    return up;
}

static void daemon_stop(enum tg_service service, pid_t pid)
{
    int status;

    if (pid <= 0) {
        return;
    }
    (void)kill(pid, tg_service_stop_signal(service));
    if (!tg_program_wait(pid, tg_service_stop_wait_ms(service), &status)) {
        tg_complain("the %s does not stop: killed", tg_service_name(service));
        (void)kill(pid, SIGKILL);
        (void)tg_program_wait(pid, 5000, &status);
    }
}

enum tg_err tg_setup_instance(const struct tg_instance *instance, const char *read_operations,
                              const struct tg_setup_route *routes, size_t route_count)
{
    bool own = tg_service_wanted(instance, TG_SERVICE_SEALER);
    pid_t sealer = own ? daemon_start(instance, TG_SERVICE_SEALER) : 0;
    pid_t keeper = sealer >= 0 ? daemon_start(instance, TG_SERVICE_KEEPER) : -1;
    enum tg_err err = keeper > 0 && (!own || sealer_fits(instance)) ? TG_OK : TG_ERR_DOWN;

    if (tg_program_ends_told()) {
        tg_complain("told to stop: ending what was started");
        err = TG_ERR_DOWN;
    }
    if (err == TG_OK) {
        err = setup_all(instance, read_operations, routes, route_count);
    }
    daemon_stop(TG_SERVICE_KEEPER, keeper);
    daemon_stop(TG_SERVICE_SEALER, sealer);
    return err;
}
