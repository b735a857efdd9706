/*
 * form.h - application/x-www-form-urlencoded with brackets, as Stripe's clients send it.
 *
 * Promises: pairs in order, names and values percent-decoded into the caller's
 * arena; a broken %-escape, a NUL or a repeated name is TG_ERR_INPUT. Names keep
 * their brackets: metadata[order] is looked up as it is written.
 * Serves query strings too.
 */
#ifndef REFPAY_FORM_H
#define REFPAY_FORM_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

#define TG_FORM_PAIRS_MAX 128 /* Stripe allows 50 metadata keys; the rest is the call's own */

struct tg_form {
    struct tg_span names[TG_FORM_PAIRS_MAX];
    struct tg_span values[TG_FORM_PAIRS_MAX];
    size_t count;
};

/* Names that end in [] may be repeated. An arena of text.len bytes and some always has room. */
TG_MUST_CHECK enum tg_err tg_form_read(struct tg_span text, struct tg_arena *arena, struct tg_form *ret);

/* The value of a name; ptr is NULL when it is absent. */
struct tg_span tg_form_value(const struct tg_form *form, struct tg_span name);

/* For prefix "metadata": true when pair i is metadata[key], and key is then the part in the brackets. */
bool tg_form_member(const struct tg_form *form, size_t i, struct tg_span prefix, struct tg_span *key);

/* A non-negative decimal number without sign, space or leading zeros, at most max. */
TG_MUST_CHECK enum tg_err tg_form_number(struct tg_span text, int64_t max, int64_t *ret);

#endif
