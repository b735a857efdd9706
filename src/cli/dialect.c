/*
 * dialect.c - see dialect.h.
 */
#include "cli/dialect.h"

#include "cli/command.h"
#include "cli/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DIALECT_TEXT_BYTES_MAX 65536
#define DIALECT_ARENA_BYTES (1024u * 1024u) /* a parsed profile with all its operations is far below */

/* Stands for the amount while jansson writes the body: no wish can hold it, control bytes are refused in argv. */
#define AMOUNT_MARK "\x01" "amount"
#define AMOUNT_MARK_JSON "\"\\u0001amount\""

enum tg_err tg_dialect_parse(struct tg_span text, struct tg_dialect *ret, struct tg_profile_error *why)
{
    struct tg_arena arena;
    enum tg_err err;

    /* Text and arena in one block: the profile borrows from both. */
    ret->profile = NULL;
    ret->memory = calloc(1, DIALECT_ARENA_BYTES + text.len + 1);
    if (ret->memory == NULL) {
        return TG_ERR_ROOM;
    }
    memcpy(ret->memory + DIALECT_ARENA_BYTES, text.ptr, text.len);
    arena = tg_arena(ret->memory, DIALECT_ARENA_BYTES);
    err = tg_profile_parse(tg_span(ret->memory + DIALECT_ARENA_BYTES, text.len), &arena, &ret->profile, why);
    if (err != TG_OK) {
        tg_dialect_close(ret);
    }
    return err;
}

static size_t line_of(struct tg_span text, size_t offset)
{
    size_t line = 1;
    size_t i;

    for (i = 0; i < text.len && i < offset; i++) {
        line += text.ptr[i] == '\n' ? 1 : 0;
    }
    return line;
}

enum tg_err tg_dialect_open(const char *path, struct tg_dialect *ret)
{
    static uint8_t text[DIALECT_TEXT_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    struct tg_profile_error why = {.text = ""};
    enum tg_err err = tg_file_read(path, true, &buf);

    ret->profile = NULL;
    ret->memory = NULL;
    if (err != TG_OK) {
        return err;
    }
    err = tg_dialect_parse(tg_buf_span(&buf), ret, &why);
    if (err != TG_OK) {
        /* A fault of meaning has its place in the text, as a JSON Pointer; one of syntax has a line. */
        if (why.offset == 0) {
            tg_complain("%s: %s", path, why.text);
        } else {
            tg_complain("%s, line %zu: %s", path, line_of(tg_buf_span(&buf), why.offset), why.text);
        }
    }
    return err;
}

void tg_dialect_close(struct tg_dialect *dialect)
{
    free(dialect->memory);
    dialect->memory = NULL;
    dialect->profile = NULL;
}

enum tg_err tg_dialect_read_operations(const char *path, char *ret, size_t ret_size)
{
    struct tg_buf out = tg_buf(ret, ret_size);
    struct tg_dialect dialect;
    enum tg_err err = tg_dialect_open(path, &dialect);
    size_t i;

    if (err != TG_OK) {
        return err;
    }
    for (i = 0; i < dialect.profile->operation_count; i++) {
        const struct tg_operation *operation = &dialect.profile->operations[i];

        if (tg_span_equal(operation->method, TG_SPAN("GET"))) {
            tg_buf_put_string(&out, out.len == 0 ? "" : ",");
            tg_buf_put(&out, operation->name);
        }
    }
    if (out.len == 0) {
        tg_complain("%s has no operation that only reads", path);
        err = TG_ERR_ABSENT;
    }
    tg_buf_put_u8(&out, 0);
    tg_dialect_close(&dialect);
    return err == TG_OK ? tg_buf_done(&out) : err;
}

const struct tg_operation *tg_dialect_operation(const struct tg_dialect *dialect, struct tg_span name)
{
    size_t i;

    for (i = 0; i < dialect->profile->operation_count; i++) {
        if (tg_span_equal(dialect->profile->operations[i].name, name)) {
            return &dialect->profile->operations[i];
        }
    }
    return NULL;
}

enum tg_err tg_dialect_amount(const struct tg_operation *operation, int64_t amount_minor, uint8_t exponent,
                              struct tg_buf *out)
{
    int64_t scale = 1;
    int64_t digits;
    uint8_t i;

    if (operation->amount_kind != TG_AMOUNT_DECIMAL || exponent == 0) {
        tg_buf_put_decimal(out, amount_minor);
        return tg_buf_done(out);
    }
    if (amount_minor < 0 || exponent > 9) {
        return TG_ERR_INPUT;
    }
    for (i = 0; i < exponent; i++) {
        scale *= 10;
    }
    tg_buf_put_decimal(out, amount_minor / scale);
    tg_buf_put_u8(out, '.');
    digits = amount_minor % scale;
    for (scale /= 10; scale > 0; scale /= 10) {
        tg_buf_put_u8(out, (uint8_t)('0' + digits / scale % 10));
    }
    return tg_buf_done(out);
}

static bool segment_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_' || byte == '-' || byte == '.' || byte == '~';
}

enum tg_err tg_dialect_path(const struct tg_operation *operation, const char *id, struct tg_buf *out)
{
    struct tg_span rest = operation->path;

    while (rest.len > 0) {
        size_t open = tg_span_find(rest, '{');
        struct tg_span value = tg_span_string(id == NULL ? "" : id);
        size_t i;

        tg_buf_put(out, tg_span_sub(rest, 0, open));
        if (open == rest.len) {
            break;
        }
        for (i = 0; i < value.len; i++) {
            if (!segment_byte(value.ptr[i])) {
                return TG_ERR_INPUT;
            }
        }
        if (value.len == 0) {
            return TG_ERR_INPUT;
        }
        tg_buf_put(out, value);
        rest = tg_span_sub(rest, open, rest.len);
        rest = tg_span_sub(rest, tg_span_find(rest, '}') + 1, rest.len);
    }
    return tg_buf_done(out);
}

/* Puts value at an RFC 6901 pointer, making objects on the way. Takes value. */
static enum tg_err json_put(json_t *root, struct tg_span pointer, json_t *value)
{
    json_t *at = root;

    while (pointer.len > 0 && value != NULL) {
        struct tg_span rest = tg_span_sub(pointer, 1, pointer.len);
        size_t slash = tg_span_find(rest, '/');
        char name[TG_POINTER_BYTES_MAX];
        json_t *next;

        if (slash >= sizeof(name)) {
            break;
        }
        memcpy(name, rest.ptr, slash);
        name[slash] = '\0';
        if (slash == rest.len) {
            return json_object_set_new(at, name, value) == 0 ? TG_OK : TG_ERR_ROOM;
        }
        next = json_object_get(at, name);
        if (next == NULL) {
            next = json_object();
            if (json_object_set_new(at, name, next) != 0) {
                break;
            }
        }
        at = next;
        pointer = tg_span_sub(rest, slash, rest.len);
    }
    json_decref(value);
    return TG_ERR_INPUT;
}

/* "/a/b" is a[b] in a form. */
static void form_name_put(struct tg_buf *out, struct tg_span pointer)
{
    bool first = true;

    while (pointer.len > 0) {
        struct tg_span rest = tg_span_sub(pointer, 1, pointer.len);
        size_t slash = tg_span_find(rest, '/');

        tg_buf_put_string(out, first ? "" : "[");
        tg_buf_put(out, tg_span_sub(rest, 0, slash));
        tg_buf_put_string(out, first ? "" : "]");
        first = false;
        pointer = tg_span_sub(rest, slash, rest.len);
    }
}

/* application/x-www-form-urlencoded, every byte outside unreserved escaped. */
static void form_value_put(struct tg_buf *out, const char *value)
{
    struct tg_span text = tg_span_string(value);
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (segment_byte(text.ptr[i])) {
            tg_buf_put_u8(out, text.ptr[i]);
        } else {
            tg_buf_put_u8(out, '%');
            tg_buf_put_hex(out, tg_span(&text.ptr[i], 1));
        }
    }
}

struct dialect_member {
    struct tg_span pointer;
    const char *value;
};

#define DIALECT_MEMBERS 5

static void members_of(const struct tg_operation *operation, const struct tg_dialect_wish *wish,
                       struct dialect_member ret[DIALECT_MEMBERS])
{
    ret[0] = (struct dialect_member){operation->amount, wish->amount};
    ret[1] = (struct dialect_member){operation->currency, wish->currency};
    ret[2] = (struct dialect_member){operation->payee, wish->payee};
    ret[3] = (struct dialect_member){operation->payer, wish->payer};
    ret[4] = (struct dialect_member){operation->instrument, wish->instrument};
}

/* The text with the mark replaced by the amount. */
static void amount_insert(struct tg_buf *out, const char *text, const struct tg_operation *operation,
                          const struct tg_dialect_wish *wish)
{
    const char *mark = strstr(text, AMOUNT_MARK_JSON);
    bool quoted = operation->amount_kind == TG_AMOUNT_DECIMAL && !wish->amount_raw;

    if (mark == NULL) {
        tg_buf_put_string(out, text);
        return;
    }
    tg_buf_put(out, tg_span(text, (size_t)(mark - text)));
    tg_buf_put_string(out, quoted ? "\"" : "");
    tg_buf_put_string(out, wish->amount);
    tg_buf_put_string(out, quoted ? "\"" : "");
    tg_buf_put_string(out, mark + sizeof(AMOUNT_MARK_JSON) - 1);
}

static enum tg_err body_json(const struct tg_operation *operation, const struct tg_dialect_wish *wish,
                             struct tg_buf *out)
{
    struct dialect_member members[DIALECT_MEMBERS];
    json_t *root = json_object();
    enum tg_err err = TG_OK;
    char *text;
    size_t i;

    members_of(operation, wish, members);
    for (i = 0; err == TG_OK && i < DIALECT_MEMBERS; i++) {
        if (members[i].pointer.len > 0 && members[i].value != NULL) {
            err = json_put(root, members[i].pointer, json_string(i == 0 ? AMOUNT_MARK : members[i].value));
        }
    }
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (err != TG_OK || text == NULL) {
        free(text);
        return err == TG_OK ? TG_ERR_INPUT : err;
    }
    amount_insert(out, text, operation, wish);
    free(text);
    return tg_buf_done(out);
}

enum tg_err tg_dialect_body(const struct tg_operation *operation, const struct tg_dialect_wish *wish,
                            struct tg_buf *out)
{
    struct dialect_member members[DIALECT_MEMBERS];
    size_t i;

    if (operation->body == TG_BODY_NONE) {
        return TG_OK;
    }
    if (operation->body == TG_BODY_JSON) {
        return body_json(operation, wish, out);
    }
    members_of(operation, wish, members);
    for (i = 0; i < DIALECT_MEMBERS; i++) {
        if (members[i].pointer.len > 0 && members[i].value != NULL) {
            tg_buf_put_string(out, out->len == 0 ? "" : "&");
            form_name_put(out, members[i].pointer);
            tg_buf_put_string(out, "=");
            form_value_put(out, members[i].value);
        }
    }
    return tg_buf_done(out);
}
