/*
 * value.h - a parsed message as a tree, whether it came as JSON or as a form.
 *
 * Promises: strings and names are decoded, valid UTF-8; numbers keep their
 * exact text; spans borrow from the message or its arena; an object has no
 * name twice.
 * Does not: convert numbers or own memory.
 */
#ifndef TG_CORE_JSON_VALUE_H
#define TG_CORE_JSON_VALUE_H

#include "base/arena.h"
#include "base/buf.h"

enum tg_value_kind {
    TG_VALUE_NULL = 0,
    TG_VALUE_FALSE = 1,
    TG_VALUE_TRUE = 2,
    TG_VALUE_NUMBER = 3,
    TG_VALUE_STRING = 4, /* every leaf of a form is one */
    TG_VALUE_ARRAY = 5,
    TG_VALUE_OBJECT = 6
};

struct tg_value {
    struct tg_value *parent; /* NULL: the root */
    struct tg_value *first;  /* children of an array or object, in order */
    struct tg_value *last;
    struct tg_value *next; /* the next child of the same parent */
    struct tg_span key;    /* name in the parent object, decoded */
    struct tg_span text;   /* string: decoded; number: as written */
    uint32_t key_hash;     /* finds names fast; no secret, no promise */
    uint32_t index;        /* position among the parent's children */
    uint32_t count;        /* children */
    uint8_t kind;          /* enum tg_value_kind */
};

/* Limits that every message has; one for JSON and forms, so that both cost the same at most. */
#define TG_VALUE_DEPTH_MAX 32      /* real payment bodies nest under 10 */
#define TG_VALUE_COUNT_MAX 8192    /* values in one message: bounds the tree to well under a megabyte */
#define TG_VALUE_CHILDREN_MAX 1024 /* children of one object or array: bounds the search for duplicates */

/* A new child at the end of parent (NULL: a root). NULL when the arena or the parent's children are full. */
struct tg_value *tg_value_add(struct tg_arena *arena, struct tg_value *parent, uint8_t kind);

/* Names a child of an object. False when the object has that name already. */
bool tg_value_name(struct tg_value *child, struct tg_span key);

/* The member of an object, or NULL; NULL for what is no object. */
struct tg_value *tg_value_member(const struct tg_value *object, struct tg_span key);

/* The value that a JSON Pointer (RFC 6901) names, or NULL. Array elements by index without leading zeroes. */
struct tg_value *tg_value_at(const struct tg_value *root, struct tg_span pointer);

/* True for "" and for "/" followed by tokens in which '~' is followed by 0 or 1, all in UTF-8. */
bool tg_pointer_ok(struct tg_span pointer);

/* Appends the value's JSON Pointer. What does not fit is left out from the first token on that does not. */
void tg_value_pointer_write(struct tg_buf *out, const struct tg_value *value);

/* The next value in reading order below root, value itself's children first; NULL at the end. */
const struct tg_value *tg_value_walk(const struct tg_value *root, const struct tg_value *value);

/* Arena bytes that a tree over a message of len bytes never exceeds, decoded strings included. */
size_t tg_value_arena_size(size_t len);

#endif
