/*
 * generic.h - the generic JSON dialect of payments.
 *
 * Promises: each function is one operation; it acts and leaves an answer in the
 * call. Amounts are JSON integers in minor units; 10.0 and "10" are refused.
 * Errors are {"error": code, "message": text} with 400 (not readable), 402 (declined),
 * 404, 409 (not in this state), 415, 422 (readable, not allowed).
 */
#ifndef REFPAY_GENERIC_H
#define REFPAY_GENERIC_H

#include "request.h"

void tg_generic_create(struct tg_call *call);
void tg_generic_get(struct tg_call *call);
void tg_generic_list(struct tg_call *call);
void tg_generic_capture(struct tg_call *call);
void tg_generic_refund(struct tg_call *call);
void tg_generic_void(struct tg_call *call);
void tg_generic_note(struct tg_call *call);

/* A payment as the generic dialect shows it; webhooks and the control socket use it too. */
json_t *tg_generic_show(const struct tg_payment *payment);

#endif
