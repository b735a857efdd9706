/*
 * form.c - the decoder behind form.h.
 *
 * Promises: see form.h.
 */
#include "form.h"

#include "base/hex.h"

static enum tg_err decode(struct tg_span text, struct tg_arena *arena, struct tg_span *ret)
{
    uint8_t *out = tg_arena_take(arena, text.len + 1); /* one more: never NULL for an empty value */
    if (out == NULL) {
        return TG_ERR_ROOM;
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? tg_hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? tg_hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return TG_ERR_INPUT;
            }
            byte = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (byte == 0) {
            return TG_ERR_INPUT;
        }
        out[len++] = byte;
    }
    *ret = tg_span(out, len);
    return TG_OK;
}

static bool may_repeat(struct tg_span name)
{
    return name.len > 2 && tg_span_equal(tg_span_sub(name, name.len - 2, 2), TG_SPAN("[]"));
}

enum tg_err tg_form_read(struct tg_span text, struct tg_arena *arena, struct tg_form *ret)
{
    ret->count = 0;
    while (text.len > 0) {
        size_t end = tg_span_find(text, '&');
        struct tg_span pair = tg_span_sub(text, 0, end);
        text = tg_span_sub(text, end + 1, text.len);
        if (ret->count == TG_FORM_PAIRS_MAX) {
            return TG_ERR_LIMIT;
        }
        size_t equals = tg_span_find(pair, '=');
        struct tg_span name, value;
        enum tg_err err = decode(tg_span_sub(pair, 0, equals), arena, &name);
        if (err == TG_OK) {
            err = decode(tg_span_sub(pair, equals + 1, pair.len), arena, &value);
        }
        if (err != TG_OK) {
            return err;
        }
        if (name.len == 0 || (!may_repeat(name) && tg_form_value(ret, name).ptr != NULL)) {
            return TG_ERR_INPUT;
        }
        ret->names[ret->count] = name;
        ret->values[ret->count++] = value;
    }
    return TG_OK;
}

struct tg_span tg_form_value(const struct tg_form *form, struct tg_span name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (tg_span_equal(form->names[i], name)) {
            return form->values[i];
        }
    }
    return tg_span(NULL, 0);
}

bool tg_form_member(const struct tg_form *form, size_t i, struct tg_span prefix, struct tg_span *key)
{
    struct tg_span name = form->names[i];
    if (!tg_span_starts(name, prefix) || name.len < prefix.len + 3 || name.ptr[prefix.len] != '[' ||
        name.ptr[name.len - 1] != ']') {
        return false;
    }
    *key = tg_span_sub(name, prefix.len + 1, name.len - prefix.len - 2);
    return tg_span_find(*key, '[') == key->len && tg_span_find(*key, ']') == key->len;
}

enum tg_err tg_form_number(struct tg_span text, int64_t max, int64_t *ret)
{
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0')) {
        return TG_ERR_INPUT;
    }
    int64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return TG_ERR_INPUT;
        }
        int64_t digit = text.ptr[i] - '0';
        if (digit > max || number > (max - digit) / 10) { /* below zero, the division would round up */
            return TG_ERR_LIMIT;
        }
        number = number * 10 + digit;
    }
    *ret = number;
    return TG_OK;
}
