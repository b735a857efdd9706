/*
 * card.h - finding card numbers that stand in clear.
 *
 * A candidate is 13 to 19 digits, written together or in groups with one
 * space or one dash between (ISO/IEC 7812-1 allows up to 19), that pass the
 * Luhn check and begin with 2 to 6. Those first digits are the payment
 * industry's: 2 and 5 Mastercard, 3 American Express, JCB and Diners, 4 Visa,
 * 6 Discover, UnionPay and Maestro. 0, 1, 7, 8 and 9 belong to airlines,
 * fuel, health and national use; leaving them out spares most time stamps
 * (which begin with 1) without missing a card that can pay.
 *
 * Promises: every group of digits is tried as a beginning and every following
 * group as an end, so that a date or a house number beside a card number hides nothing.
 * UUIDs and hexadecimal words of 24 characters or more with a letter in them are
 * identifiers and are passed over: by chance alone, one in some thousands
 * would be taken for a card.
 * Does not: look into encodings (base 64, other scripts' digits), or join
 * digits that stand in several members.
 */
#ifndef TG_CORE_PAYMENT_CARD_H
#define TG_CORE_PAYMENT_CARD_H

#include "core/json/value.h"

#define TG_CARD_DIGITS_MIN 13
#define TG_CARD_DIGITS_MAX 19

/* The Luhn check (ISO/IEC 7812-1 annex B) of ASCII digits; false for anything else, and for none. */
bool tg_luhn_ok(struct tg_span digits);

/* True when bytes hold a candidate. */
bool tg_card_found(struct tg_span bytes);

/* True when a string, number or name below root (root included) holds a candidate. */
bool tg_card_found_in(const struct tg_value *root);

#endif
