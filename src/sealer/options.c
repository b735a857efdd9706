/*
 * options.c - the command line of tollgate-sealer.
 *
 * Promises: as options.h; strings stay borrowed from the command line.
 * Does not: read environment variables.
 */
#include "sealer/options.h"

#include "base/span.h"
#include "daemon/daemon.h"
#include "sealer/serve.h"

#include "base/banned.h"

void tg_sealer_options_usage(FILE *to)
{
    fputs("usage: tollgate-sealer --keys DIR --socket PATH --keeper-uid UID\n"
          "                       [--keepers N] [--user NAME] [--log FILE] [--pid FILE]\n"
          "       tollgate-sealer --keys DIR --make-keys [--user NAME]\n"
          "\n"
          "Holds the keys of one Tollgate instance and works with them for the keeper.\n"
          "  --keys DIR        folder of master.key and answers.ring (mode 0700)\n"
          "  --make-keys       make what is missing there, overwrite nothing, then end\n"
          "  --socket PATH     where the keeper connects\n"
          "  --keeper-uid UID  the only user that may connect, a number or a name\n"
          "  --keepers N       that may be connected at a time (1): more share a PostgreSQL store\n"
          "  --user NAME       become this user once sockets and files are open (as root)\n"
          "  --log FILE        JSON lines go here instead of stderr; SIGHUP opens it again\n"
          "  --pid FILE        locked while the process lives\n",
          to);
}

static bool is_word(const char *word, const char *name)
{
    return tg_span_equal(tg_span_string(word), tg_span_string(name));
}

/* Where the value of a flag goes, or NULL for a flag that takes none or is unknown. */
static const char **place_of(struct tg_sealer_options *options, const char *word, const char **uid_text,
                             const char **keepers_text)
{
    const struct {
        const char *name;
        const char **place;
    } table[] = {
        {"--keys", &options->keys}, {"--socket", &options->socket}, {"--user", &options->user},
        {"--log", &options->log},   {"--pid", &options->pid},       {"--keeper-uid", uid_text},
        {"--keepers", keepers_text},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (is_word(word, table[i].name)) {
            return table[i].place;
        }
    }
    return NULL;
}

static enum tg_err complain(const char *what, const char *word)
{
    fprintf(stderr, "tollgate-sealer: %s: %s\n", what, word);
    return TG_ERR_INPUT;
}

/* What must be there once all words are read. */
static enum tg_err check(struct tg_sealer_options *options, const char *uid_text)
{
    if (options->help) {
        return TG_OK;
    }
    if (options->keys == NULL) {
        return complain("missing", "--keys");
    }
    if (options->make_keys) {
        return TG_OK;
    }
    if (options->socket == NULL) {
        return complain("missing", "--socket");
    }
    if (uid_text == NULL) {
        return complain("missing", "--keeper-uid");
    }
    return tg_daemon_uid(uid_text, &options->keeper_uid) == TG_OK ? TG_OK : complain("not a user", uid_text);
}

enum tg_err tg_sealer_options_read(int count, char *const *words, struct tg_sealer_options *ret)
{
    const char *uid_text = NULL;
    const char *keepers_text = NULL;
    *ret = (struct tg_sealer_options){.keeper_uid = TG_DAEMON_UID_NONE, .keepers = 1};
    for (int i = 1; i < count; i++) {
        if (is_word(words[i], "--make-keys")) {
            ret->make_keys = true;
            continue;
        }
        if (is_word(words[i], "--help")) {
            ret->help = true;
            continue;
        }
        const char **place = place_of(ret, words[i], &uid_text, &keepers_text);
        if (place == NULL) {
            return complain("unknown flag", words[i]);
        }
        if (*place != NULL) {
            return complain("given twice", words[i]);
        }
        if (i + 1 == count || words[i + 1][0] == '\0') {
            return complain("needs a value", words[i]);
        }
        *place = words[++i];
    }
    uint64_t keepers = 1;
    if (keepers_text != NULL &&
        (tg_daemon_number(keepers_text, TG_SERVE_KEEPERS_MAX, &keepers) != TG_OK || keepers == 0)) {
        return complain("not a number of keepers", keepers_text);
    }
    ret->keepers = (size_t)keepers;
    return check(ret, uid_text);
}
