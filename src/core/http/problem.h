/*
 * problem.h - refusals as callers see them: RFC 9457 problem details, or a dialect's own shape with the same members.
 *
 * Promises: says the reason's name and title, the request id, and for a bad
 * message the JSON Pointer; never a value that the caller sent, never which
 * of several secret-dependent checks failed.
 */
#ifndef TG_CORE_HTTP_PROBLEM_H
#define TG_CORE_HTTP_PROBLEM_H

#include "base/buf.h"
#include "core/policy/reason.h"

#define TG_PROBLEM_BYTES_MAX 1024

struct tg_problem {
    uint16_t reason;
    uint8_t shape;           /* enum tg_problem_shape */
    struct tg_span request_id; /* 32 hex characters */
    struct tg_span pointer;  /* JSON Pointer, may be empty; escaped here */
};

/* "application/problem+json", or "application/json" where the dialect's client insists on it. */
struct tg_span tg_problem_content_type(uint8_t shape);

/*
 * The status that goes with a reason: the table's, but for a dialect whose client knows the refusal by another one
 * (stripe-node raises its idempotency error only for 400). 0: the upstream's own.
 */
uint16_t tg_problem_status(uint8_t shape, uint16_t reason);

/* Writes the body; type is "urn:tollgate:reason:NAME" (outcome_unknown for 181..184). */
TG_MUST_CHECK enum tg_err tg_problem_write(struct tg_buf *out, const struct tg_problem *problem);

/* Stripe's stripe-should-retry value for a reason: "true", "false" or empty where nothing is to be said. */
struct tg_span tg_problem_should_retry(uint8_t shape, uint16_t reason);

#endif
