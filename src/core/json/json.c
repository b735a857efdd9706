/*
 * json.c - recursive descent over RFC 8259, depth bounded by TG_VALUE_DEPTH_MAX.
 *
 * Promises: as json.h; never reads past the text, never goes back.
 * Does not: call itself deeper than the limit, whatever the text.
 */
#include "core/json/json.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "base/word.h"

#include "base/banned.h"

#define SURROGATE_HIGH_FIRST 0xd800u
#define SURROGATE_LOW_FIRST 0xdc00u
#define SURROGATE_LAST 0xdfffu
#define SURROGATE_BASE 0x10000u

struct reader {
    struct tg_span text;
    size_t at;
    struct tg_arena *arena;
    struct tg_buf decoded; /* strings with escapes */
    size_t values;
    size_t depth;
    const struct tg_value *value; /* where we are, for the error's pointer */
};

static enum tg_reason value_read(struct reader *reader, struct tg_value *value);

/* The byte at the cursor; 0 at the end, which is no byte of the grammar. */
static uint8_t peek(const struct reader *reader)
{
    return reader->at < reader->text.len ? reader->text.ptr[reader->at] : 0;
}

static bool take(struct reader *reader, uint8_t byte)
{
    if (reader->at < reader->text.len && reader->text.ptr[reader->at] == byte) {
        reader->at++;
        return true;
    }
    return false;
}

static void skip_space(struct reader *reader)
{
    for (;;) {
        uint8_t byte = peek(reader);
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r') {
            return;
        }
        reader->at++;
    }
}

static struct tg_value *child_add(struct reader *reader, struct tg_value *parent)
{
    if (reader->values >= TG_VALUE_COUNT_MAX) {
        return NULL;
    }
    reader->values++;
    return tg_value_add(reader->arena, parent, TG_VALUE_NULL);
}

/* Four hexadecimal digits after "\u". */
static bool unit_read(struct reader *reader, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        int digit = reader->at < reader->text.len ? tg_hex_digit(reader->text.ptr[reader->at]) : -1;
        if (digit < 0) {
            return false;
        }
        *ret = *ret << 4 | (uint32_t)digit;
        reader->at++;
    }
    return true;
}

/* "\uXXXX", a pair of surrogates included; the cursor stands after "\u". */
static bool character_read(struct reader *reader)
{
    uint32_t high = 0;
    if (!unit_read(reader, &high)) {
        return false;
    }
    if (high < SURROGATE_HIGH_FIRST || high > SURROGATE_LAST) {
        tg_utf8_put(&reader->decoded, high);
        return true;
    }
    uint32_t low = 0;
    if (high >= SURROGATE_LOW_FIRST || !take(reader, '\\') || !take(reader, 'u') || !unit_read(reader, &low) ||
        low < SURROGATE_LOW_FIRST || low > SURROGATE_LAST) {
        return false; /* a lone surrogate is no character (RFC 8259 8.2) */
    }
    tg_utf8_put(&reader->decoded, SURROGATE_BASE + ((high - SURROGATE_HIGH_FIRST) << 10) + (low - SURROGATE_LOW_FIRST));
    return true;
}

/* One escape; the cursor stands after the backslash. */
static bool escape_read(struct reader *reader)
{
    uint8_t byte = peek(reader);
    reader->at++;
    switch (byte) {
    case '"':
    case '\\':
    case '/':
        break;
    case 'b':
        byte = '\b';
        break;
    case 'f':
        byte = '\f';
        break;
    case 'n':
        byte = '\n';
        break;
    case 'r':
        byte = '\r';
        break;
    case 't':
        byte = '\t';
        break;
    case 'u':
        return character_read(reader);
    default:
        reader->at--;
        return false;
    }
    tg_buf_put_u8(&reader->decoded, byte);
    return true;
}

/* Marks of the bytes at which plain_read() has to look: controls, '"', '\\' and what is not ASCII. */
static uint64_t marks_of(uint64_t word)
{
    return tg_word_below(word, 0x20) | tg_word_is(word, '"') | tg_word_is(word, '\\') | (word & TG_WORD_MARKS);
}

/* Advances over characters that stand for themselves. */
static enum tg_reason plain_read(struct reader *reader)
{
    while (reader->at < reader->text.len) {
        if (reader->text.len - reader->at >= TG_WORD_BYTES) {
            uint64_t marks = marks_of(tg_word(reader->text.ptr + reader->at));
            if (marks == 0) {
                reader->at += TG_WORD_BYTES;
                continue;
            }
            reader->at += tg_word_first(marks);
        }
        uint8_t byte = reader->text.ptr[reader->at];
        if (byte == '"' || byte == '\\') {
            return TG_REASON_OK;
        }
        if (byte < 0x20) {
            return TG_REASON_JSON_SYNTAX;
        }
        uint32_t character = 0;
        size_t len = byte < 0x80 ? 1 : tg_utf8_next(tg_span_sub(reader->text, reader->at, 4), &character);
        if (len == 0) {
            return TG_REASON_ENCODING;
        }
        reader->at += len;
    }
    return TG_REASON_JSON_SYNTAX;
}

/* A string with its quotes. Borrows from the text where there is no escape. */
static enum tg_reason string_read(struct reader *reader, struct tg_span *ret)
{
    if (!take(reader, '"')) {
        return TG_REASON_JSON_SYNTAX;
    }
    size_t decoded_from = reader->decoded.len;
    bool escapes = false;
    for (;;) {
        size_t from = reader->at;
        enum tg_reason reason = plain_read(reader);
        if (reason != TG_REASON_OK) {
            return reason;
        }
        struct tg_span plain = tg_span_sub(reader->text, from, reader->at - from);
        if (take(reader, '"')) {
            if (escapes) {
                tg_buf_put(&reader->decoded, plain);
                plain = tg_span(reader->decoded.ptr + decoded_from, reader->decoded.len - decoded_from);
            }
            *ret = plain;
            return plain.len > TG_JSON_STRING_BYTES_MAX || reader->decoded.over ? TG_REASON_JSON_LIMIT : TG_REASON_OK;
        }
        escapes = true;
        reader->at++;
        tg_buf_put(&reader->decoded, plain);
        if (!escape_read(reader)) {
            return TG_REASON_JSON_SYNTAX;
        }
    }
}

/* One digit or more. */
static bool digits_read(struct reader *reader)
{
    size_t from = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9') {
        reader->at++;
    }
    return reader->at > from;
}

static enum tg_reason number_read(struct reader *reader, struct tg_span *ret)
{
    size_t from = reader->at;
    (void)take(reader, '-');
    if (!take(reader, '0') && !digits_read(reader)) {
        return TG_REASON_JSON_SYNTAX;
    }
    if (take(reader, '.') && !digits_read(reader)) {
        return TG_REASON_JSON_SYNTAX;
    }
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+')) {
            (void)take(reader, '-');
        }
        if (!digits_read(reader)) {
            return TG_REASON_JSON_SYNTAX;
        }
    }
    *ret = tg_span_sub(reader->text, from, reader->at - from);
    return ret->len > TG_JSON_NUMBER_CHARS_MAX ? TG_REASON_JSON_LIMIT : TG_REASON_OK;
}

static enum tg_reason word_read(struct reader *reader, struct tg_span word)
{
    if (!tg_span_equal(tg_span_sub(reader->text, reader->at, word.len), word)) {
        return TG_REASON_JSON_SYNTAX;
    }
    reader->at += word.len;
    return TG_REASON_OK;
}

/* One "name": value of an object. */
static enum tg_reason member_read(struct reader *reader, struct tg_value *object)
{
    struct tg_span key = {0};
    enum tg_reason reason = string_read(reader, &key);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    struct tg_value *child = child_add(reader, object);
    if (child == NULL) {
        return TG_REASON_JSON_LIMIT;
    }
    reader->value = child;
    if (!tg_value_name(child, key)) {
        return TG_REASON_JSON_DUPLICATE_MEMBER;
    }
    skip_space(reader);
    if (!take(reader, ':')) {
        return TG_REASON_JSON_SYNTAX;
    }
    return value_read(reader, child);
}

static enum tg_reason element_read(struct reader *reader, struct tg_value *array)
{
    struct tg_value *child = child_add(reader, array);
    if (child == NULL) {
        return TG_REASON_JSON_LIMIT;
    }
    reader->value = child;
    return value_read(reader, child);
}

/* The inside of an array or object; the cursor stands after its opening bracket. */
static enum tg_reason children_read(struct reader *reader, struct tg_value *parent, uint8_t close)
{
    if (reader->depth >= TG_VALUE_DEPTH_MAX) {
        return TG_REASON_JSON_LIMIT;
    }
    reader->depth++;
    skip_space(reader);
    bool more = !take(reader, close);
    while (more) {
        enum tg_reason reason =
            parent->kind == TG_VALUE_OBJECT ? member_read(reader, parent) : element_read(reader, parent);
        if (reason != TG_REASON_OK) {
            return reason;
        }
        reader->value = parent;
        skip_space(reader);
        more = !take(reader, close);
        if (more) {
            if (!take(reader, ',')) {
                return TG_REASON_JSON_SYNTAX;
            }
            skip_space(reader);
        }
    }
    reader->depth--;
    return TG_REASON_OK;
}

static enum tg_reason value_read(struct reader *reader, struct tg_value *value)
{
    skip_space(reader);
    uint8_t byte = peek(reader);
    switch (byte) {
    case '{':
    case '[':
        reader->at++;
        value->kind = byte == '{' ? TG_VALUE_OBJECT : TG_VALUE_ARRAY;
        return children_read(reader, value, byte == '{' ? '}' : ']');
    case '"':
        value->kind = TG_VALUE_STRING;
        return string_read(reader, &value->text);
    case 't':
        value->kind = TG_VALUE_TRUE;
        return word_read(reader, TG_SPAN("true"));
    case 'f':
        value->kind = TG_VALUE_FALSE;
        return word_read(reader, TG_SPAN("false"));
    case 'n':
        value->kind = TG_VALUE_NULL;
        return word_read(reader, TG_SPAN("null"));
    default:
        value->kind = TG_VALUE_NUMBER;
        return number_read(reader, &value->text);
    }
}

static enum tg_reason text_read(struct reader *reader, const struct tg_value **ret)
{
    uint8_t *decoded = tg_arena_take(reader->arena, reader->text.len);
    struct tg_value *root = decoded == NULL ? NULL : child_add(reader, NULL);
    if (root == NULL) {
        return TG_REASON_JSON_LIMIT;
    }
    reader->decoded = tg_buf(decoded, reader->text.len);
    reader->value = root;
    enum tg_reason reason = value_read(reader, root);
    if (reason != TG_REASON_OK) {
        return reason;
    }
    skip_space(reader);
    if (reader->at != reader->text.len) {
        return TG_REASON_JSON_SYNTAX;
    }
    *ret = root;
    return TG_REASON_OK;
}

enum tg_reason tg_json_parse(struct tg_span text, struct tg_arena *arena, const struct tg_value **ret,
                             struct tg_json_place *place)
{
    *ret = NULL;
    struct reader reader = {.text = text, .arena = arena};
    enum tg_reason reason = text_read(&reader, ret);
    *place = (struct tg_json_place){reader.value, reader.at};
    return reason;
}
