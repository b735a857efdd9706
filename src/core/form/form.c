/*
 * form.c - pairs, percent decoding and brackets.
 *
 * Promises: as form.h; each byte is looked at a bounded number of times.
 * Does not: take uploads (multipart) or guess encodings.
 */
#include "core/form/form.h"

#include "base/hex.h"
#include "base/utf8.h"

#include "base/banned.h"

struct reader {
    struct tg_arena *arena;
    struct tg_buf decoded;
    struct tg_value *root;
    const struct tg_value *where;
    size_t values;
};

/* Decodes one name or value: '+' is a space, %XX a byte. */
static enum tg_reason decode(struct reader *reader, struct tg_span text, struct tg_span *ret)
{
    size_t from = reader->decoded.len;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == '%') {
            int high = text.len - i > 2 ? tg_hex_digit(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? tg_hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return TG_REASON_FORM_SYNTAX;
            }
            byte = (uint8_t)(high << 4 | low);
            i += 2;
            if (byte == 0) {
                return TG_REASON_FORM_SYNTAX; /* ends the text for some readers */
            }
        } else if (byte <= 0x20 || byte >= 0x7f || byte == ';') {
            return TG_REASON_FORM_SYNTAX;
        } else if (byte == '+') {
            byte = ' ';
        }
        tg_buf_put_u8(&reader->decoded, byte);
    }
    if (reader->decoded.over) {
        return TG_REASON_JSON_LIMIT;
    }
    *ret = tg_span(reader->decoded.ptr + from, reader->decoded.len - from);
    return tg_utf8_check(*ret) == ret->len ? TG_REASON_OK : TG_REASON_ENCODING;
}

/* The part of a name before its first bracket. Some readers cut or change spaces and controls there. */
static bool head_ok(struct tg_span head)
{
    for (size_t i = 0; i < head.len; i++) {
        if (head.ptr[i] <= 0x20 || head.ptr[i] == 0x7f || head.ptr[i] == ']') {
            return false;
        }
    }
    return head.len > 0;
}

/* Takes "[token]" from the front of *rest. */
static bool bracket_take(struct tg_span *rest, struct tg_span *token)
{
    if (rest->len == 0 || rest->ptr[0] != '[') {
        return false;
    }
    struct tg_span inner = tg_span_sub(*rest, 1, rest->len);
    size_t end = tg_span_find(inner, ']');
    *token = tg_span_sub(inner, 0, end);
    if (end == inner.len || tg_span_find(*token, '[') < token->len) {
        return false;
    }
    for (size_t i = 0; i < token->len; i++) {
        if (token->ptr[i] < 0x20) {
            return false;
        }
    }
    *rest = tg_span_sub(inner, end + 1, inner.len);
    return true;
}

static enum tg_reason child_add(struct reader *reader, struct tg_value *parent, struct tg_span key, uint8_t kind,
                                struct tg_value **ret)
{
    struct tg_value *child = reader->values < TG_VALUE_COUNT_MAX ? tg_value_add(reader->arena, parent, kind) : NULL;
    if (child == NULL) {
        return TG_REASON_JSON_LIMIT;
    }
    reader->values++;
    reader->where = child;
    *ret = child;
    if (parent->kind == TG_VALUE_OBJECT && !tg_value_name(child, key)) {
        return TG_REASON_FORM_DUPLICATE_MEMBER;
    }
    return TG_REASON_OK;
}

/* Goes into the group of that name and kind, making it where it is new. */
static enum tg_reason group_enter(struct reader *reader, struct tg_value **at, struct tg_span key, uint8_t kind)
{
    struct tg_value *child = tg_value_member(*at, key);
    if (child == NULL) {
        return child_add(reader, *at, key, kind, at);
    }
    reader->where = child;
    *at = child;
    return child->kind == kind ? TG_REASON_OK : TG_REASON_FORM_DUPLICATE_MEMBER;
}

/* Makes the leaf that a decoded name stands for. */
static enum tg_reason leaf_make(struct reader *reader, struct tg_span name, struct tg_value **ret)
{
    size_t head_len = tg_span_find(name, '[');
    struct tg_span key = tg_span_sub(name, 0, head_len);
    struct tg_span rest = tg_span_sub(name, head_len, name.len);
    if (!head_ok(key)) {
        return TG_REASON_FORM_SYNTAX;
    }
    struct tg_value *at = reader->root;
    for (size_t depth = 1; rest.len > 0; depth++) {
        struct tg_span token = {0};
        if (!bracket_take(&rest, &token) || (token.len == 0 && rest.len > 0)) {
            return TG_REASON_FORM_SYNTAX;
        }
        if (depth >= TG_VALUE_DEPTH_MAX) {
            return TG_REASON_JSON_LIMIT;
        }
        uint8_t kind = token.len == 0 ? TG_VALUE_ARRAY : TG_VALUE_OBJECT;
        enum tg_reason reason = group_enter(reader, &at, key, kind);
        if (reason != TG_REASON_OK) {
            return reason;
        }
        key = token;
    }
    return child_add(reader, at, key, TG_VALUE_STRING, ret);
}

static enum tg_reason pair_read(struct reader *reader, struct tg_span pair)
{
    reader->where = NULL;
    size_t equals = tg_span_find(pair, '=');
    if (equals == pair.len) {
        return TG_REASON_FORM_SYNTAX;
    }
    struct tg_span name = {0};
    enum tg_reason reason = decode(reader, tg_span_sub(pair, 0, equals), &name);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    struct tg_value *leaf = NULL;
    reason = leaf_make(reader, name, &leaf);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    return decode(reader, tg_span_sub(pair, equals + 1, pair.len), &leaf->text);
}

enum tg_reason tg_form_parse(struct tg_span text, struct tg_arena *arena, const struct tg_value **ret,
                             const struct tg_value **where)
{
    *ret = NULL;
    *where = NULL;
    uint8_t *decoded = tg_arena_take(arena, text.len);
    struct tg_value *root = decoded == NULL ? NULL : tg_value_add(arena, NULL, TG_VALUE_OBJECT);
    if (root == NULL) {
        return TG_REASON_JSON_LIMIT;
    }
    struct reader reader = {.arena = arena, .decoded = tg_buf(decoded, text.len), .root = root, .values = 1};
    struct tg_span rest = text;
    bool more = text.len > 0;
    while (more) {
        size_t len = tg_span_find(rest, '&');
        enum tg_reason reason = pair_read(&reader, tg_span_sub(rest, 0, len));
        if (reason != TG_REASON_OK) {
            *where = reader.where;
            return reason;
        }
        more = len < rest.len;
        rest = tg_span_sub(rest, len + 1, rest.len);
    }
    *ret = root;
    return TG_REASON_OK;
}
