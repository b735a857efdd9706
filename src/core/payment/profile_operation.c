/*
 * profile_operation.c - one operation of a profile.
 *
 * Promises: an operation that passes here can be used without further checks:
 * its template matches something, its facts can stand where it says, its name is free.
 * Does not: judge whether an API really has it.
 */
#include "core/http/template.h"
#include "core/payment/profile_member.h"

#include "base/banned.h"

#define METHOD_CHARS_MAX 16

/* enum tg_idempotency of wire/message.h, which core does not need otherwise; profile_operation_test.c pins both. */
static const struct tg_profile_word idempotency_words[] = {{"none", 0}, {"optional", 1}, {"required", 2}, {NULL, 0}};
static const struct tg_profile_word body_words[] = {
    {"none", TG_BODY_NONE}, {"json", TG_BODY_JSON}, {"form", TG_BODY_FORM}, {NULL, 0}};
static const struct tg_profile_word amount_words[] = {
    {"minor", TG_AMOUNT_MINOR}, {"decimal", TG_AMOUNT_DECIMAL}, {NULL, 0}};

static bool method_ok(struct tg_span method)
{
    for (size_t i = 0; i < method.len; i++) {
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z') {
            return false;
        }
    }
    return method.len > 0;
}

static enum tg_err amount_read(struct tg_profile_reader *reader, const struct tg_value *value,
                               struct tg_operation *operation)
{
    static const char *const names[] = {"at", "kind", "required", NULL};
    const struct tg_value *amount = tg_value_member(value, TG_SPAN("amount"));
    if (amount == NULL) {
        return TG_OK;
    }
    enum tg_err err = tg_profile_members_check(reader, amount, names);
    if (err == TG_OK) {
        err = tg_profile_pointer(reader, amount, "at", true, &operation->amount);
    }
    if (err == TG_OK) {
        err = tg_profile_choice(reader, amount, "kind", true, amount_words, &operation->amount_kind);
    }
    if (err == TG_OK) {
        err = tg_profile_bool(reader, amount, "required", &operation->amount_required);
    }
    if (err == TG_OK && operation->amount_kind == TG_AMOUNT_DECIMAL && operation->currency.len == 0) {
        err = tg_profile_fail(reader, amount, "a decimal amount needs the operation's currency");
    }
    return err;
}

static enum tg_err facts_read(struct tg_profile_reader *reader, const struct tg_value *value,
                              struct tg_operation *operation)
{
    struct {
        const char *name;
        struct tg_span *ret;
    } pointers[] = {{"currency", &operation->currency},
                    {"payee", &operation->payee},
                    {"payer", &operation->payer},
                    {"instrument", &operation->instrument}};
    bool any = tg_value_member(value, TG_SPAN("amount")) != NULL;
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        enum tg_err err = tg_profile_pointer(reader, value, pointers[i].name, false, pointers[i].ret);
        if (err != TG_OK) {
            return err;
        }
        any = any || pointers[i].ret->len > 0;
    }
    if (any && operation->body == TG_BODY_NONE) {
        return tg_profile_fail(reader, value, "has facts but no body");
    }
    return amount_read(reader, value, operation);
}

static enum tg_err body_check(struct tg_profile_reader *reader, const struct tg_value *value,
                              const struct tg_operation *operation)
{
    if (operation->body_optional && operation->body == TG_BODY_NONE) {
        return tg_profile_fail(reader, value, "has no body that could be optional");
    }
    if (operation->body_optional && operation->amount_required) {
        return tg_profile_fail(reader, value, "needs an amount, so its body is not optional");
    }
    return TG_OK;
}

/* Name, method and path, each well formed. */
static enum tg_err names_read(struct tg_profile_reader *reader, const struct tg_value *value,
                              struct tg_operation *operation)
{
    enum tg_err err = tg_profile_string(reader, value, "name", true, TG_NAME_BYTES_MAX, &operation->name);
    if (err == TG_OK) {
        err = tg_profile_string(reader, value, "method", true, METHOD_CHARS_MAX, &operation->method);
    }
    if (err == TG_OK) {
        err = tg_profile_string(reader, value, "path", true, TG_TEMPLATE_BYTES_MAX, &operation->path);
    }
    if (err == TG_OK && !tg_profile_name_ok(operation->name)) {
        err = tg_profile_fail(reader, value, "name must be of a-z, 0-9, '.', '_' and '-'");
    }
    if (err == TG_OK && !method_ok(operation->method)) {
        err = tg_profile_fail(reader, value, "method must be of upper-case letters");
    }
    if (err == TG_OK && !tg_template_ok(operation->path)) {
        err = tg_profile_fail(reader, value, "path must be a template such as /v1/payments/{id}");
    }
    return err;
}

static enum tg_err uniqueness_check(struct tg_profile_reader *reader, const struct tg_value *value,
                                    const struct tg_operation *operation)
{
    for (size_t i = 0; i < reader->profile->operation_count; i++) {
        const struct tg_operation *other = &reader->profile->operations[i];
        if (tg_span_equal(other->name, operation->name)) {
            return tg_profile_fail(reader, value, "has another operation's name");
        }
        if (tg_span_equal(other->method, operation->method) && tg_template_compare(other->path, operation->path) == 0) {
            return tg_profile_fail(reader, value, "has another operation's method and path");
        }
    }
    return TG_OK;
}

enum tg_err tg_profile_operation_read(struct tg_profile_reader *reader, const struct tg_value *value)
{
    static const char *const names[] = {"name",        "method",       "path",   "body",     "body_optional",
                                        "idempotency", "money_moving", "amount", "currency", "payee",
                                        "payer",       "instrument",   NULL};
    struct tg_profile *profile = reader->profile;
    if (profile->operation_count >= TG_OPERATIONS_MAX) {
        return tg_profile_fail(reader, value, "is one operation too many");
    }
    struct tg_operation *operation = &profile->operations[profile->operation_count];
    enum tg_err err = tg_profile_members_check(reader, value, names);
    if (err == TG_OK) {
        err = names_read(reader, value, operation);
    }
    if (err == TG_OK) {
        err = tg_profile_choice(reader, value, "body", true, body_words, &operation->body);
    }
    if (err == TG_OK) {
        err = tg_profile_bool(reader, value, "body_optional", &operation->body_optional);
    }
    if (err == TG_OK) {
        err = tg_profile_choice(reader, value, "idempotency", false, idempotency_words, &operation->idempotency);
    }
    if (err == TG_OK) {
        err = tg_profile_bool(reader, value, "money_moving", &operation->money_moving);
    }
    if (err == TG_OK) {
        err = facts_read(reader, value, operation);
    }
    if (err == TG_OK) {
        err = body_check(reader, value, operation);
    }
    if (err == TG_OK) {
        err = uniqueness_check(reader, value, operation);
    }
    if (err == TG_OK) {
        profile->operation_count++;
    }
    return err;
}
