/*
 * option.c - see option.h. The table decides; there is no global state and no reordering of argv.
 */
#include "cli/option.h"

#include <stdio.h>
#include <string.h>

static size_t option_index(const struct tg_option *options, const char *name, size_t name_len)
{
    size_t i;

    for (i = 0; i < TG_OPTIONS_MAX && options[i].name != NULL; i++) {
        if (strlen(options[i].name) == name_len && memcmp(options[i].name, name, name_len) == 0) {
            return i;
        }
    }
    return TG_OPTIONS_MAX;
}

static size_t option_index_letter(const struct tg_option *options, char letter)
{
    size_t i;

    for (i = 0; i < TG_OPTIONS_MAX && options[i].name != NULL; i++) {
        if (options[i].letter != 0 && options[i].letter == letter) {
            return i;
        }
    }
    return TG_OPTIONS_MAX;
}

static enum tg_err option_note(struct tg_arguments *ret, size_t index, const char *value)
{
    const struct tg_option *option = &ret->options[index];
    struct tg_option_seen *seen = &ret->seen[index];

    if (seen->count > 0 && option->kind != TG_OPTION_MANY) {
        (void)snprintf(ret->why, sizeof(ret->why), "--%s was given twice", option->name);
        return TG_ERR_INPUT;
    }
    if (seen->count == TG_OPTION_REPEATS_MAX) {
        (void)snprintf(ret->why, sizeof(ret->why), "--%s was given more than %d times", option->name,
                       TG_OPTION_REPEATS_MAX);
        return TG_ERR_INPUT;
    }
    seen->values[seen->count++] = value;
    return TG_OK;
}

/* One word that begins with a dash. *taken says whether the next word was its value. */
static enum tg_err option_read(struct tg_arguments *ret, const char *word, const char *next, bool *taken)
{
    const char *equals = NULL;
    const char *name = word;
    const struct tg_option *option;
    size_t index;

    *taken = false;
    if (word[1] == '-') {
        name = word + 2;
        equals = strchr(name, '=');
        index = option_index(ret->options, name, equals == NULL ? strlen(name) : (size_t)(equals - name));
    } else {
        index = word[2] == '\0' ? option_index_letter(ret->options, word[1]) : TG_OPTIONS_MAX;
    }
    if (index == TG_OPTIONS_MAX) {
        (void)snprintf(ret->why, sizeof(ret->why), "no such option: %.64s", word);
        return TG_ERR_INPUT;
    }
    option = &ret->options[index];
    if (option->kind == TG_OPTION_FLAG) {
        if (equals != NULL) {
            (void)snprintf(ret->why, sizeof(ret->why), "--%s takes no value", option->name);
            return TG_ERR_INPUT;
        }
        return option_note(ret, index, "");
    }
    if (equals != NULL) {
        return option_note(ret, index, equals + 1);
    }
    if (next == NULL) {
        (void)snprintf(ret->why, sizeof(ret->why), "--%s needs a value: --%s %s", option->name, option->name,
                       option->value);
        return TG_ERR_INPUT;
    }
    *taken = true;
    return option_note(ret, index, next);
}

enum tg_err tg_arguments_parse(const struct tg_option *options, int argc, char **argv, struct tg_arguments *ret)
{
    bool ended = false;
    int i;

    memset(ret, 0, sizeof(*ret));
    ret->options = options;
    for (i = 0; i < argc; i++) {
        const char *word = argv[i];

        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
        } else if (!ended && word[0] == '-' && word[1] != '\0') {
            bool taken;
            enum tg_err err = option_read(ret, word, i + 1 < argc ? argv[i + 1] : NULL, &taken);

            if (err != TG_OK) {
                return err;
            }
            i += taken ? 1 : 0;
        } else if (ret->positional_count == TG_POSITIONALS_MAX) {
            (void)snprintf(ret->why, sizeof(ret->why), "too many words, beginning with: %.64s", word);
            return TG_ERR_INPUT;
        } else {
            ret->positionals[ret->positional_count++] = word;
        }
    }
    return TG_OK;
}

const struct tg_option_seen *tg_arguments_many(const struct tg_arguments *arguments, const char *name)
{
    static const struct tg_option_seen none;
    size_t index = option_index(arguments->options, name, strlen(name));

    return index == TG_OPTIONS_MAX ? &none : &arguments->seen[index];
}

bool tg_arguments_flag(const struct tg_arguments *arguments, const char *name)
{
    return tg_arguments_many(arguments, name)->count > 0;
}

const char *tg_arguments_text(const struct tg_arguments *arguments, const char *name)
{
    const struct tg_option_seen *seen = tg_arguments_many(arguments, name);

    return seen->count == 0 ? NULL : seen->values[0];
}

const char *tg_arguments_text_or(const struct tg_arguments *arguments, const char *name, const char *otherwise)
{
    const char *value = tg_arguments_text(arguments, name);

    return value == NULL ? otherwise : value;
}

const char *tg_arguments_word(const struct tg_arguments *arguments, size_t index)
{
    return index < arguments->positional_count ? arguments->positionals[index] : NULL;
}

enum tg_err tg_number_parse(const char *text, int64_t *ret)
{
    bool negative = text[0] == '-';
    const char *at = negative ? text + 1 : text;
    int64_t value = 0;

    if (*at == '\0') {
        return TG_ERR_INPUT;
    }
    for (; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') {
            return TG_ERR_INPUT;
        }
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(*at - '0'), &value)) {
            return TG_ERR_LIMIT;
        }
    }
    *ret = negative ? -value : value;
    return TG_OK;
}

enum tg_err tg_arguments_number(struct tg_arguments *arguments, const char *name, int64_t least, int64_t most,
                                int64_t *ret)
{
    const char *text = tg_arguments_text(arguments, name);
    int64_t value = 0;

    if (text == NULL) {
        return TG_OK;
    }
    if (tg_number_parse(text, &value) != TG_OK || value < least || value > most) {
        (void)snprintf(arguments->why, sizeof(arguments->why), "--%s must be a whole number from %lld to %lld", name,
                       (long long)least, (long long)most);
        return TG_ERR_INPUT;
    }
    *ret = value;
    return TG_OK;
}
