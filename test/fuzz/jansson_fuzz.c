/*
 * jansson_fuzz.c - any bytes as JSON, read by us and by Jansson (which keeper and tools use).
 *
 * Promises to find: a text that one of both takes and the other refuses, but for numbers that only Jansson cannot hold
 * and for our own limits; a text, a number's kind or a member's name that they read otherwise.
 */
#include <jansson.h>
#include <string.h>

#include "core/json/json.h"

#include "fuzz.h"

static bool too_large(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow;
}

static void check_same(const struct tg_value *ours, const json_t *theirs);

static void check_children(const struct tg_value *ours, const json_t *theirs)
{
    bool object = ours->kind == TG_VALUE_OBJECT;
    tg_fuzz_expect(object ? json_object_size(theirs) == ours->count : json_array_size(theirs) == ours->count);
    for (const struct tg_value *child = ours->first; child != NULL; child = child->next) {
        /* Names with a NUL have no key that this Jansson looks up; it refuses them when it reads. */
        char name[256];
        if (object && child->key.len >= sizeof(name)) {
            continue;
        }
        if (object) {
            if (child->key.len > 0) {
                memcpy(name, child->key.ptr, child->key.len);
            }
            name[child->key.len] = '\0';
        }
        const json_t *other = object ? json_object_get(theirs, name) : json_array_get(theirs, child->index);
        tg_fuzz_expect(other != NULL);
        check_same(child, other);
    }
}

static void check_same(const struct tg_value *ours, const json_t *theirs)
{
    static const json_type types[] = {JSON_NULL,   JSON_FALSE, JSON_TRUE,  JSON_INTEGER,
                                      JSON_STRING, JSON_ARRAY, JSON_OBJECT};
    if (ours->kind == TG_VALUE_NUMBER) {
        bool whole = tg_span_find(ours->text, '.') == ours->text.len &&
                     tg_span_find(ours->text, 'e') == ours->text.len && tg_span_find(ours->text, 'E') == ours->text.len;
        tg_fuzz_expect(whole ? json_is_integer(theirs) : json_is_real(theirs));
        return;
    }
    tg_fuzz_expect(json_typeof(theirs) == types[ours->kind]);
    if (ours->kind == TG_VALUE_STRING) {
        tg_fuzz_expect(tg_span_equal(ours->text, tg_span(json_string_value(theirs), json_string_length(theirs))));
    } else if (ours->kind == TG_VALUE_ARRAY || ours->kind == TG_VALUE_OBJECT) {
        check_children(ours, theirs);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[2 * 1024 * 1024];
    struct tg_span text = tg_span(data, size < 4096 ? size : 4096);
    struct tg_arena arena = tg_arena(block, sizeof(block));
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    json_error_t error;
    enum tg_reason reason = tg_json_parse(text, &arena, &root, &place);
    json_t *theirs = json_loadb(text.len > 0 ? (const char *)text.ptr : "", text.len,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (root != NULL && theirs != NULL) {
        check_same(root, theirs);
    } else if (root != NULL) {
        bool nul_name = json_error_code(&error) == json_error_null_byte_in_key;
        tg_fuzz_expect(too_large(&error) || nul_name);
    } else {
        /* Jansson takes a number with a NUL behind it; what has a NUL in clear is not compared. */
        bool nul = tg_span_find(text, 0) < text.len;
        tg_fuzz_expect(theirs == NULL || reason == TG_REASON_JSON_LIMIT || nul);
    }
    json_decref(theirs);
    return 0;
}
