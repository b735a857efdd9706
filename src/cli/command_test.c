/*
 * command_test.c - the table of commands: each is found, explains itself and refuses a wrong line.
 */
#include "cli/command.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Splits a name of the table into words; returns how many. */
static int words_of(const char *name, char *text, size_t size, char **words)
{
    int count = 0;
    char *at;

    assert_true(strlen(name) < size);
    memcpy(text, name, strlen(name) + 1);
    for (at = text; at != NULL && count < 4; count++) {
        char *space = strchr(at, ' ');

        words[count] = at;
        if (space != NULL) {
            *space = '\0';
            space++;
        }
        at = space;
    }
    return count;
}

static void test_found(void **state)
{
    const struct tg_command *command;
    char *words[4];
    char text[64];
    int used;

    (void)state;
    for (command = tg_commands; command->name != NULL; command++) {
        int count = words_of(command->name, text, sizeof(text), words);

        assert_ptr_equal(tg_command_find(count, words, &used), command);
        assert_int_equal(used, count);
        assert_true(command->summary[0] != '\0');
        assert_string_equal(command->options[0].name, "help");
    }
    words[0] = (char[]){"nothing"};
    assert_null(tg_command_find(1, words, &used));
    words[0] = (char[]){"partner"};
    assert_null(tg_command_find(1, words, &used));
}

static void test_wrong_lines(void **state)
{
    const struct tg_command *command;
    char *none[] = {(char[]){"--no-such-option"}};
    char *many[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"}, (char[]){"d"}};

    (void)state;
    for (command = tg_commands; command->name != NULL; command++) {
        assert_int_equal(tg_command_run(command, 1, none), TG_EXIT_USAGE);
        assert_int_equal(tg_command_run(command, 4, many), TG_EXIT_USAGE);
    }
}

static void test_options_are_bounded(void **state)
{
    const struct tg_command *command;

    (void)state;
    for (command = tg_commands; command->name != NULL; command++) {
        size_t count = 0;

        while (command->options[count].name != NULL) {
            const struct tg_option *option = &command->options[count++];

            assert_true(option->kind >= TG_OPTION_FLAG && option->kind <= TG_OPTION_MANY);
            assert_true((option->value == NULL) == (option->kind == TG_OPTION_FLAG));
            assert_non_null(option->help);
        }
        assert_true(count < TG_OPTIONS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found), cmocka_unit_test(test_wrong_lines),
                                       cmocka_unit_test(test_options_are_bounded)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
