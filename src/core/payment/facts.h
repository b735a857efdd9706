/*
 * facts.h - what a payment call says, in one struct.
 *
 * Promises: read strictly from the very bytes that are forwarded; amounts are
 * integers in minor units by the ISO 4217 exponent; spans borrow from the
 * body or the arena.
 * Does not: judge (limits, keys and grants are policy's).
 */
#ifndef TG_CORE_PAYMENT_FACTS_H
#define TG_CORE_PAYMENT_FACTS_H

#include "base/arena.h"
#include "base/span.h"
#include "core/policy/reason.h"

struct tg_profile;
struct tg_operation;

struct tg_facts {
    bool has_amount;
    int64_t amount_minor;
    char currency[4]; /* three upper-case letters and NUL; "" when none */
    uint8_t exponent;
    struct tg_span payee;      /* empty: not said */
    struct tg_span payer;
    struct tg_span instrument;
    bool card_number_in_clear; /* a string or number of the body holds a Luhn-valid 13..19 digit run */
};

/* Where in the body a refusal points: a JSON Pointer, or empty. */
struct tg_pointer {
    char text[256];
    size_t len;
};

/*
 * Reads the facts of one call.
 * content_type: the field's value as sent (empty when absent); content_encoding likewise: any but "identity" is refused.
 * TG_REASON_OK, or the refusal: MEDIA_TYPE, ENCODING, JSON_*, FORM_*, MEMBER_*, AMOUNT_MALFORMED, CURRENCY_UNKNOWN,
 * BODY_UNEXPECTED, JSON_LIMIT when the arena is full. *where is always set (empty when there is nothing to point at).
 */
enum tg_reason tg_facts_read(const struct tg_profile *profile, const struct tg_operation *operation,
                             struct tg_span content_type, struct tg_span content_encoding, struct tg_span body,
                             struct tg_arena *arena, struct tg_facts *ret, struct tg_pointer *where);

/* Arena bytes that tg_facts_read never exceeds for a body of len bytes. */
size_t tg_facts_arena_size(size_t body_len);

#endif
