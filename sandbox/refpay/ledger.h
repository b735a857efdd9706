/*
 * ledger.h - a double-entry book: postings of entries that sum to zero.
 *
 * Promises: a posting whose entries do not sum to zero is never written. Amounts
 * are integers in minor units of one currency per posting. Postings are only
 * appended. tg_ledger_balanced() reads the book back, it trusts no counter.
 * Accounts: payer:NAME, payee:NAME, holds, fees.
 * Does not: know the states of payments (payments.h).
 */
#ifndef REFPAY_LEDGER_H
#define REFPAY_LEDGER_H

#include <jansson.h>

#include "database.h"

#define TG_LEDGER_ENTRIES_MAX 4              /* a capture has three: hold, payee, fees */
#define TG_LEDGER_AMOUNT_MAX 100000000000000 /* 10^14 minor units: 90000 of them still fit in 63 bits */
#define TG_LEDGER_ACCOUNT_BYTES_MAX 80

struct tg_ledger {
    struct tg_database *database;
    sqlite3_stmt *add_posting;
    sqlite3_stmt *add_entry;
};

struct tg_entry {
    const char *account;
    int64_t amount;
};

struct tg_posting {
    const char *kind;       /* authorize, capture, refund, void */
    const char *payment;    /* id of the payment */
    const char *currency;   /* three upper-case letters */
    const char *request_id; /* of the request that caused it, may be "" */
    int64_t now_s;
    struct tg_entry entries[TG_LEDGER_ENTRIES_MAX];
    size_t count;
};

/* Makes the tables when they are not there. */
void tg_ledger_open(struct tg_ledger *ret, struct tg_database *database);
void tg_ledger_close(struct tg_ledger *ledger);

/* Writes one posting in the open transaction. TG_ERR_BUG: not zero-sum; TG_ERR_LIMIT: an amount is out of range. */
TG_MUST_CHECK enum tg_err tg_ledger_post(struct tg_ledger *ledger, const struct tg_posting *posting);

/* True when every posting, and so each currency as a whole, sums to zero. */
bool tg_ledger_balanced(struct tg_ledger *ledger);

/* [{"account","currency","balance"}]; the caller owns the value. */
json_t *tg_ledger_balances(struct tg_ledger *ledger);

/* Postings with a number above `after`, at most `limit`; *next is the last number given, 0 when none follow. */
json_t *tg_ledger_postings(struct tg_ledger *ledger, int64_t after, int64_t limit, int64_t *next);

#endif
