/*
 * answer.c - writing and reading stored answers.
 *
 * Promises: as answer.h; what cannot be read back is never written.
 * Does not: seal (the sealer does) or send.
 */
#include "core/http/answer.h"

#include "core/http/field.h"

#include "base/banned.h"

/* TG_SPAN, as a constant. */
#define NAME(literal)                                                                                                  \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STATUS_MIN 200u /* an interim answer is never stored */
#define STATUS_MAX 599u

bool tg_answer_field_kept(struct tg_span name)
{
    /* Hop-by-hop (RFC 9110 7.6.1), framing that nginx writes anew, and what belongs to the first sending only. */
    static const struct tg_span dropped[] = {
        NAME("age"),
        NAME("alt-svc"),
        NAME("connection"),
        NAME("content-length"),
        NAME("date"),
        NAME("expires"),
        NAME("keep-alive"),
        NAME("proxy-authenticate"),
        NAME("proxy-connection"),
        NAME("proxy-authorization"),
        NAME("server"),
        NAME("set-cookie"),
        NAME("set-cookie2"),
        NAME("status"),
        NAME("te"),
        NAME("trailer"),
        NAME("trailers"),
        NAME("transfer-encoding"),
        NAME("upgrade"),
        NAME("via"),
        NAME("idempotent-replayed"),
    };
    /* Words to nginx itself, and our own. */
    static const struct tg_span dropped_families[] = {NAME("x-accel-"), NAME("tollgate-"), NAME("x-tollgate-")};

    if (!tg_field_name_ok(name)) {
        return false;
    }
    for (size_t i = 0; i < COUNT(dropped); i++) {
        if (tg_span_equal_nocase(name, dropped[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < COUNT(dropped_families); i++) {
        if (tg_span_equal_nocase(tg_span_sub(name, 0, dropped_families[i].len), dropped_families[i])) {
            return false;
        }
    }
    return true;
}

static bool field_ok(const struct tg_answer_field *field)
{
    return field->name.len <= UINT16_MAX && field->value.len <= UINT16_MAX && tg_field_name_ok(field->name) &&
           tg_field_value_ok(field->value);
}

enum tg_err tg_answer_write(struct tg_buf *out, const struct tg_answer *answer)
{
    if (answer->status < STATUS_MIN || answer->status > STATUS_MAX) {
        return TG_ERR_INPUT;
    }
    if (answer->field_count > TG_ANSWER_FIELDS_MAX) {
        return TG_ERR_LIMIT;
    }
    tg_buf_put_u16(out, answer->status);
    tg_buf_put_u16(out, (uint16_t)answer->field_count);
    for (size_t i = 0; i < answer->field_count; i++) {
        /* White space that an upstream left at the ends means nothing (RFC 9110 5.5) and must not make a payment
         * unknown. */
        struct tg_answer_field field = {answer->fields[i].name, tg_span_trim(answer->fields[i].value)};
        if (!field_ok(&field)) {
            return TG_ERR_INPUT;
        }
        tg_buf_put_u16(out, (uint16_t)field.name.len);
        tg_buf_put_u16(out, (uint16_t)field.value.len);
        tg_buf_put(out, field.name);
        tg_buf_put(out, field.value);
    }
    tg_buf_put(out, answer->body);
    return tg_buf_done(out);
}

enum tg_err tg_answer_read(struct tg_span stored, struct tg_answer *ret)
{
    *ret = (struct tg_answer){0};
    struct tg_cursor cursor = tg_cursor(stored);
    uint16_t status = tg_cursor_u16(&cursor);
    uint16_t count = tg_cursor_u16(&cursor);
    if (cursor.bad || status < STATUS_MIN || status > STATUS_MAX || count > TG_ANSWER_FIELDS_MAX) {
        return TG_ERR_INPUT;
    }
    for (size_t i = 0; i < count; i++) {
        size_t name_len = tg_cursor_u16(&cursor);
        size_t value_len = tg_cursor_u16(&cursor);
        struct tg_answer_field *field = &ret->fields[i];
        field->name = tg_cursor_span(&cursor, name_len);
        field->value = tg_cursor_span(&cursor, value_len);
        if (cursor.bad || !field_ok(field)) {
            *ret = (struct tg_answer){0};
            return TG_ERR_INPUT;
        }
    }
    ret->status = status;
    ret->field_count = count;
    ret->body = cursor.rest;
    return TG_OK;
}
