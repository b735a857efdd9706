/*
 * facts.c - body in, facts out.
 *
 * Promises: as facts.h. A body that passes here was read whole and strictly;
 * nothing is guessed, rounded or given a default.
 * Does not: change a byte, or decide whether a card number may pass.
 */
#include "core/payment/facts.h"

#include "core/form/form.h"
#include "core/http/field.h"
#include "core/json/json.h"
#include "core/payment/card.h"
#include "core/payment/money.h"
#include "core/payment/profile.h"

#include "base/banned.h"

struct reader {
    const struct tg_profile *profile;
    const struct tg_operation *operation;
    const struct tg_value *root;
    struct tg_facts *facts;
    struct tg_pointer *where;
};

/* A pointer is shown to the caller and logged: one that holds a card number is not kept. */
static void where_set(struct tg_pointer *where, struct tg_span pointer)
{
    struct tg_buf out = tg_buf(where->text, sizeof where->text - 1);
    if (!tg_card_found(pointer)) {
        tg_buf_put(&out, tg_span_sub(pointer, 0, tg_span_find(pointer, 0))); /* its text ends at a NUL */
    }
    where->len = out.len;
    where->text[out.len] = '\0';
}

static void where_set_value(struct tg_pointer *where, const struct tg_value *value)
{
    uint8_t text[sizeof where->text - 1];
    struct tg_buf out = tg_buf(text, sizeof text);
    tg_value_pointer_write(&out, value);
    where_set(where, tg_buf_span(&out));
}

static enum tg_reason refuse(const struct reader *reader, enum tg_reason reason, struct tg_span pointer)
{
    where_set(reader->where, pointer);
    return reason;
}

/* A fact that is an opaque string. null and "" say nothing. */
static enum tg_reason text_read(const struct reader *reader, struct tg_span pointer, struct tg_span *ret)
{
    const struct tg_value *value = pointer.len == 0 ? NULL : tg_value_at(reader->root, pointer);
    if (value == NULL || value->kind == TG_VALUE_NULL) {
        return TG_REASON_OK;
    }
    if (value->kind != TG_VALUE_STRING) {
        return refuse(reader, TG_REASON_MEMBER_TYPE, pointer);
    }
    *ret = value->text;
    return TG_REASON_OK;
}

static bool is_upper(struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 'A' || text.ptr[i] > 'Z') {
            return false;
        }
    }
    return true;
}

static enum tg_reason currency_read(const struct reader *reader)
{
    struct tg_span pointer = reader->operation->currency;
    const struct tg_value *value = pointer.len == 0 ? NULL : tg_value_at(reader->root, pointer);
    if (value == NULL) {
        return TG_REASON_OK;
    }
    if (value->kind != TG_VALUE_STRING) {
        return refuse(reader, TG_REASON_MEMBER_TYPE, pointer);
    }
    struct tg_facts *facts = reader->facts;
    if ((!reader->profile->currency_any_case && !is_upper(value->text)) ||
        tg_currency_find(value->text, facts->currency, &facts->exponent) != TG_OK) {
        return refuse(reader, TG_REASON_CURRENCY_UNKNOWN, pointer);
    }
    return TG_REASON_OK;
}

/* Minor units are a JSON number, decimals a JSON string; in a form everything is a string. */
static bool amount_type_ok(const struct tg_operation *operation, const struct tg_value *value)
{
    bool number = operation->body == TG_BODY_JSON && operation->amount_kind == TG_AMOUNT_MINOR;
    return value->kind == (number ? TG_VALUE_NUMBER : TG_VALUE_STRING);
}

/* After currency_read. */
static enum tg_reason amount_read(const struct reader *reader)
{
    const struct tg_operation *operation = reader->operation;
    struct tg_facts *facts = reader->facts;
    if (operation->amount_kind == 0) {
        return TG_REASON_OK;
    }
    const struct tg_value *value = tg_value_at(reader->root, operation->amount);
    if (value == NULL) {
        return operation->amount_required ? refuse(reader, TG_REASON_MEMBER_MISSING, operation->amount) : TG_REASON_OK;
    }
    if (!amount_type_ok(operation, value)) {
        return refuse(reader, TG_REASON_MEMBER_TYPE, operation->amount);
    }
    if (operation->currency.len > 0 && facts->currency[0] == '\0') {
        return refuse(reader, TG_REASON_MEMBER_MISSING, operation->currency);
    }
    enum tg_err err = operation->amount_kind == TG_AMOUNT_MINOR
                          ? tg_amount_minor_parse(value->text, &facts->amount_minor)
                          : tg_amount_decimal_parse(value->text, facts->exponent, &facts->amount_minor);
    if (err != TG_OK) {
        return refuse(reader, TG_REASON_AMOUNT_MALFORMED, operation->amount);
    }
    facts->has_amount = true;
    return TG_REASON_OK;
}

/* Readers of members without case (Go, .NET), of names up to a NUL (C) and PHP, which makes '_' of '.' and ' '. */
static uint8_t loose(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return (uint8_t)(byte + ('a' - 'A'));
    }
    return byte == '.' || byte == ' ' ? '_' : byte;
}

/* True for a key that is not the name, but would be to such a reader. */
static bool is_alias(struct tg_span name, struct tg_span key)
{
    /* What such a reader sees of the key ends at a NUL; most keys are shorter or longer than the name. */
    if (key.len < name.len || (key.len > name.len && key.ptr[name.len] != 0) || tg_span_equal(name, key)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (key.ptr[i] == 0 || loose(name.ptr[i]) != loose(key.ptr[i])) {
            return false;
        }
    }
    return true;
}

/* A member that some readers would take for one on the pointer's way, or NULL. */
static const struct tg_value *alias_find(const struct tg_value *value, struct tg_span pointer)
{
    while (pointer.len > 0 && value != NULL && value->kind == TG_VALUE_OBJECT) {
        struct tg_span rest = tg_span_sub(pointer, 1, pointer.len);
        struct tg_span name = tg_span_sub(rest, 0, tg_span_find(rest, '/'));
        for (const struct tg_value *child = value->first; child != NULL; child = child->next) {
            if (is_alias(name, child->key)) {
                return child;
            }
        }
        value = tg_value_member(value, name);
        pointer = tg_span_sub(rest, name.len, rest.len);
    }
    return NULL;
}

/* What we judge and what the upstream reads must be the same member: another spelling beside it, or in its place, is
 * refused. */
static enum tg_reason aliases_check(const struct reader *reader)
{
    const struct tg_operation *operation = reader->operation;
    const struct tg_span pointers[] = {operation->amount, operation->currency, operation->payee, operation->payer,
                                       operation->instrument};
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        const struct tg_value *alias = alias_find(reader->root, pointers[i]);
        if (alias != NULL) {
            where_set_value(reader->where, alias);
            return operation->body == TG_BODY_FORM ? TG_REASON_FORM_DUPLICATE_MEMBER : TG_REASON_JSON_DUPLICATE_MEMBER;
        }
    }
    return TG_REASON_OK;
}

static enum tg_reason members_read(const struct reader *reader)
{
    const struct tg_operation *operation = reader->operation;
    enum tg_reason reason = aliases_check(reader);
    if (reason == TG_REASON_OK) {
        reason = currency_read(reader);
    }
    if (reason == TG_REASON_OK) {
        reason = amount_read(reader);
    }
    if (reason == TG_REASON_OK) {
        reason = text_read(reader, operation->payee, &reader->facts->payee);
    }
    if (reason == TG_REASON_OK) {
        reason = text_read(reader, operation->payer, &reader->facts->payer);
    }
    if (reason == TG_REASON_OK) {
        reason = text_read(reader, operation->instrument, &reader->facts->instrument);
    }
    return reason;
}

static enum tg_reason body_parse(struct reader *reader, struct tg_span body, struct tg_arena *arena)
{
    enum tg_reason reason = TG_REASON_OK;
    const struct tg_value *stopped = NULL;
    if (body.len == 0 && reader->operation->body_optional) {
        reader->root = tg_value_add(arena, NULL, TG_VALUE_OBJECT);
        return reader->root == NULL ? TG_REASON_JSON_LIMIT : TG_REASON_OK;
    }
    if (reader->operation->body == TG_BODY_FORM) {
        reason = tg_form_parse(body, arena, &reader->root, &stopped);
    } else {
        struct tg_json_place place = {0};
        reason = tg_json_parse(body, arena, &reader->root, &place);
        stopped = place.value;
    }
    if (reason != TG_REASON_OK) {
        where_set_value(reader->where, stopped);
    } else if (reader->root->kind != TG_VALUE_OBJECT) {
        reason = TG_REASON_MEMBER_TYPE; /* the pointer of the whole body is the empty one */
    }
    return reason;
}

static enum tg_reason media_type_check(const struct tg_operation *operation, struct tg_span content_type, bool empty)
{
    if (empty && operation->body_optional) {
        return TG_REASON_OK;
    }
    struct tg_span type =
        operation->body == TG_BODY_FORM ? TG_SPAN("application/x-www-form-urlencoded") : TG_SPAN("application/json");
    return tg_media_type_is(content_type, type) ? TG_REASON_OK : TG_REASON_MEDIA_TYPE;
}

enum tg_reason tg_facts_read(const struct tg_profile *profile, const struct tg_operation *operation,
                             struct tg_span content_type, struct tg_span content_encoding, struct tg_span body,
                             struct tg_arena *arena, struct tg_facts *ret, struct tg_pointer *where)
{
    *ret = (struct tg_facts){0};
    *where = (struct tg_pointer){0};
    if (content_encoding.len > 0 && !tg_span_equal_nocase(content_encoding, TG_SPAN("identity"))) {
        return TG_REASON_ENCODING;
    }
    if (operation->body == TG_BODY_NONE) {
        return body.len > 0 ? TG_REASON_BODY_UNEXPECTED : TG_REASON_OK;
    }
    enum tg_reason reason = media_type_check(operation, content_type, body.len == 0);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    struct reader reader = {profile, operation, NULL, ret, where};
    reason = body_parse(&reader, body, arena);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    reason = members_read(&reader);
    ret->card_number_in_clear = tg_card_found_in(reader.root);
    return reason;
}

size_t tg_facts_arena_size(size_t body_len)
{
    return tg_value_arena_size(body_len);
}
