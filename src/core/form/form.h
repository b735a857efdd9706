/*
 * form.h - a strict reader of application/x-www-form-urlencoded with brackets into a tree.
 *
 * a=1 is a member; a[b][c]=1 is a member of a group of a group; a[]=1 adds to
 * a list; a[0]=1 is a member named "0". Brackets may be percent-encoded in
 * names, as official clients do either.
 *
 * Promises: refuses what readers disagree on: a name twice, a name that is
 * both a value and a group, a[] next to a[0], a group inside a list without an
 * index (a[][b]), raw ';' (a separator to some), a pair without '=', broken
 * percent escapes, NUL, and bytes that are not UTF-8.
 * Does not: know types; every leaf is a string.
 */
#ifndef TG_CORE_FORM_FORM_H
#define TG_CORE_FORM_FORM_H

#include "core/json/value.h"
#include "core/policy/reason.h"

/*
 * TG_REASON_OK and the root object (empty for an empty body); else FORM_SYNTAX, FORM_DUPLICATE_MEMBER, ENCODING, or
 * JSON_LIMIT (depth, members; arena full). An arena with tg_value_arena_size(text.len) bytes free is always enough.
 * *where: the member that was read, or NULL.
 */
enum tg_reason tg_form_parse(struct tg_span text, struct tg_arena *arena, const struct tg_value **ret,
                             const struct tg_value **where);

#endif
