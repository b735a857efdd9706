/*
 * limits.h - every limit that two rooms share, with its unit and its reason.
 *
 * Promises: one name for one limit. A limit that only one room knows stands
 * in that room.
 */
#ifndef TG_BASE_LIMITS_H
#define TG_BASE_LIMITS_H

/* Request and trace ids: 128 random bits, enough never to meet again. */
#define TG_REQUEST_ID_BYTES 16
#define TG_REQUEST_ID_CHARS 32 /* lower-case hex on the wire and in logs */

/* SHA-256 and HMAC-SHA-256 results. */
#define TG_DIGEST_BYTES 32

/* A claim key is HMAC-SHA-256 cut to 128 bits: 2^64 claims before a chance of collision matters. */
#define TG_CLAIM_KEY_BYTES 16

/* Names that an operator chooses (partner, route, profile, operation). */
#define TG_NAME_BYTES_MAX 64

/* An API key: "tgk_test_" or "tgk_live_", 52 base32 of 256 random bits, 7 base32 of CRC-32. */
#define TG_API_KEY_CHARS 68
#define TG_API_KEY_PREFIX_CHARS 17 /* "tgk_test_" and 8 characters: shown in lists, counted in throttles */

/* Longest idempotency key that any dialect allows (Stripe: 255 characters). */
#define TG_IDEMPOTENCY_KEY_BYTES_MAX 255

/* The path template of an operation, e.g. /v1/payments/{id}/capture. */
#define TG_TEMPLATE_BYTES_MAX 256

/* A request body that is inspected in memory; more is 413. */
#define TG_BODY_BYTES_MAX (256u * 1024u)

/* Answers held until SETTLE; configurable below this ceiling. */
#define TG_HOLD_BYTES_DEFAULT (64u * 1024u)
#define TG_HOLD_BYTES_MAX (1024u * 1024u)

/* A stored answer: what may be held plus its status and headers. */
#define TG_ANSWER_BYTES_MAX (TG_HOLD_BYTES_MAX + 8192u)

/* The credential that a route shows to its upstream. */
#define TG_UPSTREAM_CREDENTIAL_BYTES_MAX 1024

/* Operations that one API key may be granted by name. */
#define TG_OPERATIONS_BYTES_MAX 1024

/* Questions in flight on one gate link: one slot each, kept from ADMIT to SETTLE. */
#define TG_LINK_SLOTS 4096

#endif
