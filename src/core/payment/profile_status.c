/*
 * profile_status.c - what each upstream status means.
 *
 * Promises: every status has a meaning; what nobody named is unknown, the
 * meaning that never lets money move twice. A status said twice is refused.
 * Does not: let 2xx mean "not executed": a payment that went through would be free to be sent again.
 */
#include "core/payment/money.h"
#include "core/payment/profile_member.h"

#include "base/banned.h"

#define STATUS_MIN 100
#define STATUS_MAX 599
#define CLASS_WIDTH 100
#define CLASSES 6

struct map {
    bool class_said[CLASSES];
    bool said[STATUS_MAX + 1];
    uint8_t class_meaning[CLASSES];
    uint8_t meaning[STATUS_MAX + 1];
};

static void defaults_set(struct tg_profile *profile)
{
    static const uint16_t final[] = {400, 402, 404, 422};
    static const uint16_t not_executed[] = {401, 403, 409, 429};
    for (size_t i = 0; i < sizeof profile->status_meaning; i++) {
        bool success = i / CLASS_WIDTH == 2;
        profile->status_meaning[i] = success ? TG_STATUS_FINAL : TG_STATUS_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        profile->status_meaning[final[i]] = TG_STATUS_FINAL;
    }
    for (size_t i = 0; i < sizeof not_executed / sizeof not_executed[0]; i++) {
        profile->status_meaning[not_executed[i]] = TG_STATUS_NOT_EXECUTED;
    }
}

/* "4xx" gives 4; 0 for anything else. */
static size_t class_of(struct tg_span text)
{
    bool ok = text.len == 3 && text.ptr[0] >= '1' && text.ptr[0] <= '5' && text.ptr[1] == 'x' && text.ptr[2] == 'x';
    return ok ? (size_t)(text.ptr[0] - '0') : 0;
}

static enum tg_err entry_read(struct tg_profile_reader *reader, const struct tg_value *entry, uint8_t meaning,
                              struct map *map)
{
    int64_t status = 0;
    size_t status_class = entry->kind == TG_VALUE_STRING ? class_of(entry->text) : 0;
    if (entry->kind == TG_VALUE_NUMBER && tg_amount_minor_parse(entry->text, &status) != TG_OK) {
        status = 0;
    }
    if (status_class == 0 && (status < STATUS_MIN || status > STATUS_MAX)) {
        return tg_profile_fail(reader, entry, "must be a status (404) or a class (\"4xx\")");
    }
    if (meaning == TG_STATUS_NOT_EXECUTED && (status_class == 2 || status / CLASS_WIDTH == 2)) {
        return tg_profile_fail(reader, entry, "a 2xx cannot mean that nothing was executed");
    }
    bool *said = status_class > 0 ? &map->class_said[status_class] : &map->said[status];
    if (*said) {
        return tg_profile_fail(reader, entry, "has a meaning already");
    }
    *said = true;
    if (status_class > 0) {
        map->class_meaning[status_class] = meaning;
    } else {
        map->meaning[status] = meaning;
    }
    return TG_OK;
}

static enum tg_err list_read(struct tg_profile_reader *reader, const struct tg_value *list, uint8_t meaning,
                             struct map *map)
{
    if (list == NULL) {
        return TG_OK;
    }
    if (list->kind != TG_VALUE_ARRAY) {
        return tg_profile_fail(reader, list, "must be an array");
    }
    for (const struct tg_value *entry = list->first; entry != NULL; entry = entry->next) {
        enum tg_err err = entry_read(reader, entry, meaning, map);
        if (err != TG_OK) {
            return err;
        }
    }
    return TG_OK;
}

enum tg_err tg_profile_status_read(struct tg_profile_reader *reader, const struct tg_value *status)
{
    static const char *const names[] = {"final", "not_executed", "unknown", NULL};
    static const uint8_t meanings[] = {TG_STATUS_FINAL, TG_STATUS_NOT_EXECUTED, TG_STATUS_UNKNOWN};
    defaults_set(reader->profile);
    if (status == NULL) {
        return TG_OK;
    }
    enum tg_err err = tg_profile_members_check(reader, status, names);
    struct map map = {0};
    for (size_t i = 0; err == TG_OK && i < sizeof meanings; i++) {
        err = list_read(reader, tg_value_member(status, tg_span_string(names[i])), meanings[i], &map);
    }
    if (err != TG_OK) {
        return err;
    }
    /* A single status says more than its class, and a class more than the defaults. */
    for (size_t i = STATUS_MIN; i <= STATUS_MAX; i++) {
        if (map.said[i]) {
            reader->profile->status_meaning[i] = map.meaning[i];
        } else if (map.class_said[i / CLASS_WIDTH]) {
            reader->profile->status_meaning[i] = map.class_meaning[i / CLASS_WIDTH];
        }
    }
    return TG_OK;
}
