/*
 * webhook.h - tells a receiver on loopback what happened to payments.
 *
 * Promises: each event is a POST of JSON, signed as Standard Webhooks says:
 * webhook-id, webhook-timestamp, webhook-signature "v1,BASE64(HMAC-SHA-256 over id.timestamp.body)".
 * The secret is random, made once, kept as "whsec_BASE64" in a 0600 file beside the
 * ledger. In order, one at a time; the queue and the tries are bounded, with
 * back-off; what does not fit or never arrives is counted.
 * Does not: survive a restart (the queue is memory), call anything but loopback.
 */
#ifndef REFPAY_WEBHOOK_H
#define REFPAY_WEBHOOK_H

#include <jansson.h>
#include <uv.h>

#include "crypto/crypto.h"
#include "payments.h"

#define TG_WEBHOOK_QUEUE_MAX 1024
#define TG_WEBHOOK_TRIES_MAX 5
#define TG_WEBHOOK_BACKOFF_MS 100  /* doubled after each try */
#define TG_WEBHOOK_TIMEOUT_MS 2000 /* for one try */
#define TG_WEBHOOK_PATH_BYTES_MAX 256
#define TG_WEBHOOK_SECRET_BYTES 32

struct tg_webhook_try;

struct tg_webhook {
    uv_loop_t *loop;
    struct sockaddr_storage address;
    char host[64];
    char path[TG_WEBHOOK_PATH_BYTES_MAX + 1];
    struct tg_secret secret;
    uv_timer_t timer;                  /* back-off between tries */
    struct tg_webhook_try *open;       /* the try under way, or NULL */
    char *queue[TG_WEBHOOK_QUEUE_MAX]; /* a ring of bodies */
    size_t first, count;
    uint64_t number; /* of the first event in the queue */
    char tag[9];     /* of this run: ids do not repeat after a restart */
    int tries;
    bool stopped;
    int64_t delivered, failed, dropped;
};

/* url: http://127.0.0.1:PORT/path or http://[::1]:PORT/path. TG_ERR_INPUT: any other. */
TG_MUST_CHECK enum tg_err tg_webhook_open(struct tg_webhook *ret, uv_loop_t *loop, const char *url,
                                          const char *secret_path);
void tg_webhook_close(struct tg_webhook *webhook);

/* Queues an event; a tg_payments_event. */
void tg_webhook_tell(void *webhook, const char *name, const struct tg_payment *payment);

/* {"queued","delivered","failed","dropped"} */
json_t *tg_webhook_show(const struct tg_webhook *webhook);

/* The signature field over one message; `ret` gets "v1,..." and a NUL. */
#define TG_WEBHOOK_SIGNATURE_BYTES 48
TG_MUST_CHECK enum tg_err tg_webhook_sign(struct tg_span secret, struct tg_span id, struct tg_span timestamp,
                                          struct tg_span body, char ret[TG_WEBHOOK_SIGNATURE_BYTES]);

#endif
