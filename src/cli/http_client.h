/*
 * http_client.h - one HTTPS call to a gate, made and looked at.
 *
 * Promises: one connection, one request, never a retry, a redirect or a proxy;
 * TLS 1.2 or newer against the given CA only; the answer's body is bounded.
 * Says whether the request may have been sent when no answer came.
 * Does not: know payments.
 */
#ifndef TG_CLI_HTTP_CLIENT_H
#define TG_CLI_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"

#define TG_HTTP_ERROR_CHARS 256
#define TG_HTTP_TEXT_CHARS 64

struct tg_http_call {
    const char *method;
    const char *url;
    const char *ca;              /* PEM file */
    const char *key;             /* API key, or NULL: none is sent */
    struct tg_span key_field;    /* "authorization": sent as Bearer; another field: bare */
    const char *idempotency_key; /* or NULL: none is sent */
    struct tg_span idempotency_field;
    const char *content_type;    /* NULL: no body */
    struct tg_span body;
    bool http1;
    int wait_ms;
};

struct tg_http_answer {
    int status;                  /* 0: no answer */
    bool maybe_sent;             /* no answer, but the request may have left */
    int64_t latency_us;
    bool replayed;
    int retry_after_s;           /* 0: not said */
    char request_id[TG_HTTP_TEXT_CHARS];
    char original_id[TG_HTTP_TEXT_CHARS];
    char content_type[TG_HTTP_TEXT_CHARS];
    char error[TG_HTTP_ERROR_CHARS]; /* why there is no answer */
    struct tg_buf body;          /* memory of this struct */
};

/* Process-wide, before the first call and before threads. */
TG_MUST_CHECK enum tg_err tg_http_start(void);
void tg_http_stop(void);

/* TG_OK: *ret is filled, also when no answer came. Else nothing was done (complained). Free with tg_http_answer_free. */
TG_MUST_CHECK enum tg_err tg_http_send(const struct tg_http_call *call, struct tg_http_answer *ret);
void tg_http_answer_free(struct tg_http_answer *answer);

/* One field line of an answer, as "Name: value\r\n"; unknown names are passed over. */
void tg_http_field_take(struct tg_http_answer *answer, struct tg_span line);

#endif
