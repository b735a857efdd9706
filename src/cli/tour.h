/*
 * tour.h - the tour as data: what is sent, and what must come back.
 *
 * Promises: the steps are in a table, so that what the tour claims can be read in one place; judging an answer
 * is pure. Does not: send anything (tour.c does).
 */
#ifndef TG_CLI_TOUR_H
#define TG_CLI_TOUR_H

#include "cli/payment.h"

enum tg_tour_key { TG_TOUR_KEY_FULL = 0, TG_TOUR_KEY_READ, TG_TOUR_KEY_UNKNOWN, TG_TOUR_KEY_TYPO, TG_TOUR_KEY_STRIPE };
#define TG_TOUR_KEYS 5

/* What happens besides sending. */
enum tg_tour_act {
    TG_TOUR_SEND = 0,  /* one payment */
    TG_TOUR_TWIN,      /* two at once with one key, the first held up in the upstream; expected is the twin's answer */
    TG_TOUR_FAULT,     /* the upstream charges, then dies before it answers */
    TG_TOUR_CHARGES,   /* nothing is sent: the processor's book must hold `status` charges of that idempotency key */
    TG_TOUR_RECONCILE, /* reconcile --probe must settle the payment of that idempotency key as executed */
    TG_TOUR_BALANCE    /* the processor's book must sum to zero */
};

struct tg_tour_step {
    const char *what;
    uint8_t act;            /* enum tg_tour_act */
    uint8_t key;            /* enum tg_tour_key */
    uint8_t idempotency;    /* 0: no key is sent; else which of the tour's keys */
    const char *amount;     /* as it stands in the body */
    const char *profile;    /* NULL: generic-json */
    int status;             /* expected */
    const char *reason;     /* expected; "" for an answer of the upstream */
    const char *pointer;    /* expected JSON Pointer, or NULL */
    bool replayed;          /* expected */
};

#define TG_TOUR_IDEMPOTENCY_KEYS 10 /* numbers 1.. used in the table stay below */

extern const struct tg_tour_step tg_tour_steps[];
size_t tg_tour_count(void);

/* True when the answer is what the step expects. */
bool tg_tour_expected(const struct tg_tour_step *step, const struct tg_http_answer *answer,
                      const struct tg_payment_told *told);

#endif
