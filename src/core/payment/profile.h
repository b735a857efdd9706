/*
 * profile.h - where the facts live in one API dialect, as data.
 *
 * A profile is a JSON text (schema: doc/man/tollgate-profile.5) that names the
 * operations of an API, their paths, where amount, currency, payee, payer and
 * instrument stand, how idempotency keys travel, and what each upstream
 * status means. It is parsed once, at start, into an arena, and is read-only
 * afterwards.
 *
 * Does not: hold code. A dialect's refusals are one of the shapes below.
 */
#ifndef TG_CORE_PAYMENT_PROFILE_H
#define TG_CORE_PAYMENT_PROFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "core/payment/facts.h"

#define TG_OPERATIONS_MAX 64    /* operations in one profile: the widest shipped dialect has under 20 */
#define TG_BOUND_FIELDS_MAX 8   /* request fields that the fingerprint covers */
#define TG_POINTER_BYTES_MAX 128 /* a JSON Pointer inside a profile */

enum tg_body_kind { TG_BODY_NONE = 0, TG_BODY_JSON = 1, TG_BODY_FORM = 2 };
enum tg_amount_kind {
    TG_AMOUNT_MINOR = 1, /* an integer in minor units: 1050 */
    TG_AMOUNT_DECIMAL = 2 /* a decimal string in major units: "10.50" */
};
enum tg_problem_shape { TG_PROBLEM_PLAIN = 1, TG_PROBLEM_STRIPE = 2 };
enum tg_status_meaning { TG_STATUS_FINAL = 1, TG_STATUS_NOT_EXECUTED = 2, TG_STATUS_UNKNOWN = 3 };

struct tg_operation {
    struct tg_span name;     /* "payment.create" */
    struct tg_span method;   /* "POST" */
    struct tg_span path;     /* template: "/v1/payments/{id}/capture"; {x} matches one non-empty segment */
    uint8_t body;            /* enum tg_body_kind; NONE refuses a body */
    uint8_t idempotency;     /* enum tg_idempotency of wire/message.h: 0 none, 1 optional, 2 required */
    bool money_moving;
    uint8_t amount_kind;     /* 0: the operation carries no amount */
    bool amount_required;
    struct tg_span amount;   /* JSON Pointers (RFC 6901); for forms, /a/b stands for a[b]; empty: none */
    struct tg_span currency;
    struct tg_span payee;
    struct tg_span payer;
    struct tg_span instrument;
    bool body_optional;      /* an empty body is taken as one without members, whatever its media type */
};

struct tg_profile {
    struct tg_span name;
    struct tg_span credential_field; /* request field that carries the API key: "authorization" (Bearer) or e.g. "x-api-key" */
    struct tg_span idempotency_field; /* "idempotency-key" */
    uint16_t idempotency_key_bytes_max;
    uint32_t ttl_s;
    bool upstream_idempotent;
    bool card_numbers_allowed; /* card numbers in clear may pass (profile's default; the route may say otherwise) */
    uint8_t problem_shape;     /* enum tg_problem_shape */
    struct tg_span bound_fields[TG_BOUND_FIELDS_MAX]; /* lower case */
    size_t bound_field_count;
    struct tg_span probe_operation; /* reconcile --probe: an operation without effect, and the query field */
    struct tg_span probe_query;     /* that selects by request id; both empty: cannot be probed */
    struct tg_operation operations[TG_OPERATIONS_MAX];
    size_t operation_count;
    uint8_t status_meaning[600]; /* by upstream status, 100..599: enum tg_status_meaning */
    bool currency_any_case;      /* "usd" is taken as well as "USD"; else only upper case */
};

struct tg_profile_error {
    char text[160]; /* what is wrong, for nginx -t and the CLI */
    size_t offset;  /* byte offset in the text, where known */
};

/* Parses and checks a profile. Spans in *ret live in the arena. On failure *why says what is wrong. */
TG_MUST_CHECK enum tg_err tg_profile_parse(struct tg_span text, struct tg_arena *arena,
                                           const struct tg_profile **ret, struct tg_profile_error *why);

/* Arena bytes that tg_profile_parse never exceeds for a text of len bytes. */
size_t tg_profile_arena_size(size_t text_len);

/*
 * The operation for a method and a path (no query; as the client sent it, percent-encoding untouched).
 * NULL: none; *path_known says whether another method would have matched (405 instead of 404).
 * A path with "//", "/./", "/../", "%2F", "%5C", "%00" or a byte outside visible ASCII matches nothing (tg_path_ok).
 * Where two templates fit, the one with the earlier literal segment is taken.
 */
const struct tg_operation *tg_profile_match(const struct tg_profile *profile, struct tg_span method,
                                            struct tg_span path, bool *path_known);

#endif
