/*
 * route.c - `tollgate route`: the credential that a route shows to its upstream.
 *
 * Promises: the credential goes from the file to the keeper's socket and is wiped; it is never a word of the
 * command line, where every process could read it.
 */
#include "base/limits.h"
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/table.h"
#include "crypto/crypto.h"

#include <string.h>

const struct tg_option tg_options_route_set[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"credential-file", 0, TG_OPTION_TEXT, "FILE", "one line: the credential"},
    {"scheme", 0, TG_OPTION_TEXT, "WORD", "put before it, as in \"Bearer ...\"; \"none\" for the bare line (Bearer)"},
    TG_OPTION_END,
};

int tg_command_route_set(struct tg_arguments *arguments)
{
    const char *file = tg_arguments_text(arguments, "credential-file");
    const char *scheme = tg_arguments_text_or(arguments, "scheme", "Bearer");
    char line[TG_UPSTREAM_CREDENTIAL_BYTES_MAX];
    char value[TG_UPSTREAM_CREDENTIAL_BYTES_MAX];
    bool bare = strcmp(scheme, "none") == 0;
    json_t *result = NULL;
    int len;
    int code;

    if (file == NULL) {
        return tg_usage("route set: --credential-file FILE is needed");
    }
    if (tg_file_read_line(file, line, sizeof(line)) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    if (!bare && strncmp(line, scheme, strlen(scheme)) == 0 && line[strlen(scheme)] == ' ') {
        tg_complain(
            "note: the file says \"%s\" itself, so the upstream will be shown it twice; with --scheme none it is "
            "shown the line as it is",
            scheme);
    }
    len = snprintf(value, sizeof(value), "%s%s%s", bare ? "" : scheme, bare ? "" : " ", line);
    tg_wipe(line, sizeof(line));
    if (len < 0 || (size_t)len >= sizeof(value)) {
        tg_complain("the credential is longer than %d bytes", TG_UPSTREAM_CREDENTIAL_BYTES_MAX - 1);
        return TG_EXIT_REFUSED;
    }
    code = tg_admin_once(arguments, "route.set",
                         json_pack("{s:s, s:s}", "route", tg_arguments_word(arguments, 0), "credential", value),
                         &result);
    tg_wipe(value, sizeof(value));
    if (code == TG_EXIT_OK) {
        (void)printf("sealed; it is used from the next call on\n");
    }
    json_decref(result);
    return code;
}

int tg_command_route_list(struct tg_arguments *arguments)
{
    static const char *const columns[] = {"route", "credential", NULL};
    json_t *result;
    int code = tg_admin_once(arguments, "route.list", NULL, &result);

    if (code == TG_EXIT_OK) {
        tg_rows_print(result, tg_arguments_flag(arguments, "json"), columns);
    }
    return code;
}
