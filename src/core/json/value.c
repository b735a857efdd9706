/*
 * value.c - building, searching and naming places in a message tree.
 *
 * Promises: as value.h; searches are bounded by TG_VALUE_CHILDREN_MAX.
 * Does not: parse.
 */
#include "core/json/value.h"

#include <stdalign.h>

#include "base/utf8.h"

#include "base/banned.h"

#define ALIGN_BYTES alignof(max_align_t) /* of the arena's pieces */
#define INDEX_DIGITS_MAX 10

/* FNV-1a: cheap, and a collision only costs one comparison more. */
static uint32_t hash_of(struct tg_span key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ key.ptr[i]) * 16777619u;
    }
    return hash;
}

struct tg_value *tg_value_add(struct tg_arena *arena, struct tg_value *parent, uint8_t kind)
{
    if (parent != NULL && parent->count >= TG_VALUE_CHILDREN_MAX) {
        return NULL;
    }
    struct tg_value *value = tg_arena_take(arena, sizeof *value);
    if (value == NULL) {
        return NULL;
    }
    value->kind = kind;
    value->parent = parent;
    if (parent != NULL) {
        value->index = parent->count++;
        if (parent->last == NULL) {
            parent->first = value;
        } else {
            parent->last->next = value;
        }
        parent->last = value;
    }
    return value;
}

bool tg_value_name(struct tg_value *child, struct tg_span key)
{
    child->key = key;
    child->key_hash = hash_of(key);
    for (const struct tg_value *other = child->parent->first; other != child; other = other->next) {
        if (other->key_hash == child->key_hash && tg_span_equal(other->key, key)) {
            return false;
        }
    }
    return true;
}

struct tg_value *tg_value_member(const struct tg_value *object, struct tg_span key)
{
    if (object == NULL || object->kind != TG_VALUE_OBJECT) {
        return NULL;
    }
    uint32_t hash = hash_of(key);
    for (struct tg_value *child = object->first; child != NULL; child = child->next) {
        if (child->key_hash == hash && tg_span_equal(child->key, key)) {
            return child;
        }
    }
    return NULL;
}

bool tg_pointer_ok(struct tg_span pointer)
{
    if (pointer.len > 0 && pointer.ptr[0] != '/') {
        return false;
    }
    for (size_t i = tg_span_find(pointer, '~'); i < pointer.len;) {
        if (i + 1 == pointer.len || (pointer.ptr[i + 1] != '0' && pointer.ptr[i + 1] != '1')) {
            return false;
        }
        i += 1 + tg_span_find(tg_span_sub(pointer, i + 1, pointer.len), '~');
    }
    return tg_utf8_check(pointer) == pointer.len;
}

/* Compares a pointer's escaped token with a decoded key. */
static bool token_is(struct tg_span token, struct tg_span key)
{
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        uint8_t byte = token.ptr[i];
        if (byte == '~' && i + 1 < token.len) {
            byte = token.ptr[++i] == '1' ? '/' : '~';
        }
        if (at >= key.len || key.ptr[at] != byte) {
            return false;
        }
    }
    return at == key.len;
}

static bool index_is(struct tg_span token, uint32_t index)
{
    uint8_t text[INDEX_DIGITS_MAX];
    struct tg_buf buf = tg_buf(text, sizeof text);
    tg_buf_put_decimal(&buf, index);
    return tg_span_equal(tg_buf_span(&buf), token);
}

static struct tg_value *child_at(const struct tg_value *value, struct tg_span token)
{
    if (value->kind != TG_VALUE_OBJECT && value->kind != TG_VALUE_ARRAY) {
        return NULL;
    }
    for (struct tg_value *child = value->first; child != NULL; child = child->next) {
        bool found = value->kind == TG_VALUE_OBJECT ? token_is(token, child->key) : index_is(token, child->index);
        if (found) {
            return child;
        }
    }
    return NULL;
}

struct tg_value *tg_value_at(const struct tg_value *root, struct tg_span pointer)
{
    if (root == NULL || !tg_pointer_ok(pointer)) {
        return NULL;
    }
    struct tg_value *value = (struct tg_value *)root;
    struct tg_span rest = pointer;
    while (rest.len > 0 && value != NULL) {
        rest = tg_span_sub(rest, 1, rest.len);
        size_t len = tg_span_find(rest, '/');
        value = child_at(value, tg_span_sub(rest, 0, len));
        rest = tg_span_sub(rest, len, rest.len);
    }
    return value;
}

static void token_put(struct tg_buf *out, const struct tg_value *value)
{
    tg_buf_put_u8(out, '/');
    if (value->parent->kind == TG_VALUE_ARRAY) {
        tg_buf_put_decimal(out, value->index);
        return;
    }
    for (size_t i = 0; i < value->key.len; i++) {
        uint8_t byte = value->key.ptr[i];
        if (byte == '~' || byte == '/') {
            tg_buf_put_string(out, byte == '~' ? "~0" : "~1");
        } else {
            tg_buf_put_u8(out, byte);
        }
    }
}

void tg_value_pointer_write(struct tg_buf *out, const struct tg_value *value)
{
    const struct tg_value *chain[TG_VALUE_DEPTH_MAX + 2];
    size_t depth = 0;
    for (; value != NULL && value->parent != NULL && depth < TG_VALUE_DEPTH_MAX + 2; value = value->parent) {
        chain[depth++] = value;
    }
    while (depth > 0) {
        struct tg_buf before = *out;
        token_put(out, chain[--depth]);
        if (out->over) {
            *out = before;
            return;
        }
    }
}

const struct tg_value *tg_value_walk(const struct tg_value *root, const struct tg_value *value)
{
    if (value->first != NULL) {
        return value->first;
    }
    while (value != root && value->next == NULL) {
        value = value->parent;
    }
    return value == root ? NULL : value->next;
}

size_t tg_value_arena_size(size_t len)
{
    /* A value takes two bytes of the message or more ("1," or "[]"); only what is still open when the message breaks
     * off takes one, and that is bounded by the depth. The root comes on top. */
    size_t values = len / 2 + TG_VALUE_DEPTH_MAX + 2;
    if (values > TG_VALUE_COUNT_MAX) {
        values = TG_VALUE_COUNT_MAX;
    }
    size_t piece = (sizeof(struct tg_value) + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    /* Decoded strings share one piece of len bytes: decoding never makes a string longer. */
    return values * piece + len + 2 * ALIGN_BYTES;
}
