/*
 * option_fuzz.c - any bytes as a command line, words parted by NUL.
 *
 * Promises to find: words read outside argv, a refusal without a sentence, a value that is none of the words, two
 * spellings of one command line ("--name value", "--name=value") that are read as two.
 */
#include <string.h>

#include "cli/option.h"

#include "fuzz.h"

#define WORDS_MAX 24
#define TEXT_BYTES_MAX 1024

static const struct tg_option options[] = {
    {"config", 'c', TG_OPTION_TEXT, "FILE", "a file"},   {"count", 'n', TG_OPTION_TEXT, "N", "a number"},
    {"json", 0, TG_OPTION_FLAG, NULL, "as JSON"},        {"quiet", 'q', TG_OPTION_FLAG, NULL, "say less"},
    {"operation", 'o', TG_OPTION_MANY, "NAME", "again"}, {NULL, 0, 0, NULL, NULL},
};

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_number(struct tg_arguments *arguments)
{
    int64_t number = -1;
    if (tg_arguments_number(arguments, "count", 1, 100, &number) == TG_OK) {
        bool given = tg_arguments_text(arguments, "count") != NULL;
        tg_fuzz_expect(given ? number >= 1 && number <= 100 : number == -1);
    } else {
        tg_fuzz_expect(arguments->why[0] != '\0');
    }
}

/* Every option with its value joined by '=', then "--", then the other words: the same arguments. */
static void check_again(const struct tg_arguments *first)
{
    static char text[2 * TEXT_BYTES_MAX + 512];
    static struct tg_arguments again;
    char *argv[2 * WORDS_MAX + 8];
    int argc = 0;
    size_t at = 0;
    for (size_t i = 0; options[i].name != NULL; i++) {
        for (size_t j = 0; j < first->seen[i].count; j++) {
            const char *parts[4] = {"--", options[i].name, options[i].kind == TG_OPTION_FLAG ? "" : "=",
                                    first->seen[i].values[j]};
            argv[argc++] = &text[at];
            for (size_t part = 0; part < 4; part++) {
                size_t len = strlen(parts[part]);
                memcpy(&text[at], parts[part], len);
                at += len;
            }
            text[at++] = '\0';
        }
    }
    memcpy(&text[at], "--", 3);
    argv[argc++] = &text[at];
    at += 3;
    for (size_t i = 0; i < first->positional_count; i++) {
        size_t len = strlen(first->positionals[i]) + 1;
        memcpy(&text[at], first->positionals[i], len);
        argv[argc++] = &text[at];
        at += len;
    }
    tg_fuzz_expect(tg_arguments_parse(options, argc, argv, &again) == TG_OK);
    tg_fuzz_expect(same(tg_arguments_text(first, "config"), tg_arguments_text(&again, "config")) &&
                   same(tg_arguments_text(first, "count"), tg_arguments_text(&again, "count")) &&
                   tg_arguments_flag(first, "json") == tg_arguments_flag(&again, "json") &&
                   tg_arguments_many(first, "operation")->count == tg_arguments_many(&again, "operation")->count);
    for (size_t i = 0; i < TG_POSITIONALS_MAX; i++) {
        tg_fuzz_expect(same(tg_arguments_word(first, i), tg_arguments_word(&again, i)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_arguments arguments;
    size_t len = size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX;
    char *text = malloc(len + 1);
    char *argv[WORDS_MAX];
    int argc = 0;
    if (len > 0) {
        memcpy(text, data, len);
    }
    text[len] = '\0';
    for (size_t at = 0; at < len && argc < WORDS_MAX; at += strlen(&text[at]) + 1) {
        argv[argc++] = &text[at];
    }
    if (tg_arguments_parse(options, argc, argv, &arguments) == TG_OK) {
        tg_fuzz_expect(tg_arguments_text_or(&arguments, "config", "none") != NULL);
        check_again(&arguments);
        check_number(&arguments);
    } else {
        tg_fuzz_expect(arguments.why[0] != '\0');
    }
    free(text);
    return 0;
}
