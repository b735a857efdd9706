/*
 * message.h - what gate and keeper say to each other: one struct a message.
 *
 * Promises: each message has one encoder and one strict decoder, in one file
 * (message.c); a decoder accepts exactly what the encoder can write. Spans in
 * a decoded message borrow from the frame's body.
 * Does not: know sockets, stores or nginx.
 */
#ifndef TG_WIRE_MESSAGE_H
#define TG_WIRE_MESSAGE_H

#include "wire/frame.h"

/* HELLO: first frame on a gate link. Answer: HELLO_ANSWER with the keeper's values. */
struct tg_hello {
    uint32_t protocol;   /* TG_FRAME_VERSION; another value closes the link */
    uint32_t pid;        /* informational */
    uint8_t boot_id[16]; /* random for each process start; names the gate worker in events */
};

/* AUTH: who is this? The key itself stays in the gate. */
struct tg_auth {
    uint8_t key_hash[TG_DIGEST_BYTES]; /* SHA-256 of the whole API key */
    uint8_t key_prefix[TG_API_KEY_PREFIX_CHARS];
    uint8_t address[16]; /* IPv6, or IPv4 mapped; in memory only, for throttling */
    bool has_certificate;
    uint8_t certificate[TG_DIGEST_BYTES]; /* SHA-256 of the client certificate's DER */
};

struct tg_auth_answer {
    uint16_t reason;        /* TG_REASON_OK, or why not (core/policy/reason.h) */
    uint16_t retry_after_s; /* 0: say nothing */
    uint32_t partner;       /* ids, valid when reason is OK */
    uint32_t credential;
    uint8_t environment; /* enum tg_environment */
};

enum tg_environment { TG_ENVIRONMENT_TEST = 1, TG_ENVIRONMENT_LIVE = 2 };
enum tg_idempotency { TG_IDEMPOTENCY_NONE = 0, TG_IDEMPOTENCY_OPTIONAL = 1, TG_IDEMPOTENCY_REQUIRED = 2 };

/* Flags of ADMIT, SETTLE and NOTE. */
#define TG_FLAG_OBSERVE 0x01u      /* decide and record, refuse nothing */
#define TG_FLAG_MONEY_MOVING 0x02u /* the operation moves money: limits and quotas apply */
#define TG_FLAG_HAS_KEY 0x04u      /* key_digest is meaningful */
#define TG_FLAG_HAS_AMOUNT 0x08u
#define TG_FLAG_HAS_PAYEE 0x10u
#define TG_FLAG_HAS_PAYER 0x20u
#define TG_FLAG_HAS_INSTRUMENT 0x40u
#define TG_FLAG_UPSTREAM_IDEMPOTENT 0x80u /* profile: an unknown may be sent again with the same key */

/* ADMIT: may this call go to the upstream? Idempotent by request_id. */
struct tg_admit {
    uint8_t flags;
    uint8_t environment;
    uint32_t partner;
    uint32_t credential;
    uint32_t wait_ms; /* the gate stops waiting after this; the keeper then refuses instead of claiming */
    uint32_t ttl_s;   /* life of the claim, from the profile */
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t key_digest[TG_DIGEST_BYTES];  /* SHA-256 of the unquoted idempotency key */
    uint8_t fingerprint[TG_DIGEST_BYTES]; /* SHA-256 of the request's bound parts; the sealer MACs it */
    uint8_t payee[TG_DIGEST_BYTES];       /* SHA-256 of the value; made a pseudonym by the sealer */
    uint8_t payer[TG_DIGEST_BYTES];
    uint8_t instrument[TG_DIGEST_BYTES];
    uint8_t address[TG_DIGEST_BYTES]; /* SHA-256 of the 16 address bytes; made a pseudonym */
    int64_t amount_minor;
    uint8_t currency[3]; /* ISO 4217 letters; zero when there is no amount, or the payment's own currency is meant */
    uint8_t exponent;
    struct tg_span route; /* each 1..TG_NAME_BYTES_MAX */
    struct tg_span profile;
    struct tg_span operation;
    struct tg_span method;
    struct tg_span path_template; /* 1..TG_TEMPLATE_BYTES_MAX */
};

enum tg_verdict { TG_VERDICT_ALLOW = 1, TG_VERDICT_REPLAY = 2, TG_VERDICT_CHALLENGE = 3, TG_VERDICT_REFUSE = 4 };

struct tg_admit_answer {
    uint8_t verdict; /* enum tg_verdict */
    uint16_t reason; /* TG_REASON_OK with ALLOW and REPLAY */
    uint16_t retry_after_s;
    uint64_t ticket;                          /* ALLOW: to be carried by SETTLE */
    uint8_t original_id[TG_REQUEST_ID_BYTES]; /* REPLAY: the request that was answered first */
    struct tg_span credential; /* ALLOW: the upstream's header value, a secret: wipe after use; may be empty */
    struct tg_span answer;     /* REPLAY: what SETTLE stored, core/http/answer.h */
};

enum tg_outcome {
    TG_OUTCOME_FINAL = 1,        /* stored, replayed */
    TG_OUTCOME_NOT_EXECUTED = 2, /* the upstream said so: claim released */
    TG_OUTCOME_UNKNOWN = 3,      /* sent, and no answer that settles it */
    TG_OUTCOME_NOT_SENT = 4      /* no byte left: claim released */
};

/* SETTLE: what became of it. Durable before its answer is written. Idempotent by request_id. */
struct tg_settle {
    uint8_t flags;
    uint8_t outcome;          /* enum tg_outcome */
    uint16_t reason;          /* why, where outcome is not FINAL; TG_REASON_OK else */
    uint16_t upstream_status; /* 0: none */
    uint16_t caller_status;
    uint32_t upstream_us;
    uint64_t ticket; /* 0: not known (ADMIT's answer did not arrive); found by request_id */
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    struct tg_span answer; /* FINAL: core/http/answer.h, at most TG_ANSWER_BYTES_MAX; else empty */
};

struct tg_settle_answer {
    uint16_t reason; /* TG_REASON_OK: durable. Else the caller must not see the answer */
};

/* NOTE: a verdict that the gate reached alone (bad request, no key). Recorded, never answered. */
struct tg_note {
    uint8_t flags;
    uint16_t reason;
    uint16_t status;
    uint32_t partner; /* 0: not authenticated */
    uint32_t credential;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    struct tg_span route;     /* may be empty */
    struct tg_span operation; /* may be empty */
};

/* Encoders append one whole frame. The caller checks tg_buf_done(out). */
void tg_hello_write(struct tg_buf *out, uint8_t type, const struct tg_hello *hello);
void tg_auth_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_auth *auth);
void tg_auth_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_auth_answer *answer);
void tg_admit_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_admit *admit);
void tg_admit_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_admit_answer *answer);
void tg_settle_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_settle *settle);
void tg_settle_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_settle_answer *answer);
void tg_note_write(struct tg_buf *out, const struct tg_note *note);
/* A frame whose body is opaque bytes (STATS, STATS_ANSWER, FLUSH, ADMIN, ADMIN_ANSWER). */
void tg_bytes_write(struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn, struct tg_span body);

/* Upper bound of the whole frame that the encoder writes, header included. */
size_t tg_admit_answer_size(const struct tg_admit_answer *answer);
size_t tg_settle_size(const struct tg_settle *settle);
#define TG_SMALL_FRAME_BYTES_MAX 2048 /* every other gate frame */

/* Decoders take a frame's body. TG_ERR_INPUT for anything the encoder would not write. */
TG_MUST_CHECK enum tg_err tg_hello_read(struct tg_span body, struct tg_hello *ret);
TG_MUST_CHECK enum tg_err tg_auth_read(struct tg_span body, struct tg_auth *ret);
TG_MUST_CHECK enum tg_err tg_auth_answer_read(struct tg_span body, struct tg_auth_answer *ret);
TG_MUST_CHECK enum tg_err tg_admit_read(struct tg_span body, struct tg_admit *ret);
TG_MUST_CHECK enum tg_err tg_admit_answer_read(struct tg_span body, struct tg_admit_answer *ret);
TG_MUST_CHECK enum tg_err tg_settle_read(struct tg_span body, struct tg_settle *ret);
TG_MUST_CHECK enum tg_err tg_settle_answer_read(struct tg_span body, struct tg_settle_answer *ret);
TG_MUST_CHECK enum tg_err tg_note_read(struct tg_span body, struct tg_note *ret);

#endif
