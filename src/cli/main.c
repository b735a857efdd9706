/*
 * main.c - the operator's program: finds the command and runs it.
 */
#include "cli/command.h"
#include "crypto/crypto.h"

#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Upstream credentials pass through JSON texts: none of their memory is given back unwiped. */
static void free_wiped(void *ptr)
{
    if (ptr != NULL) {
        tg_wipe(ptr, malloc_usable_size(ptr));
        free(ptr);
    }
}

int main(int argc, char **argv)
{
    const struct tg_command *command;
    int used = 0;

    json_set_alloc_funcs(malloc, free_wiped);
    (void)umask(077); /* whatever is made is private until a command says otherwise */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        tg_command_help(NULL);
        return TG_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        tg_command_help(NULL);
        return TG_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        return tg_command_version(NULL);
    }
    command = tg_command_find(argc - 1, argv + 1, &used);
    if (command == NULL) {
        return tg_command_unknown(argc - 1, argv + 1);
    }
    return tg_command_run(command, argc - 1 - used, argv + 1 + used);
}
