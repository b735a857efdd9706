/*
 * json.h - a strict reader of JSON (RFC 8259) into a tree.
 *
 * Promises: takes exactly the grammar, one value and white space around it,
 * in UTF-8 without a byte order mark. Refuses what readers disagree on: a
 * member named twice (compared after unescaping), a lone surrogate, bytes that
 * are not UTF-8. Numbers keep their exact text. Time and memory are bounded
 * by the limits below and in value.h.
 * Does not: convert numbers, normalise text, or repair anything.
 */
#ifndef TG_CORE_JSON_JSON_H
#define TG_CORE_JSON_JSON_H

#include "core/json/value.h"
#include "core/policy/reason.h"

#define TG_JSON_STRING_BYTES_MAX (128u * 1024u) /* an encrypted block or a document in base 64 fits */
#define TG_JSON_NUMBER_CHARS_MAX 128            /* far beyond what a double or a 128-bit integer needs */

/* Where the reader stopped. */
struct tg_json_place {
    const struct tg_value *value; /* the value it was at, or NULL; its pointer names the place */
    size_t offset;                /* byte offset in the text */
};

/*
 * TG_REASON_OK and the root; else JSON_SYNTAX, JSON_DUPLICATE_MEMBER, JSON_LIMIT (arena full included) or ENCODING.
 * An arena with tg_value_arena_size(text.len) bytes free is always enough. *place is always set.
 */
enum tg_reason tg_json_parse(struct tg_span text, struct tg_arena *arena, const struct tg_value **ret,
                             struct tg_json_place *place);

#endif
