/*
 * money.h - amounts as integers in minor units, by ISO 4217.
 *
 * Promises: no floating point anywhere; refuses signs, exponents, leading
 * zeroes, more fraction digits than the currency has, and overflow.
 */
#ifndef TG_CORE_PAYMENT_MONEY_H
#define TG_CORE_PAYMENT_MONEY_H

#include "base/err.h"
#include "base/span.h"

/* The largest amount: 10^15 - 1 minor units. Above any real payment, and exact in every JSON reader (2^53). */
#define TG_AMOUNT_MINOR_MAX INT64_C(999999999999999)

/* The exponent of an active ISO 4217 code in either case (Stripe sends lower case), and the code in upper case.
 * TG_ERR_ABSENT: not a currency one can pay in (XXX, XTS, metals and funds codes included). */
TG_MUST_CHECK enum tg_err tg_currency_find(struct tg_span code, char ret_code[4], uint8_t *ret_exponent);

/* An integer of minor units as JSON or a form writes it: "1050". Zero is allowed. */
TG_MUST_CHECK enum tg_err tg_amount_minor_parse(struct tg_span text, int64_t *ret);

/* A decimal of major units: "10.50" with exponent 2 is 1050; "10.5" and "10" are taken, "10.505" and "10." are not. */
TG_MUST_CHECK enum tg_err tg_amount_decimal_parse(struct tg_span text, uint8_t exponent, int64_t *ret);

#endif
