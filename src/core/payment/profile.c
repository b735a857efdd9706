/*
 * profile.c - reading a profile.
 *
 * Promises: as profile.h; unknown members are refused, so that a misspelt one is never a silent default.
 * Does not: read files.
 */
#include "core/payment/profile.h"

#include "core/json/json.h"
#include "core/payment/profile_member.h"

#include "base/banned.h"

#define TTL_S_MIN 60               /* below that a client's ordinary retries outlive the claim */
#define TTL_S_MAX (31 * 24 * 3600) /* the longest that a known dialect promises is 30 days */
#define DESCRIPTION_BYTES_MAX 1024

static const struct tg_profile_word shape_words[] = {
    {"plain", TG_PROBLEM_PLAIN}, {"stripe", TG_PROBLEM_STRIPE}, {NULL, 0}};
static const struct tg_profile_word case_words[] = {{"upper", 0}, {"any", 1}, {NULL, 0}};

static enum tg_err idempotency_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    static const char *const names[] = {"field", "key_bytes_max", "ttl_s", "upstream_idempotent", NULL};
    struct tg_profile *profile = reader->profile;
    const struct tg_value *idempotency = tg_value_member(root, TG_SPAN("idempotency"));
    if (idempotency == NULL) {
        return tg_profile_fail(reader, root, "needs the member idempotency");
    }
    int64_t bytes_max = 0;
    int64_t ttl_s = 0;
    enum tg_err err = tg_profile_members_check(reader, idempotency, names);
    if (err == TG_OK) {
        err = tg_profile_field(reader, idempotency, "field", &profile->idempotency_field);
    }
    if (err == TG_OK) {
        err = tg_profile_integer(reader, idempotency, "key_bytes_max", 1, TG_IDEMPOTENCY_KEY_BYTES_MAX, &bytes_max);
    }
    if (err == TG_OK) {
        err = tg_profile_integer(reader, idempotency, "ttl_s", TTL_S_MIN, TTL_S_MAX, &ttl_s);
    }
    if (err == TG_OK) {
        err = tg_profile_bool(reader, idempotency, "upstream_idempotent", &profile->upstream_idempotent);
    }
    profile->idempotency_key_bytes_max = (uint16_t)bytes_max;
    profile->ttl_s = (uint32_t)ttl_s;
    return err;
}

static enum tg_err bound_fields_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    struct tg_profile *profile = reader->profile;
    const struct tg_value *fields = tg_value_member(root, TG_SPAN("bound_fields"));
    if (fields == NULL) {
        return TG_OK;
    }
    if (fields->kind != TG_VALUE_ARRAY || fields->count > TG_BOUND_FIELDS_MAX) {
        return tg_profile_fail(reader, fields, "must be an array of at most 8 field names");
    }
    for (const struct tg_value *field = fields->first; field != NULL; field = field->next) {
        if (field->kind != TG_VALUE_STRING || !tg_profile_field_ok(field->text)) {
            return tg_profile_fail(reader, field, "must be a field name in lower case");
        }
        for (size_t i = 0; i < profile->bound_field_count; i++) {
            if (tg_span_equal(profile->bound_fields[i], field->text)) {
                return tg_profile_fail(reader, field, "is there twice");
            }
        }
        profile->bound_fields[profile->bound_field_count++] = field->text;
    }
    return TG_OK;
}

static enum tg_err operations_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    const struct tg_value *operations = tg_value_member(root, TG_SPAN("operations"));
    if (operations == NULL || operations->kind != TG_VALUE_ARRAY || operations->count == 0) {
        return tg_profile_fail(reader, operations == NULL ? root : operations,
                               "needs operations, an array with one element or more");
    }
    for (const struct tg_value *value = operations->first; value != NULL; value = value->next) {
        enum tg_err err = tg_profile_operation_read(reader, value);
        if (err != TG_OK) {
            return err;
        }
    }
    return TG_OK;
}

/* After operations_read: the probe names one of them, and one without effect. */
static enum tg_err probe_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    static const char *const names[] = {"operation", "query", NULL};
    struct tg_profile *profile = reader->profile;
    const struct tg_value *probe = tg_value_member(root, TG_SPAN("probe"));
    if (probe == NULL) {
        return TG_OK;
    }
    enum tg_err err = tg_profile_members_check(reader, probe, names);
    if (err == TG_OK) {
        err = tg_profile_string(reader, probe, "operation", true, TG_NAME_BYTES_MAX, &profile->probe_operation);
    }
    if (err == TG_OK) {
        err = tg_profile_string(reader, probe, "query", true, TG_NAME_BYTES_MAX, &profile->probe_query);
    }
    if (err != TG_OK) {
        return err;
    }
    if (!tg_profile_name_ok(profile->probe_query)) {
        return tg_profile_fail(reader, probe, "query must be of a-z, 0-9, '.', '_' and '-'");
    }
    for (size_t i = 0; i < profile->operation_count; i++) {
        const struct tg_operation *operation = &profile->operations[i];
        if (tg_span_equal(operation->name, profile->probe_operation)) {
            bool harmless = !operation->money_moving && tg_span_equal(operation->method, TG_SPAN("GET")) &&
                            tg_span_find(operation->path, '{') == operation->path.len;
            return harmless ? TG_OK : tg_profile_fail(reader, probe, "must name a GET without variables in its path");
        }
    }
    return tg_profile_fail(reader, probe, "names no operation of this profile");
}

static enum tg_err head_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    struct tg_profile *profile = reader->profile;
    struct tg_span description = {0}; /* for people */
    uint8_t any_case = 0;
    profile->problem_shape = TG_PROBLEM_PLAIN;
    enum tg_err err = tg_profile_string(reader, root, "name", true, TG_NAME_BYTES_MAX, &profile->name);
    if (err == TG_OK && !tg_profile_name_ok(profile->name)) {
        err = tg_profile_fail(reader, root, "name must be of a-z, 0-9, '.', '_' and '-'");
    }
    if (err == TG_OK) {
        err = tg_profile_string(reader, root, "description", false, DESCRIPTION_BYTES_MAX, &description);
    }
    if (err == TG_OK) {
        err = tg_profile_field(reader, root, "credential_field", &profile->credential_field);
    }
    if (err == TG_OK) {
        err = tg_profile_bool(reader, root, "card_numbers_allowed", &profile->card_numbers_allowed);
    }
    if (err == TG_OK) {
        err = tg_profile_choice(reader, root, "problem_shape", false, shape_words, &profile->problem_shape);
    }
    if (err == TG_OK) {
        err = tg_profile_choice(reader, root, "currency_case", false, case_words, &any_case);
    }
    profile->currency_any_case = any_case != 0;
    return err;
}

static enum tg_err root_read(struct tg_profile_reader *reader, const struct tg_value *root)
{
    static const char *const names[] = {
        "name",          "description",   "credential_field", "idempotency", "bound_fields", "card_numbers_allowed",
        "currency_case", "problem_shape", "status",           "probe",       "operations",   NULL};
    enum tg_err err = tg_profile_members_check(reader, root, names);
    if (err == TG_OK) {
        err = head_read(reader, root);
    }
    if (err == TG_OK) {
        err = idempotency_read(reader, root);
    }
    if (err == TG_OK) {
        err = bound_fields_read(reader, root);
    }
    if (err == TG_OK) {
        err = tg_profile_status_read(reader, tg_value_member(root, TG_SPAN("status")));
    }
    if (err == TG_OK) {
        err = operations_read(reader, root);
    }
    if (err == TG_OK) {
        err = probe_read(reader, root);
    }
    return err;
}

/* The JSON itself is wrong. */
static enum tg_err syntax_fail(struct tg_profile_reader *reader, const struct tg_json_place *place,
                               enum tg_reason reason)
{
    const char *text = "is not valid JSON";
    if (reason == TG_REASON_JSON_DUPLICATE_MEMBER) {
        text = "is there twice";
    } else if (reason == TG_REASON_JSON_LIMIT) {
        text = "is too long or nested too deeply";
    } else if (reason == TG_REASON_ENCODING) {
        text = "is not UTF-8";
    }
    reader->why->offset = place->offset;
    return tg_profile_fail(reader, place->value, text);
}

enum tg_err tg_profile_parse(struct tg_span text, struct tg_arena *arena, const struct tg_profile **ret,
                             struct tg_profile_error *why)
{
    *ret = NULL;
    *why = (struct tg_profile_error){0};
    struct tg_profile_reader reader = {tg_arena_take(arena, sizeof(struct tg_profile)), why};
    struct tg_span kept = tg_arena_copy(arena, text);
    if (reader.profile == NULL || (kept.ptr == NULL && text.len > 0)) {
        enum tg_err ignored = tg_profile_fail(&reader, NULL, "the profile is too large");
        (void)ignored;
        return TG_ERR_ROOM;
    }
    const struct tg_value *root = NULL;
    struct tg_json_place place = {0};
    enum tg_reason reason = tg_json_parse(kept, arena, &root, &place);
    if (reason != TG_REASON_OK) {
        return syntax_fail(&reader, &place, reason);
    }
    enum tg_err err = root_read(&reader, root);
    if (err == TG_OK) {
        *ret = reader.profile;
    }
    return err;
}

size_t tg_profile_arena_size(size_t text_len)
{
    return sizeof(struct tg_profile) + text_len + tg_value_arena_size(text_len) + 4 * sizeof(max_align_t);
}
