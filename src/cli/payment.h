/*
 * payment.h - one payment call of `pay`, `tour` and `reconcile`: made from a profile, sent, and read back.
 *
 * Promises: no idempotency key is ever invented; the API key is read from its file and wiped.
 * Does not: print.
 */
#ifndef TG_CLI_PAYMENT_H
#define TG_CLI_PAYMENT_H

#include "cli/dialect.h"
#include "cli/http_client.h"

#include <jansson.h>

#define TG_PAYMENT_WAIT_MS 30000
#define TG_PAYMENT_BODY_BYTES_MAX (1024u * 1024u) /* above what a gate takes, so that 413 can be tried */

struct tg_payment {
    const char *url;              /* https://HOST:PORT */
    const char *ca;
    const char *key;              /* API key, NULL: none */
    const char *idempotency_key;  /* NULL: none */
    const struct tg_dialect *dialect;
    const struct tg_operation *operation;
    struct tg_dialect_wish wish;
    struct tg_span body;          /* given whole: used instead of the wish */
    const char *content_type;     /* NULL: as the operation's */
    const char *query;            /* "a=b", or NULL */
    bool http1;
    int wait_ms;
};

/* What an answer says, in either shape of refusal. */
struct tg_payment_told {
    char reason[TG_NAME_BYTES_MAX + 1]; /* "" for an answer of the upstream */
    int code;                           /* 0: none */
    char title[200];
    char pointer[256];
};

TG_MUST_CHECK enum tg_err tg_payment_send(const struct tg_payment *payment, struct tg_http_answer *ret);

void tg_payment_told(const struct tg_http_answer *answer, struct tg_payment_told *ret);

/* The profile of that name, or at that path when it has a slash. Complains. */
TG_MUST_CHECK enum tg_err tg_payment_dialect(const char *name, struct tg_dialect *ret);

/* 0 for 2xx, 1 refused, 3 no answer or an unknown outcome. */
int tg_payment_exit(const struct tg_http_answer *answer, const struct tg_payment_told *told);

#endif
