/*
 * log_tail.c - `tollgate log tail`: events of the record, once or as they come.
 *
 * Promises: with --json one object a line, all of them from --from to the end; otherwise the last 20 unless --from
 * says, and without the members that only programs compare.
 */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/program.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_PART 500        /* events asked for at once: an answer stays well under a frame */
#define TAIL_DEFAULT 20
#define TAIL_FOLLOW_MS 300

const struct tg_option tg_options_log_tail[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    TG_OPTION_INSTANCE,
    {"from", 0, TG_OPTION_TEXT, "N", "first sequence number (the last 20 events)"},
    {"follow", 'f', TG_OPTION_FLAG, NULL, "go on as events come, until Ctrl-C"},
    TG_OPTION_END,
};

/* Members that stand in front of a line, in this order; the rest follow as name=value. */
static const char *const tail_first[] = {"sequence", "at", "time", "kind", NULL};

/* Left out for people: pseudonyms, what ties events, and the number of a reason whose name is there. */
static const char *const tail_left_out[] = {"payee",  "payer",  "instrument",  "address",
                                            "ticket", "reason", "upstream_us", NULL};

static bool is_one_of(const char *const *names, const char *name)
{
    size_t i;

    for (i = 0; names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void event_print(const json_t *event, bool json)
{
    char cell[TG_TABLE_CELL_BYTES_MAX];
    const char *name;
    json_t *value;
    size_t i;

    if (json) {
        (void)json_dumpf(event, stdout, JSON_COMPACT);
        (void)printf("\n");
        return;
    }
    for (i = 0; tail_first[i] != NULL; i++) {
        value = json_object_get(event, tail_first[i]);
        if (value != NULL) {
            tg_table_cell(value, cell, sizeof(cell));
            (void)printf("%s ", cell);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)event, name, value) {
        if (!is_one_of(tail_first, name) && !is_one_of(tail_left_out, name) && !json_is_null(value)) {
            if (json_is_object(value)) {
                char *text = json_dumps(value, JSON_COMPACT);

                (void)printf(" %s=%s", name, text == NULL ? "?" : text);
                free(text);
                continue;
            }
            tg_table_cell(value, cell, sizeof(cell));
            (void)printf(" %s=%s", name, cell);
        }
    }
    (void)printf("\n");
}

/* Asks for events from `from` on (negative: the last few) and prints them. The next number, -1 on failure. */
static json_int_t tail_part(struct tg_admin *admin, json_int_t from, bool json, size_t *got)
{
    json_t *body = json_pack("{s:i}", "limit", from < 0 ? TAIL_DEFAULT : TAIL_PART);
    json_t *result = NULL;
    const json_t *events;
    json_int_t next;
    size_t i;

    *got = 0;
    if (from >= 0) {
        (void)json_object_set_new(body, "from", json_integer(from));
    }
    if (tg_admin_ask(admin, "log.tail", body, &result) != TG_OK) {
        return -1;
    }
    events = json_object_get(result, "events");
    next = json_integer_value(json_object_get(result, "next"));
    for (i = 0; i < json_array_size(events); i++) {
        event_print(json_array_get(events, i), json);
    }
    *got = json_array_size(events);
    (void)fflush(stdout);
    json_decref(result);
    return next < from ? from : next;
}

int tg_command_log_tail(struct tg_arguments *arguments)
{
    bool json = tg_arguments_flag(arguments, "json");
    bool follow = tg_arguments_flag(arguments, "follow");
    struct tg_instance instance;
    struct tg_admin admin;
    int64_t from = -1;
    size_t got = 0;

    if (tg_arguments_number(arguments, "from", 0, INT64_MAX, &from) != TG_OK) {
        return tg_usage("log tail: %s", arguments->why);
    }
    if (tg_instance_open(arguments, NULL, &instance) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    if (tg_admin_open(&instance, false, &admin) != TG_OK) {
        return TG_EXIT_UNREACHABLE;
    }
    for (;;) {
        from = tail_part(&admin, from, json, &got);
        if (from < 0 || (got == 0 && !follow) || ferror(stdout) != 0) {
            break;
        }
        if (got == 0) {
            tg_sleep_ms(TAIL_FOLLOW_MS);
        }
    }
    tg_admin_close(&admin);
    return from < 0 ? TG_EXIT_UNREACHABLE : TG_EXIT_OK;
}
