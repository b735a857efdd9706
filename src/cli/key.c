/*
 * key.c - `tollgate key`: API keys made, listed and ended.
 */
#include "cli/apikey.h"
#include "cli/command.h"
#include "cli/dialect.h"
#include "cli/table.h"

#include <dirent.h>
#include <string.h>
#include <time.h>

#define KEY_DAYS_MAX 36500

const struct tg_option tg_options_key_create[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"partner", 0, TG_OPTION_TEXT, "NAME", "whose key"},
    {"environment", 0, TG_OPTION_TEXT, "test|live", "which of the partner's two worlds (test)"},
    {"operations", 0, TG_OPTION_TEXT, "A,B", "what the key may do, by the profile's names; * for everything"},
    {"out", 0, TG_OPTION_TEXT, "FILE", "new file for the key, mode 0600"},
    {"expires-days", 0, TG_OPTION_TEXT, "N", "the key ends after N days (never)"},
    {"show", 0, TG_OPTION_FLAG, NULL, "print the key too: it ends up where your terminal is recorded"},
    TG_OPTION_END,
};

const struct tg_option tg_options_key_revoke[] = {TG_OPTION_HELP, TG_OPTION_INSTANCE, TG_OPTION_END};

/* Whether a profile of the instance has an operation of that name. */
static bool operation_known(const struct tg_instance *instance, struct tg_span name)
{
    char folder_path[TG_PATH_BYTES_MAX];
    DIR *folder = opendir(tg_instance_path(instance, "profiles", folder_path));
    const struct dirent *entry;
    bool known = folder == NULL; /* cannot be told */

    while (folder != NULL && !known && (entry = readdir(folder)) != NULL) {
        size_t len = strlen(entry->d_name);
        struct tg_dialect dialect;
        char path[TG_PATH_BYTES_MAX];

        if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0 &&
            tg_path_join(path, folder_path, entry->d_name) == TG_OK && tg_dialect_open(path, &dialect) == TG_OK) {
            known = tg_dialect_operation(&dialect, name) != NULL;
            tg_dialect_close(&dialect);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return known;
}

/* A key may be made before its profile; but a name that no profile has is mostly a typing error. */
static void operations_look(const struct tg_instance *instance, const char *operations)
{
    const char *at = operations;

    while (*at != '\0') {
        size_t len = strcspn(at, ",");

        if (len > 0 && (len != 1 || *at != '*') && !operation_known(instance, tg_span(at, len))) {
            tg_complain("note: no profile in %s/profiles has an operation \"%.*s\"", instance->dir, (int)len, at);
        }
        at += len + (at[len] == ',' ? 1 : 0);
    }
}

int tg_command_key_create(struct tg_arguments *arguments)
{
    const char *environment = tg_arguments_text_or(arguments, "environment", "test");
    struct tg_apikey_wish wish = {.partner = tg_arguments_text(arguments, "partner"),
                                  .live = strcmp(environment, "live") == 0,
                                  .operations = tg_arguments_text(arguments, "operations"),
                                  .out = tg_arguments_text(arguments, "out"),
                                  .show = tg_arguments_flag(arguments, "show")};
    struct tg_instance instance;
    struct tg_admin admin;
    int64_t days = 0;
    json_int_t id = 0;
    enum tg_err err;

    if (wish.partner == NULL || wish.operations == NULL || wish.out == NULL) {
        return tg_usage("key create: --partner, --operations and --out are needed");
    }
    if (!wish.live && strcmp(environment, "test") != 0) {
        return tg_usage("key create: --environment is test or live");
    }
    if (tg_arguments_number(arguments, "expires-days", 1, KEY_DAYS_MAX, &days) != TG_OK) {
        return tg_usage("key create: %s", arguments->why);
    }
    wish.expires_s = days == 0 ? 0 : (int64_t)time(NULL) + days * 86400;
    if (tg_instance_open(arguments, NULL, &instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    if (tg_admin_open(&instance, false, &admin) != TG_OK) {
        return TG_EXIT_UNREACHABLE;
    }
    err = tg_apikey_make(&admin, &wish, &id);
    tg_admin_close(&admin);
    if (err != TG_OK) {
        return err == TG_ERR_DOWN ? TG_EXIT_UNREACHABLE : TG_EXIT_REFUSED;
    }
    operations_look(&instance, wish.operations);
    if (!wish.show) {
        (void)printf("key %lld is in %s: it cannot be had again\n", (long long)id, wish.out);
    }
    return TG_EXIT_OK;
}

int tg_command_key_list(struct tg_arguments *arguments)
{
    static const char *const columns[] = {"id",        "partner",   "environment", "prefix", "operations",
                                          "created_s", "expires_s", "revoked",     NULL};
    const char *partner = tg_arguments_text(arguments, "partner");
    json_t *body = json_object();
    json_t *result;
    int code;

    if (partner != NULL) {
        (void)json_object_set_new(body, "partner", json_string(partner));
    }
    code = tg_admin_once(arguments, "key.list", body, &result);
    if (code == TG_EXIT_OK) {
        tg_rows_print(result, tg_arguments_flag(arguments, "json"), columns);
    }
    return code;
}

int tg_command_key_revoke(struct tg_arguments *arguments)
{
    int64_t id = 0;
    json_t *result;
    int code;

    if (tg_number_parse(tg_arguments_word(arguments, 0), &id) != TG_OK || id < 1 || id > UINT32_MAX) {
        return tg_usage("key revoke: ID is a number of `tollgate key list`");
    }
    code = tg_admin_once(arguments, "key.revoke", json_pack("{s:I}", "id", (json_int_t)id), &result);
    if (code == TG_EXIT_OK) {
        (void)printf("revoked; gates drop it within a second\n");
    }
    json_decref(result);
    return code;
}
