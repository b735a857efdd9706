/*
 * options.c - one table of options.
 *
 * Promises: as options.h.
 * Does not: default a path: a keeper on a wrong store is worse than none.
 */
#include "keeper/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"

#include "base/banned.h"

/* Ten years: beyond it a count of seconds is a mistake. */
#define SECONDS_MAX 315360000u
#define DAYS_MAX 3650u

enum kind { PATH, NUMBER, USER_ID };

struct option_rule {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t max;
    bool needed;
};

#define AT(member) offsetof(struct tg_keeper_options, member)

static const struct option_rule rules[] = {
    {"--store", PATH, AT(store), 0, false},
    {"--store-postgres-file", PATH, AT(store_postgres_file), 0, false},
    {"--gate-socket", PATH, AT(gate_socket), 0, true},
    {"--admin-socket", PATH, AT(admin_socket), 0, true},
    {"--sealer-socket", PATH, AT(sealer_socket), 0, true},
    {"--user", PATH, AT(user), 0, false},
    {"--log", PATH, AT(log), 0, false},
    {"--pid", PATH, AT(pid), 0, false},
    {"--gate-uid", USER_ID, AT(gate_uid), 0, false},
    {"--admin-uid", USER_ID, AT(admin_uid), 0, false},
    {"--segment-rows", NUMBER, AT(segment_rows), 100000000, false},
    {"--segment-seconds", NUMBER, AT(segment_seconds), SECONDS_MAX, false},
    {"--retention-days", NUMBER, AT(retention_days), DAYS_MAX, false},
    {"--purge-grace-seconds", NUMBER, AT(purge_grace_seconds), SECONDS_MAX, false},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

const char *tg_options_help(void)
{
    return "usage: tollgate-keeper --store DIR | --store-postgres-file FILE\n"
           "                       --gate-socket PATH --admin-socket PATH --sealer-socket PATH\n"
           "                       [--gate-uid UID] [--admin-uid UID] [--user NAME] [--log FILE] [--pid FILE]\n"
           "                       [--segment-rows N] [--segment-seconds N] [--retention-days N]\n"
           "                       [--purge-grace-seconds N]\n"
           "Decides, counts, claims and records for the gates of one instance. Runs in the foreground;\n"
           "SIGTERM ends it cleanly, SIGHUP opens the log again.\n";
}

static enum tg_err refuse(const char *what, const char *name)
{
    fprintf(stderr, "tollgate-keeper: %s: %s\n", name, what);
    return TG_ERR_INPUT;
}

static enum tg_err take(const struct option_rule *rule, const char *text, struct tg_keeper_options *ret)
{
    uint8_t *at = (uint8_t *)ret + rule->offset;
    uint64_t number = 0;
    if (rule->kind == PATH) {
        if (text[0] == '\0') {
            return refuse("is empty", rule->name);
        }
        memcpy(at, &text, sizeof(text));
        return TG_OK;
    }
    if (rule->kind == USER_ID) {
        uid_t uid = TG_DAEMON_UID_NONE;
        if (tg_daemon_uid(text, &uid) != TG_OK) {
            return refuse("is not a user", rule->name);
        }
        memcpy(at, &uid, sizeof(uid));
        return TG_OK;
    }
    if (tg_daemon_number(text, rule->max, &number) != TG_OK) {
        return refuse("is not a number that makes sense", rule->name);
    }
    memcpy(at, &number, sizeof(number));
    return TG_OK;
}

enum tg_err tg_options_read(int argc, char *const argv[], struct tg_keeper_options *ret)
{
    bool given[RULES] = {false};
    *ret = (struct tg_keeper_options){.gate_uid = geteuid(), .admin_uid = geteuid()};
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < RULES && !tg_span_equal(tg_span_string(rules[at].name), tg_span_string(argv[i]))) {
            at++;
        }
        if (at == RULES) {
            return refuse("is no option", argv[i]);
        }
        if (i + 1 >= argc || given[at]) {
            return refuse(given[at] ? "is given twice" : "has no value", argv[i]);
        }
        given[at] = true;
        enum tg_err err = take(&rules[at], argv[i + 1], ret);
        if (err != TG_OK) {
            return err;
        }
    }
    for (size_t at = 0; at < RULES; at++) {
        if (rules[at].needed && !given[at]) {
            return refuse("is needed", rules[at].name);
        }
    }
    if ((ret->store == NULL) == (ret->store_postgres_file == NULL)) {
        return refuse("is needed, or --store-postgres-file, and not both", "--store");
    }
    return TG_OK;
}
