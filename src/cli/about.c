/*
 * about.c - `tollgate version`, `help` and `completion`: what the program says of itself, from the table of commands.
 */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#ifndef TG_VERSION
#define TG_VERSION "0"
#endif

int tg_command_version(struct tg_arguments *arguments)
{
    (void)arguments;
    (void)printf("tollgate %s\n", TG_VERSION);
    return TG_EXIT_OK;
}

int tg_command_help_words(struct tg_arguments *arguments)
{
    const struct tg_command *command;
    char *words[TG_POSITIONALS_MAX];
    int used = 0;
    size_t i;

    for (i = 0; i < arguments->positional_count; i++) {
        words[i] = (char *)(uintptr_t)arguments->positionals[i];
    }
    if (arguments->positional_count == 0) {
        tg_command_help(NULL);
        return TG_EXIT_OK;
    }
    command = tg_command_find((int)arguments->positional_count, words, &used);
    if (command == NULL) {
        return tg_command_unknown((int)arguments->positional_count, words);
    }
    tg_command_help(command);
    return TG_EXIT_OK;
}

static void completion_options(const struct tg_command *command)
{
    const struct tg_option *option;

    for (option = command->options; option->name != NULL; option++) {
        (void)printf(" --%s", option->name);
    }
}

int tg_command_completion(struct tg_arguments *arguments)
{
    const struct tg_command *command;

    if (strcmp(tg_arguments_word(arguments, 0), "bash") != 0) {
        return tg_usage("completion: only bash is known");
    }
    (void)printf("# bash completion of tollgate: tollgate completion bash > /etc/bash_completion.d/tollgate\n"
                 "_tollgate() {\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" words=\n"
                 "    case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n"
                 "    --*file|--ca|--out|--instance) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
                 "    esac\n"
                 "    case \"$line\" in\n");
    for (command = tg_commands; command->name != NULL; command++) {
        (void)printf("    \"%s\"*) words=\"", command->name);
        completion_options(command);
        (void)printf("\" ;;\n");
    }
    (void)printf("    *) words=\"");
    for (command = tg_commands; command->name != NULL; command++) {
        (void)printf("%s ", command->name);
    }
    (void)printf("\" ;;\n"
                 "    esac\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                 "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
                 "}\n"
                 "complete -F _tollgate tollgate\n");
    return TG_EXIT_OK;
}
