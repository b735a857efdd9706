/*
 * command.c - the table of commands, their help and their dispatch.
 */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMMAND_WORDS_MAX 3 /* "partner limit set" */

const struct tg_option tg_options_none[] = {TG_OPTION_HELP, TG_OPTION_END};
const struct tg_option tg_options_list[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    TG_OPTION_INSTANCE,
    {"partner", 0, TG_OPTION_TEXT, "NAME", "only what belongs to this partner"},
    TG_OPTION_END,
};

const struct tg_command tg_commands[] = {
    {"init", "[DIR]", "make an instance: keys, certificates, nginx.conf, partners of the tour",
     "Nothing that exists is overwritten. As root the system users tollgate-keeper and\n"
     "tollgate-sealer are made and own their folders. The sealer's master key is a FILE\n"
     "(DIR/keys/master.key): whoever reads it can open all that is sealed.",
     0, 1, true, tg_options_init, tg_command_init},
    {"up", "[DIR]", "start sealer, keeper, sandbox and nginx, keep them running, stop them in order",
     "SIGTERM or Ctrl-C drains and stops; SIGHUP makes everything reopen its log.", 0, 1, false, tg_options_up,
     tg_command_up},
    {"down", "[DIR]", "stop what `up` started and wait until it is gone", NULL, 0, 1, false, tg_options_down,
     tg_command_down},
    {"reload", "[DIR]", "check nginx.conf and let nginx take it on without losing a call", NULL, 0, 1, false,
     tg_options_down, tg_command_reload},
    {"status", "[DIR]", "what runs, what the keeper counts, what protects the secrets", NULL, 0, 1, false,
     tg_options_status, tg_command_status},
    {"doctor", "[DIR]", "look for what is wrong and say what to do",
     "Exit code 1 when anything is found that stops payments or exposes a secret.", 0, 1, false, tg_options_doctor,
     tg_command_doctor},
    {"backup", "[DIR]", "seal all of an instance at one point in time into a file, while payments pass",
     "AES-256-GCM under a key that scrypt makes of the passphrase. What was written is read back.\n"
     "Keys are left out unless --with-keys is given; without them a restored store opens nothing.",
     0, 1, false, tg_options_backup, tg_command_backup},
    {"restore", "DIR", "make an instance of a sealed backup; overwrites nothing", NULL, 0, 1, true, tg_options_restore,
     tg_command_restore},
    {"store migrate", "[DIR]", "bring the store of an instance that is down to this program's schema", NULL, 0, 1, false,
     tg_options_store_migrate, tg_command_store_migrate},
    {"store copy", "[DIR]", "copy the store of an instance that is down to an empty PostgreSQL database",
     "All of it or nothing is there afterwards. Numbers, tickets and keys of stored answers stay.", 0, 1, false,
     tg_options_store_move, tg_command_store_copy},
    {"store verify", "[DIR]", "compare events and claims of the folder with those on the server", NULL, 0, 1, false,
     tg_options_store_move, tg_command_store_verify},
    {"explain", "[CODE|NAME]", "what a reason code means and what to do", NULL, 0, 1, true, tg_options_explain,
     tg_command_explain},
    {"partner add", "NAME", "add a partner", NULL, 1, 1, false, tg_options_partner_add, tg_command_partner_add},
    {"partner list", "", "list partners", NULL, 0, 0, false, tg_options_list, tg_command_partner_list},
    {"partner limit set", "NAME", "set what one payment and one day may come to",
     "Amounts are whole minor units of the currency: 100000 EUR is 1000.00, 100000 JPY is 100000.", 1, 1, false,
     tg_options_limit_set, tg_command_limit_set},
    {"partner limit show", "", "show limits", NULL, 0, 0, false, tg_options_list, tg_command_limit_show},
    {"partner certificate add", "", "bind a client certificate to a partner",
     "From then on the partner's API keys work only with one of its certificates.", 0, 0, false,
     tg_options_certificate_add, tg_command_certificate_add},
    {"partner certificate list", "", "list client certificates", NULL, 0, 0, false, tg_options_list,
     tg_command_certificate_list},
    {"key create", "", "make an API key; only its hash goes to the keeper",
     "The key is written to a new file of mode 0600 and cannot be had again.", 0, 0, false, tg_options_key_create,
     tg_command_key_create},
    {"key list", "", "list API keys by prefix", NULL, 0, 0, false, tg_options_list, tg_command_key_list},
    {"key revoke", "ID", "end an API key at once", NULL, 1, 1, false, tg_options_key_revoke, tg_command_key_revoke},
    {"route set", "ROUTE", "give a route the credential that its upstream wants",
     "The credential is sealed by the sealer and never shown again.", 1, 1, false, tg_options_route_set,
     tg_command_route_set},
    {"route list", "", "list routes", NULL, 0, 0, false, tg_options_list, tg_command_route_list},
    {"reconcile", "", "list payments whose outcome is unknown; ask the upstream or say how they ended",
     "Without an option: lists. --probe asks the upstream, through the gate, whether it knows\n"
     "the request id, and resolves what it can. --resolve ID --executed|--not-executed --note TEXT\n"
     "resolves one by hand. Every resolution is an event with who did it.",
     0, 0, false, tg_options_reconcile, tg_command_reconcile},
    {"log tail", "", "show events of the record", NULL, 0, 0, false, tg_options_log_tail, tg_command_log_tail},
    {"pay", "", "send one payment through the gate and say what became of it",
     "Exit code 0: 2xx; 1: refused; 3: no connection or an unknown outcome. A key is only sent\n"
     "when --idempotency-key is given: none is ever invented.",
     0, 0, true, tg_options_pay, tg_command_pay},
    {"tour", "[DIR]", "drive a running sandbox instance through good, bad and broken payments", NULL, 0, 1, false,
     tg_options_tour, tg_command_tour},
    {"completion", "bash", "write a completion script for a shell", NULL, 1, 1, true, tg_options_none,
     tg_command_completion},
    {"version", "", "say which version this is", NULL, 0, 0, true, tg_options_none, tg_command_version},
    {"help", "[COMMAND...]", "help for all or one command", NULL, 0, 3, true, tg_options_none,
     tg_command_help_words},
    {NULL, NULL, NULL, NULL, 0, 0, false, NULL, NULL},
};

void tg_complain(const char *format, ...)
{
    va_list list;

    (void)fputs("tollgate: ", stderr);
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
}

int tg_usage(const char *format, ...)
{
    char text[400];
    const struct tg_command *command = tg_commands;
    va_list list;

    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    tg_complain("%s", text);
    /* A command's complaints begin with its name and a colon. */
    while (command->name != NULL &&
           (strncmp(text, command->name, strlen(command->name)) != 0 || text[strlen(command->name)] != ':')) {
        command++;
    }
    tg_complain("try: tollgate %s%s", command->name == NULL ? "help" : command->name,
                command->name == NULL ? "" : " --help");
    return TG_EXIT_USAGE;
}

/* How many words of argv the name takes, or 0 when it does not begin argv. */
static int words_match(const char *name, int argc, char **argv)
{
    int i;

    for (i = 0; i < COMMAND_WORDS_MAX; i++) {
        size_t len = strcspn(name, " ");

        if (i >= argc || strlen(argv[i]) != len || memcmp(argv[i], name, len) != 0) {
            return 0;
        }
        name += len;
        if (*name == '\0') {
            return i + 1;
        }
        name++;
    }
    return 0;
}

const struct tg_command *tg_command_find(int argc, char **argv, int *used)
{
    const struct tg_command *command;

    for (command = tg_commands; command->name != NULL; command++) {
        *used = words_match(command->name, argc, argv);
        if (*used > 0) {
            return command;
        }
    }
    return NULL;
}

int tg_command_unknown(int argc, char **argv)
{
    char names[300] = "";
    const struct tg_command *command;
    size_t len = strlen(argv[0]);
    size_t used = 0;

    for (command = tg_commands; command->name != NULL; command++) {
        if (len > 0 && strncmp(command->name, argv[0], len) == 0 && command->name[len] == ' ' && used < sizeof(names)) {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used == 0 ? "" : ", ", command->name);
        }
    }
    if (used > 0) {
        return tg_usage("\"%.40s\" begins these commands: %s", argv[0], names);
    }
    return tg_usage("there is no command \"%.40s%s%.40s\"", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
}

int tg_command_run(const struct tg_command *command, int argc, char **argv)
{
    struct tg_arguments arguments;
    enum tg_err err = tg_arguments_parse(command->options, argc, argv, &arguments);

    if (tg_arguments_flag(&arguments, "help")) {
        tg_command_help(command);
        return TG_EXIT_OK;
    }
    if (err != TG_OK) {
        tg_complain("%s: %s", command->name, arguments.why);
        tg_complain("try: tollgate %s --help", command->name);
        return TG_EXIT_USAGE;
    }
    if (arguments.positional_count < command->words_least || arguments.positional_count > command->words_most) {
        tg_complain("%s: wants %s", command->name, command->words[0] == '\0' ? "no words" : command->words);
        tg_complain("try: tollgate %s --help", command->name);
        return TG_EXIT_USAGE;
    }
    return command->run(&arguments);
}

static void help_all(void)
{
    const struct tg_command *command;

    (void)printf("tollgate - a gateway in front of payment APIs: the operator's program\n\n"
                 "usage: tollgate COMMAND [OPTION...]\n\n");
    for (command = tg_commands; command->name != NULL; command++) {
        (void)printf("  %-26s %s\n", command->name, command->summary);
    }
    (void)printf("\nEvery command takes --help. The instance is named by DIR, --instance DIR, the environment\n"
                 "variable TOLLGATE_INSTANCE, or is /var/lib/tollgate/tour (root) or ./run/tour.\n"
                 "Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 3 no connection or unknown.\n");
}

void tg_command_help(const struct tg_command *command)
{
    const struct tg_option *option;

    if (command == NULL) {
        help_all();
        return;
    }
    (void)printf("usage: tollgate %s%s%s [OPTION...]\n\n%s\n", command->name, command->words[0] == '\0' ? "" : " ",
                 command->words, command->summary);
    if (command->details != NULL) {
        (void)printf("\n%s\n", command->details);
    }
    (void)printf("\n");
    for (option = command->options; option->name != NULL; option++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value == NULL ? "" : " ",
                       option->value == NULL ? "" : option->value);
        (void)printf("  %-34s %s\n", left, option->help);
    }
}
