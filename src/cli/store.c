/*
 * store.c - `tollgate store migrate|copy|verify`: an instance's store moves from its folder to a PostgreSQL server.
 *
 * The work is done by tollgate-store, as the keeper's user, which alone may read both; this room knows no store.
 * Nothing may have the store open: the instance is down meanwhile.
 */
#include "cli/command.h"
#include "cli/instance.h"
#include "cli/program.h"
#include "cli/service.h"
#include "crypto/crypto.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTION_BYTES_MAX 2048 /* as the keeper takes it (keeper/connection.h) */
#define STORE_TICK_MS 100

const struct tg_option tg_options_store_move[] = {
    TG_OPTION_HELP,
    TG_OPTION_INSTANCE,
    {"to", 0, TG_OPTION_TEXT, "postgres:FILE", "the server; FILE holds one line as \"host=... dbname=...\""},
    TG_OPTION_END,
};
const struct tg_option tg_options_store_migrate[] = {TG_OPTION_HELP, TG_OPTION_INSTANCE, TG_OPTION_END};

/* The keeper's user reads its own copy, which is where `up` will look for it. */
static enum tg_err connection_place(const struct tg_instance *instance, const char *from, bool *ret_new)
{
    char line[CONNECTION_BYTES_MAX];
    char old[CONNECTION_BYTES_MAX];
    char path[TG_PATH_BYTES_MAX];
    struct tg_owner owner;
    enum tg_err err = tg_user_find(instance->keeper_user, &owner);

    *ret_new = false;
    (void)tg_instance_path(instance, "store/connection", path);
    if (err == TG_OK) {
        err = tg_file_read_line(from, line, sizeof(line));
    }
    if (err == TG_OK && tg_file_exists(path)) {
        err = tg_file_read_line_itself(path, old, sizeof(old));
        if (err == TG_OK && strcmp(line, old) != 0) {
            tg_complain("%s names another server: remove it first", path);
            err = TG_ERR_DENIED;
        }
        tg_wipe(old, sizeof(old));
    } else if (err == TG_OK) {
        err = tg_file_new(path, 0600, owner, tg_span_string(line));
        *ret_new = err == TG_OK;
    }
    tg_wipe(line, sizeof(line));
    return err;
}

static int run(const struct tg_instance *instance, const char *command, bool folder, bool server)
{
    static struct tg_program_line line;
    char store[TG_PATH_BYTES_MAX];
    char connection[TG_PATH_BYTES_MAX];
    sigset_t before;
    int status = 0;
    pid_t pid;

    if (tg_program_begin(&line, "tollgate-store") != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    tg_program_word(&line, command);
    if (folder) {
        tg_program_pair(&line, "--folder", tg_instance_path(instance, "store", store));
    }
    if (server) {
        tg_program_pair(&line, "--connection-file", tg_instance_path(instance, "store/connection", connection));
    }
    tg_program_ends_hold(&before);
    pid = tg_program_start(&line, NULL, instance->separated ? instance->keeper_user : NULL);
    while (pid > 0 && !tg_program_wait(pid, STORE_TICK_MS, &status)) {
        if (tg_program_ends_told()) {
            (void)kill(pid, SIGTERM); /* it is in a process group of its own: Ctrl-C does not reach it */
        }
    }
    tg_program_ends_release(&before);
    if (pid < 0) {
        return TG_EXIT_REFUSED;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? TG_EXIT_OK : TG_EXIT_REFUSED;
}

static int move(struct tg_arguments *arguments, const char *command)
{
    const char *to = tg_arguments_text(arguments, "to");
    struct tg_instance instance;
    char path[TG_PATH_BYTES_MAX];
    bool new_connection;
    int status;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &instance) != TG_OK) {
        return TG_EXIT_USAGE;
    }
    if (to == NULL || strncmp(to, "postgres:", 9) != 0 || to[9] == '\0') {
        tg_complain("--to postgres:FILE says where to");
        return TG_EXIT_USAGE;
    }
    if (tg_service_pid(&instance, TG_SERVICE_KEEPER) != 0) {
        tg_complain("%s is up: `tollgate down %s` first", instance.dir, instance.dir);
        return TG_EXIT_REFUSED;
    }
    if (connection_place(&instance, to + 9, &new_connection) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    status = run(&instance, command, true, true);
    if (status != TG_EXIT_OK && new_connection) {
        /* A wrong one must not stand in the way of the next try. */
        (void)unlink(tg_instance_path(&instance, "store/connection", path));
    }
    return status;
}

int tg_command_store_copy(struct tg_arguments *arguments)
{
    int status = move(arguments, "copy");

    if (status == TG_EXIT_OK) {
        (void)printf("Next: `tollgate store verify` with the same words; then add  \"store\": \"postgres\"  to\n"
                     "tollgate.json and start. Nothing starts from the folder any more: keep it until you are sure.\n");
    }
    return status;
}

int tg_command_store_verify(struct tg_arguments *arguments)
{
    return move(arguments, "verify");
}

int tg_command_store_migrate(struct tg_arguments *arguments)
{
    struct tg_instance instance;

    if (tg_instance_open(arguments, tg_arguments_word(arguments, 0), &instance) != TG_OK) {
        return TG_EXIT_USAGE;
    }
    return run(&instance, "migrate", !instance.postgres, instance.postgres);
}
