/*
 * issue.h - the certificates that an instance makes for itself at init.
 *
 * Promises: a P-256 authority, a server certificate for the given names, an
 * empty revocation list; private keys are files of mode 0600 and are wiped
 * from memory here.
 * Does not: renew (doctor says when they end).
 */
#ifndef TG_CLI_ISSUE_H
#define TG_CLI_ISSUE_H

#include "cli/instance.h"

#define TG_ISSUE_NAMES_MAX 16
#define TG_ISSUE_AUTHORITY_DAYS 3650
#define TG_ISSUE_SERVER_DAYS 397 /* what browsers and clients take at most (CA/B Forum 6.3.2) */
#define TG_ISSUE_CRL_DAYS 397

/* Fills tls/ and client/ca.pem. names: NULL-terminated, DNS names or addresses; crl_url: where callers find the CRL. */
TG_MUST_CHECK enum tg_err tg_issue_certificates(const struct tg_instance *instance, const char *const *names,
                                                const char *crl_url, int64_t now_s);

#endif
