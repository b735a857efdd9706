/*
 * stripe.h - the part of Stripe's API that its official clients need for a payment.
 *
 * Promises: each function is one operation; it acts and leaves an answer in the
 * call. Form-encoded in, objects with Stripe's members out. Errors are
 * {"error":{"type","code","message",...}}. Request-Id, Stripe-Version and
 * Idempotency-Key come back as fields; the key is echoed and has no effect.
 * Does not: expand, page backwards, or know charges as objects.
 */
#ifndef REFPAY_STRIPE_H
#define REFPAY_STRIPE_H

#include "request.h"

void tg_stripe_create(struct tg_call *call);
void tg_stripe_get(struct tg_call *call);
void tg_stripe_list(struct tg_call *call);
void tg_stripe_confirm(struct tg_call *call);
void tg_stripe_capture(struct tg_call *call);
void tg_stripe_cancel(struct tg_call *call);
void tg_stripe_refund(struct tg_call *call);
void tg_stripe_get_refund(struct tg_call *call);

/* The fields that every answer of this dialect carries. */
void tg_stripe_echo(struct tg_call *call);

/* Sets an error; its type follows from the status. */
void tg_stripe_fail(struct tg_call *call, int status, const char *code, const char *text);

#endif
