/*
 * explain.c - `tollgate explain`: the table of reasons for people.
 */
#include "cli/command.h"
#include "core/policy/reason.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

const struct tg_option tg_options_explain[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    {"all", 'a', TG_OPTION_FLAG, NULL, "every reason"},
    TG_OPTION_END,
};

static const char *retry_text(uint8_t retry)
{
    switch (retry) {
    case TG_RETRY_SAFE:
        return "sending again is safe: nothing was done";
    case TG_RETRY_SAME_KEY:
        return "send again with the same key only";
    default:
        return "sending the same again does not help";
    }
}

static json_t *entry_json(const struct tg_reason_entry *entry)
{
    static const char *const retries[] = {"never", "safe", "same_key"};

    return json_pack("{s:i, s:s, s:i, s:s, s:s, s:s}", "code", entry->code, "name", entry->name, "status",
                     entry->status, "retry", retries[entry->retry <= TG_RETRY_SAME_KEY ? entry->retry : 0], "title",
                     entry->title, "explanation", entry->explanation);
}

static void entry_print(const struct tg_reason_entry *entry)
{
    (void)printf("%u %s\n", entry->code, entry->name);
    if (entry->status == 0) {
        (void)printf("  status  the upstream's own\n");
    } else {
        (void)printf("  status  %u\n", entry->status);
    }
    (void)printf("  caller  %s\n  retry   %s\n  why     %s\n", entry->title, retry_text(entry->retry),
                 entry->explanation);
}

static int explain_all(bool json)
{
    size_t count;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    json_t *rows = json_array();
    size_t i;

    for (i = 0; i < count; i++) {
        if (json) {
            (void)json_array_append_new(rows, entry_json(&entries[i]));
        } else {
            (void)printf("%4u  %-30s %3u  %s\n", entries[i].code, entries[i].name, entries[i].status,
                         entries[i].title);
        }
    }
    if (json) {
        (void)json_dumpf(rows, stdout, JSON_INDENT(2));
        (void)printf("\n");
    }
    json_decref(rows);
    return TG_EXIT_OK;
}

int tg_command_explain(struct tg_arguments *arguments)
{
    const char *word = tg_arguments_word(arguments, 0);
    bool json = tg_arguments_flag(arguments, "json");
    const struct tg_reason_entry *entry;

    if (tg_arguments_flag(arguments, "all")) {
        return explain_all(json);
    }
    if (word == NULL) {
        return tg_usage("explain: a code (162), a name (key_reused) or --all is needed");
    }
    if (strcmp(word, "outcome_unknown") == 0) {
        word = "181"; /* the four share one name for callers */
    }
    entry = tg_reason_find(tg_span_string(word));
    if (entry == NULL) {
        tg_complain("there is no reason \"%.60s\": see tollgate explain --all", word);
        return TG_EXIT_REFUSED;
    }
    if (json) {
        json_t *row = entry_json(entry);

        (void)json_dumpf(row, stdout, JSON_INDENT(2));
        (void)printf("\n");
        json_decref(row);
    } else {
        entry_print(entry);
    }
    return TG_EXIT_OK;
}
