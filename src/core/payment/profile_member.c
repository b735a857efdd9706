/*
 * profile_member.c - typed members and their errors.
 *
 * Promises: as profile_member.h; an error's text never holds a value of the profile, only its place.
 * Does not: keep state.
 */
#include "core/payment/profile_member.h"

#include "core/http/field.h"
#include "core/payment/money.h"

#include "base/banned.h"

enum tg_err tg_profile_fail(struct tg_profile_reader *reader, const struct tg_value *value, const char *text)
{
    struct tg_buf out = tg_buf(reader->why->text, sizeof reader->why->text - 1);
    tg_value_pointer_write(&out, value);
    if (out.len > 0) {
        tg_buf_put_string(&out, ": ");
    }
    struct tg_span message = tg_span_string(text);
    tg_buf_put(&out, tg_span_sub(message, 0, out.cap - out.len));
    reader->why->text[out.len] = '\0';
    return TG_ERR_INPUT;
}

enum tg_err tg_profile_members_check(struct tg_profile_reader *reader, const struct tg_value *object,
                                     const char *const *names)
{
    if (object->kind != TG_VALUE_OBJECT) {
        return tg_profile_fail(reader, object, "must be an object");
    }
    for (const struct tg_value *child = object->first; child != NULL; child = child->next) {
        bool known = false;
        for (size_t i = 0; names[i] != NULL && !known; i++) {
            known = tg_span_equal(child->key, tg_span_string(names[i]));
        }
        if (!known) {
            return tg_profile_fail(reader, child, "is not a member of a profile");
        }
    }
    return TG_OK;
}

/* TG_ERR_ABSENT: not there and not required. */
static enum tg_err member_find(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                               bool required, const struct tg_value **ret)
{
    *ret = tg_value_member(object, tg_span_string(name));
    if (*ret != NULL) {
        return TG_OK;
    }
    if (!required) {
        return TG_ERR_ABSENT;
    }
    char text[64];
    struct tg_buf out = tg_buf(text, sizeof text - 1);
    tg_buf_put_string(&out, "needs the member ");
    tg_buf_put_string(&out, name);
    text[out.len] = '\0';
    return tg_profile_fail(reader, object, text);
}

enum tg_err tg_profile_string(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                              bool required, size_t bytes_max, struct tg_span *ret)
{
    const struct tg_value *value = NULL;
    enum tg_err err = member_find(reader, object, name, required, &value);
    if (err != TG_OK) {
        return err == TG_ERR_ABSENT ? TG_OK : err;
    }
    if (value->kind != TG_VALUE_STRING || value->text.len == 0 || value->text.len > bytes_max) {
        return tg_profile_fail(reader, value, "must be a string, not empty and not too long");
    }
    *ret = value->text;
    return TG_OK;
}

enum tg_err tg_profile_bool(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                            bool *ret)
{
    const struct tg_value *value = tg_value_member(object, tg_span_string(name));
    if (value == NULL) {
        return TG_OK;
    }
    if (value->kind != TG_VALUE_TRUE && value->kind != TG_VALUE_FALSE) {
        return tg_profile_fail(reader, value, "must be true or false");
    }
    *ret = value->kind == TG_VALUE_TRUE;
    return TG_OK;
}

enum tg_err tg_profile_integer(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                               int64_t min, int64_t max, int64_t *ret)
{
    const struct tg_value *value = NULL;
    enum tg_err err = member_find(reader, object, name, true, &value);
    if (err != TG_OK) {
        return err;
    }
    int64_t number = 0;
    if (value->kind != TG_VALUE_NUMBER || tg_amount_minor_parse(value->text, &number) != TG_OK || number < min ||
        number > max) {
        return tg_profile_fail(reader, value, "must be an integer within the limits of tollgate-profile(5)");
    }
    *ret = number;
    return TG_OK;
}

enum tg_err tg_profile_choice(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                              bool required, const struct tg_profile_word *words, uint8_t *ret)
{
    const struct tg_value *value = NULL;
    enum tg_err err = member_find(reader, object, name, required, &value);
    if (err != TG_OK) {
        return err == TG_ERR_ABSENT ? TG_OK : err;
    }
    for (size_t i = 0; value->kind == TG_VALUE_STRING && words[i].text != NULL; i++) {
        if (tg_span_equal(value->text, tg_span_string(words[i].text))) {
            *ret = words[i].value;
            return TG_OK;
        }
    }
    return tg_profile_fail(reader, value, "is not one of the words of tollgate-profile(5)");
}

enum tg_err tg_profile_pointer(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                               bool required, struct tg_span *ret)
{
    enum tg_err err = tg_profile_string(reader, object, name, required, TG_POINTER_BYTES_MAX, ret);
    if (err == TG_OK && !tg_pointer_ok(*ret)) {
        return tg_profile_fail(reader, tg_value_member(object, tg_span_string(name)), "must be a JSON Pointer");
    }
    return err;
}

bool tg_profile_field_ok(struct tg_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') {
            return false;
        }
    }
    return name.len <= TG_NAME_BYTES_MAX && tg_field_name_ok(name);
}

enum tg_err tg_profile_field(struct tg_profile_reader *reader, const struct tg_value *object, const char *name,
                             struct tg_span *ret)
{
    enum tg_err err = tg_profile_string(reader, object, name, true, TG_NAME_BYTES_MAX, ret);
    if (err == TG_OK && !tg_profile_field_ok(*ret)) {
        return tg_profile_fail(reader, tg_value_member(object, tg_span_string(name)),
                               "must be a field name in lower case");
    }
    return err;
}

bool tg_profile_name_ok(struct tg_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        bool letter = byte >= 'a' && byte <= 'z';
        bool digit = byte >= '0' && byte <= '9';
        if (!letter && !digit && byte != '.' && byte != '_' && byte != '-') {
            return false;
        }
    }
    return name.len > 0 && name.len <= TG_NAME_BYTES_MAX;
}
