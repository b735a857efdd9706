/*
 * command.h - what a command of `tollgate` is, and the few things that every command does alike.
 *
 * Promises: one table (command.c) names every command, its options and its
 * help; help texts and shell completion are made from it. Exit codes mean the
 * same everywhere. Errors go to stderr and say what to do.
 * Does not: hold state between commands.
 */
#ifndef TG_CLI_COMMAND_H
#define TG_CLI_COMMAND_H

#include "cli/option.h"

/* Exit codes, documented in tollgate(8). */
enum tg_exit {
    TG_EXIT_OK = 0,          /* done; for `pay`: 2xx */
    TG_EXIT_REFUSED = 1,     /* refused, failed, or not as expected */
    TG_EXIT_USAGE = 2,       /* the command line is wrong; nothing was done */
    TG_EXIT_UNREACHABLE = 3  /* no connection, or the outcome is not known */
};

struct tg_command {
    const char *name;     /* "partner limit set" */
    const char *words;    /* "NAME": positional words, for help; "" for none */
    const char *summary;  /* one line */
    const char *details;  /* more help, or NULL */
    uint8_t words_least;
    uint8_t words_most;
    bool own_files;       /* works on files of its own: no instance is looked for */
    const struct tg_option *options;
    int (*run)(struct tg_arguments *arguments);
};

/* All commands; the last has a NULL name. */
extern const struct tg_command tg_commands[];

/* Options that stand in many tables. */
#define TG_OPTION_HELP {"help", 'h', TG_OPTION_FLAG, NULL, "say what the command does and end"}
#define TG_OPTION_JSON {"json", 0, TG_OPTION_FLAG, NULL, "write JSON instead of a table"}
#define TG_OPTION_INSTANCE                                                                                            \
    {"instance", 'i', TG_OPTION_TEXT, "DIR", "the instance (else TOLLGATE_INSTANCE, else the default folder)"}
#define TG_OPTION_END {NULL, 0, 0, NULL, NULL}

/* The command whose words begin argv[0..argc); *used says how many words. NULL: none. */
const struct tg_command *tg_command_find(int argc, char **argv, int *used);

/* No command begins the line: complains with those that its first word begins; returns TG_EXIT_USAGE. */
int tg_command_unknown(int argc, char **argv);

/* Parses the rest of the line and runs it. */
int tg_command_run(const struct tg_command *command, int argc, char **argv);

/* Help of one command, or of all (command NULL), on stdout. */
void tg_command_help(const struct tg_command *command);

/* "tollgate: ..." with a newline on stderr. */
void tg_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A usage error: the text and where help is; returns TG_EXIT_USAGE. */
int tg_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* backup.c: the line of --passphrase-file. Complains. */
TG_MUST_CHECK enum tg_err tg_passphrase_read(const struct tg_arguments *arguments, char *ret, size_t ret_size);

int tg_command_init(struct tg_arguments *arguments);
int tg_command_up(struct tg_arguments *arguments);
int tg_command_down(struct tg_arguments *arguments);
int tg_command_reload(struct tg_arguments *arguments);
int tg_command_status(struct tg_arguments *arguments);
int tg_command_doctor(struct tg_arguments *arguments);
int tg_command_backup(struct tg_arguments *arguments);
int tg_command_store_copy(struct tg_arguments *arguments);
int tg_command_store_verify(struct tg_arguments *arguments);
int tg_command_store_migrate(struct tg_arguments *arguments);
int tg_command_restore(struct tg_arguments *arguments);
int tg_command_explain(struct tg_arguments *arguments);
int tg_command_partner_add(struct tg_arguments *arguments);
int tg_command_partner_list(struct tg_arguments *arguments);
int tg_command_limit_set(struct tg_arguments *arguments);
int tg_command_limit_show(struct tg_arguments *arguments);
int tg_command_certificate_add(struct tg_arguments *arguments);
int tg_command_certificate_list(struct tg_arguments *arguments);
int tg_command_key_create(struct tg_arguments *arguments);
int tg_command_key_list(struct tg_arguments *arguments);
int tg_command_key_revoke(struct tg_arguments *arguments);
int tg_command_route_set(struct tg_arguments *arguments);
int tg_command_route_list(struct tg_arguments *arguments);
int tg_command_reconcile(struct tg_arguments *arguments);
int tg_command_log_tail(struct tg_arguments *arguments);
int tg_command_pay(struct tg_arguments *arguments);
int tg_command_tour(struct tg_arguments *arguments);
int tg_command_completion(struct tg_arguments *arguments);
int tg_command_version(struct tg_arguments *arguments);
int tg_command_help_words(struct tg_arguments *arguments);

extern const struct tg_option tg_options_init[];
extern const struct tg_option tg_options_up[];
extern const struct tg_option tg_options_down[];
extern const struct tg_option tg_options_status[];
extern const struct tg_option tg_options_doctor[];
extern const struct tg_option tg_options_backup[];
extern const struct tg_option tg_options_store_move[];
extern const struct tg_option tg_options_store_migrate[];
extern const struct tg_option tg_options_restore[];
extern const struct tg_option tg_options_explain[];
extern const struct tg_option tg_options_list[]; /* --json, --instance, --partner */
extern const struct tg_option tg_options_partner_add[];
extern const struct tg_option tg_options_limit_set[];
extern const struct tg_option tg_options_certificate_add[];
extern const struct tg_option tg_options_key_create[];
extern const struct tg_option tg_options_key_revoke[];
extern const struct tg_option tg_options_route_set[];
extern const struct tg_option tg_options_reconcile[];
extern const struct tg_option tg_options_log_tail[];
extern const struct tg_option tg_options_pay[];
extern const struct tg_option tg_options_tour[];
extern const struct tg_option tg_options_none[];

#endif
