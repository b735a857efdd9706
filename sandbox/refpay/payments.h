/*
 * payments.h - what a payment may become: authorized, captured, refunded, voided.
 *
 * Promises: each change of a payment and its posting stand in one transaction.
 * Amounts are integers in minor units. Nothing here is idempotent: asked twice,
 * it acts twice; that is what makes refpay an oracle for its callers' promises.
 * Declined: an amount whose last two digits are 51, and the instrument
 * pm_card_chargeDeclined.
 * Fees: one percent of what is captured, rounded down; they stay when refunded.
 * Does not: know HTTP or a dialect's words, read the clock.
 */
#ifndef REFPAY_PAYMENTS_H
#define REFPAY_PAYMENTS_H

#include "ledger.h"

#define TG_PAYMENTS_ID_BYTES 32        /* "pay_" or "pi_", 8 of the ledger's own, 12 of the number, hex */
#define TG_PAYMENTS_NAME_BYTES_MAX 64  /* payers and payees: the house's limit for names */
#define TG_PAYMENTS_TEXT_BYTES_MAX 255 /* tokens, references: as long as Stripe allows a value to be compared */
#define TG_PAYMENTS_REQUEST_ID_BYTES_MAX 64
#define TG_PAYMENTS_METADATA_BYTES_MAX 2048 /* JSON text; what the stories use fits ten times */
#define TG_PAYMENTS_AMOUNT_MAX 99999999999  /* eleven digits: far under the ledger's own ceiling */
#define TG_PAYMENTS_LIST_MAX 1000

enum tg_dialect { TG_DIALECT_GENERIC = 0, TG_DIALECT_STRIPE = 1 };

enum tg_payment_status {
    TG_PAYMENT_OPEN = 0,       /* made, not confirmed (Stripe only) */
    TG_PAYMENT_AUTHORIZED = 1, /* money is held; part of it may be captured */
    TG_PAYMENT_CAPTURED = 2,   /* nothing is held any more, something was captured */
    TG_PAYMENT_VOIDED = 3,
    TG_PAYMENT_DECLINED = 4 /* confirmed and refused: no money moved */
};

/* What became of a wish. Failures of the file are no verdict: they end the process. */
enum tg_payments_verdict {
    TG_PAYMENTS_DONE = 0,
    TG_PAYMENTS_ABSENT = 1,  /* no such payment in this dialect */
    TG_PAYMENTS_STATE = 2,   /* not from this state */
    TG_PAYMENTS_AMOUNT = 3,  /* more than there is */
    TG_PAYMENTS_DECLINED = 4 /* the bank says no */
};

struct tg_payment {
    int64_t number; /* 0 until made */
    enum tg_dialect dialect;
    enum tg_payment_status status;
    bool capture; /* capture as soon as authorized */
    int64_t amount, captured, refunded;
    int64_t created_s;
    char id[TG_PAYMENTS_ID_BYTES];
    char currency[4];
    char payee[TG_PAYMENTS_NAME_BYTES_MAX + 1];
    char payer[TG_PAYMENTS_NAME_BYTES_MAX + 1];
    char instrument[TG_PAYMENTS_TEXT_BYTES_MAX + 1];
    char reference[TG_PAYMENTS_TEXT_BYTES_MAX + 1];
    char request_id[TG_PAYMENTS_REQUEST_ID_BYTES_MAX + 1];
    char metadata[TG_PAYMENTS_METADATA_BYTES_MAX + 1]; /* JSON object or "" */
};

struct tg_refund {
    int64_t amount, created_s;
    char id[TG_PAYMENTS_ID_BYTES];
    char payment[TG_PAYMENTS_ID_BYTES];
    char currency[4];
};

/* An event that webhooks tell of. name: payment.created, .captured, .refunded, .voided. */
typedef void (*tg_payments_event)(void *context, const char *name, const struct tg_payment *payment);

enum { TG_PAYMENTS_STATEMENTS = 8 };

struct tg_payments {
    struct tg_database *database;
    struct tg_ledger *ledger;
    tg_payments_event event; /* may be NULL */
    void *event_context;
    char tag[9]; /* of this ledger: ids of another one are unknown here */
    sqlite3_stmt *statements[TG_PAYMENTS_STATEMENTS];
};

/* Who asks, for the book. */
struct tg_payments_ask {
    const char *request_id; /* header Tollgate-Request-Id, or "" */
    int64_t now_s;
};

TG_MUST_CHECK enum tg_err tg_payments_open(struct tg_payments *ret, struct tg_database *database,
                                           struct tg_ledger *ledger);
void tg_payments_close(struct tg_payments *payments);

/* Makes a payment from its wishes; confirm: authorizes it too, and captures it when it says so. Fills id and number. */
enum tg_payments_verdict tg_payments_create(struct tg_payments *payments, struct tg_payment *payment, bool confirm);

enum tg_payments_verdict tg_payments_get(struct tg_payments *payments, enum tg_dialect dialect, struct tg_span id,
                                         struct tg_payment *ret);

/* The four below change what *payment (from tg_payments_get) says, in the file too. */
enum tg_payments_verdict tg_payments_confirm(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                             struct tg_payment *payment);
/* amount 0: all that is held. last: what is then still held goes back to the payer. */
enum tg_payments_verdict tg_payments_capture(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                             struct tg_payment *payment, int64_t amount, bool last);
/* amount 0: all that is not refunded yet. */
enum tg_payments_verdict tg_payments_refund(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                            struct tg_payment *payment, int64_t amount, struct tg_refund *ret);
enum tg_payments_verdict tg_payments_void(struct tg_payments *payments, const struct tg_payments_ask *ask,
                                          struct tg_payment *payment);

enum tg_payments_verdict tg_payments_get_refund(struct tg_payments *payments, struct tg_span id, struct tg_refund *ret);

/* Newest first; request_id empty: all. dialect -1: both. before: numbers below it, 0: from the newest.
 * Calls `each` for at most limit of them; true when more follow. */
typedef void (*tg_payments_each)(void *context, const struct tg_payment *payment);
bool tg_payments_list(struct tg_payments *payments, int dialect, const char *request_id, int64_t before, int64_t limit,
                      tg_payments_each each, void *context);

/* An effect without money. Returns its number. */
int64_t tg_payments_note(struct tg_payments *payments, const struct tg_payments_ask *ask, const char *text);

/* {"payments","declined","captures","refunds","voids","notes","agrees"}; agrees: payments and the book say the same. */
json_t *tg_payments_counts(struct tg_payments *payments);

#endif
