/*
 * credential.h - the one credential that refpay accepts, and a witness of all others.
 *
 * Promises: a request is let in only when it carries exactly one Authorization
 * field with the value "Bearer " and the content of the credential file. Whatever
 * else looks like a credential is witnessed, in requests that were let in too: other
 * Authorization values, Proxy-Authorization, X-Api-Key, Api-Key, Cookie, and a Tollgate
 * API key (tgk_test_, tgk_live_) anywhere in target, fields or body. Kept are
 * the place, the SHA-256 of the value and a count, never the value.
 * How many different ones are kept is bounded; the counts are not.
 */
#ifndef REFPAY_CREDENTIAL_H
#define REFPAY_CREDENTIAL_H

#include <jansson.h>

#include "crypto/crypto.h"
#include "database.h"
#include "http.h"

#define TG_CREDENTIAL_BYTES_MAX 1016    /* TG_UPSTREAM_CREDENTIAL_BYTES_MAX less "Bearer " */
#define TG_CREDENTIAL_WITNESS_MAX 10000 /* different foreign values; a flood fills no disk */

struct tg_credential {
    struct tg_database *database;
    struct tg_secret expected; /* "Bearer ..." */
    sqlite3_stmt *witness;
    sqlite3_stmt *seen;
    int64_t kept;
    int64_t accepted; /* requests, since the start */
    int64_t refused;
};

/* Reads the file; one trailing newline is not part of the credential. TG_ERR_DENIED: unreadable, TG_ERR_INPUT: not
 * visible ASCII. */
TG_MUST_CHECK enum tg_err tg_credential_open(struct tg_credential *ret, const char *path);
/* Separate from open, which may happen before privileges are dropped. */
void tg_credential_attach(struct tg_credential *credential, struct tg_database *database);
void tg_credential_close(struct tg_credential *credential);

/* True: let in. Witnesses foreign values either way. */
bool tg_credential_check(struct tg_credential *credential, const struct tg_http_request *request);

/* {"accepted","refused","foreign","seen":[{"field","sha256","count"}]} */
json_t *tg_credential_show(struct tg_credential *credential);

#endif
