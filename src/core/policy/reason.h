/*
 * reason.h - every reason that Tollgate can give, in one table.
 *
 * Promises: a reason's number and name never change once released. Each has
 * the status a caller sees, a title that tells an attacker nothing, a longer
 * explanation for operators (`tollgate explain`), and what a client may do.
 * Does not: decide anything.
 */
#ifndef TG_CORE_POLICY_REASON_H
#define TG_CORE_POLICY_REASON_H

#include "base/span.h"

enum tg_reason {
    TG_REASON_OK = 0,
    /* who calls: 100.. */
    TG_REASON_CREDENTIAL_MISSING = 100,       /* 401 */
    TG_REASON_CREDENTIAL_MALFORMED = 101,     /* 401: prefix or checksum */
    TG_REASON_CREDENTIAL_UNKNOWN = 102,       /* 401: not known, revoked or expired; the caller cannot tell which */
    TG_REASON_CERTIFICATE_MISMATCH = 103,     /* 401 */
    TG_REASON_AUTHENTICATION_THROTTLED = 104, /* 429 */
    TG_REASON_RATE_LIMITED = 105,             /* 429: nginx's limit_req or limit_conn, before any of our checks */
    /* what they may do: 120.. */
    TG_REASON_OPERATION_UNKNOWN = 120,    /* 404: no operation of the profile has this method and path */
    TG_REASON_OPERATION_FORBIDDEN = 121,  /* 403: not among the key's operations */
    TG_REASON_AMOUNT_OVER_LIMIT = 122,    /* 403: one payment's limit */
    TG_REASON_QUOTA_EXCEEDED = 123,       /* 403: the day's limit */
    TG_REASON_CURRENCY_NOT_ALLOWED = 124, /* 403: the partner has limits, none for this currency */
    TG_REASON_CARD_NUMBER_IN_CLEAR = 125, /* 400 */
    TG_REASON_METHOD_NOT_ALLOWED = 126,   /* 405: the path is known, the method is not */
    /* the message: 138.. */
    TG_REASON_QUERY_MALFORMED = 138,       /* 400: a byte that no query has */
    TG_REASON_QUERY_UNEXPECTED = 139,      /* 400: a query where the operation has none */
    TG_REASON_REQUEST_FRAMING = 140,       /* 400: RFC 9112 6.3, repeated CL or Host, TE with CL, obs-fold */
    TG_REASON_FIELD_MALFORMED = 141,       /* 400: a field name or value outside RFC 9110 5.5, 5.6.2 */
    TG_REASON_TRANSFER_CODING = 142,       /* 501: RFC 9112 6.1 */
    TG_REASON_BODY_TOO_LARGE = 143,        /* 413 */
    TG_REASON_MEDIA_TYPE = 144,            /* 415 */
    TG_REASON_HEADERS_TOO_LARGE = 145,     /* 431 */
    TG_REASON_JSON_SYNTAX = 146,           /* 400 */
    TG_REASON_JSON_DUPLICATE_MEMBER = 147, /* 400 */
    TG_REASON_JSON_LIMIT = 148,            /* 400: depth, members, string length */
    TG_REASON_FORM_SYNTAX = 149,           /* 400 */
    TG_REASON_FORM_DUPLICATE_MEMBER = 150, /* 400 */
    TG_REASON_MEMBER_MISSING = 151,        /* 400: a fact that the operation needs */
    TG_REASON_MEMBER_TYPE = 152,           /* 400 */
    TG_REASON_AMOUNT_MALFORMED = 153,      /* 400: 1e2, -0, 1.005, overflow */
    TG_REASON_CURRENCY_UNKNOWN = 154,      /* 400: not in ISO 4217 */
    TG_REASON_ENCODING = 155,              /* 400: not UTF-8, or a content coding */
    TG_REASON_BODY_UNEXPECTED = 156,       /* 400: a body where the operation has none */
    TG_REASON_REQUEST_REFUSED = 157,       /* 400: nginx refused it before any of our checks */
    TG_REASON_EXPECTATION = 158,           /* 417: Expect other than 100-continue */
    TG_REASON_UPGRADE = 159,               /* 400: Upgrade on a gated route */
    /* retries: 160.. */
    TG_REASON_KEY_MISSING = 160,         /* 400: IETF idempotency-key draft 2.7 */
    TG_REASON_KEY_MALFORMED = 161,       /* 400 */
    TG_REASON_KEY_REUSED = 162,          /* 422: same key, other request */
    TG_REASON_KEY_IN_FLIGHT = 163,       /* 409, Retry-After */
    TG_REASON_KEY_OUTCOME_UNKNOWN = 164, /* 409: the first try's outcome is not known; do not send again */
    TG_REASON_KEY_ANSWER_ABSENT = 165,   /* 409: executed, but no answer is kept */
    /* the other side: 180.. */
    TG_REASON_UPSTREAM_UNREACHABLE = 180,    /* 502: nothing was sent */
    TG_REASON_OUTCOME_UNKNOWN_CUT = 181,     /* 502 outcome_unknown */
    TG_REASON_OUTCOME_UNKNOWN_TIMEOUT = 182, /* 504 outcome_unknown */
    TG_REASON_OUTCOME_UNKNOWN_KEEPER = 183,  /* 503 outcome_unknown: the answer came, the record did not */
    TG_REASON_OUTCOME_UNKNOWN_ANSWER = 184,  /* 502 outcome_unknown: 1xx, close-delimited, over the hold limit */
    TG_REASON_OUTCOME_UNKNOWN_STATUS = 185,  /* a 5xx passed on; recorded as unknown */
    /* ourselves: 200.. */
    TG_REASON_KEEPER_UNAVAILABLE = 200,     /* 503 */
    TG_REASON_KEEPER_TIMEOUT = 201,         /* 503 */
    TG_REASON_KEEPER_BUSY = 202,            /* 503, Retry-After */
    TG_REASON_SEALER_UNAVAILABLE = 203,     /* 503 */
    TG_REASON_STORE_UNAVAILABLE = 204,      /* 503 */
    TG_REASON_SLOTS_EXHAUSTED = 205,        /* 503: no slot left on the link */
    TG_REASON_INTERNAL = 206,               /* 503: a broken promise of our own */
    TG_REASON_ROUTE_CREDENTIAL_ABSENT = 207 /* 503: the route has no upstream credential */
};

enum tg_retry { TG_RETRY_NEVER = 0, TG_RETRY_SAFE = 1, TG_RETRY_SAME_KEY = 2 };

struct tg_reason_entry {
    uint16_t code;
    uint16_t status;         /* what the caller sees; 0: the upstream's */
    uint8_t retry;           /* enum tg_retry */
    const char *name;        /* "key_reused": the stable word, in problem type URIs and logs */
    const char *title;       /* for the caller */
    const char *explanation; /* for the operator: cause, and what to do */
};

/* The entry of a code, never NULL: an unknown code gives TG_REASON_INTERNAL's. */
const struct tg_reason_entry *tg_reason_entry(uint16_t code);

/* By name ("key_reused") or number ("162"); NULL when there is none. */
const struct tg_reason_entry *tg_reason_find(struct tg_span name);

/* All entries in ascending order of code. */
const struct tg_reason_entry *tg_reason_all(size_t *count);

/* outcome_unknown: the three codes 181..184 share this name in problem types. */

#endif
