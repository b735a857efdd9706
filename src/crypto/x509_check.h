/*
 * x509_check.h - questions about certificates, keys and revocation lists that stand in files.
 *
 * Promises: each takes PEM, answers one question, and keeps nothing; a private key is wiped with what OpenSSL made
 * of it.
 * Does not: validate a chain for a connection (nginx does).
 */
#ifndef TG_CRYPTO_X509_CHECK_H
#define TG_CRYPTO_X509_CHECK_H

#include "base/err.h"
#include "base/span.h"

/* Each: TG_OK yes; TG_ERR_DENIED no; TG_ERR_INPUT: one of them is not what it should be. */

/* Is key_pem the private key of the first certificate of certificate_pem? */
TG_MUST_CHECK enum tg_err tg_x509_key_fits(struct tg_span certificate_pem, struct tg_span key_pem);

/* Did the authority's key sign the first certificate? */
TG_MUST_CHECK enum tg_err tg_x509_signed_by(struct tg_span certificate_pem, struct tg_span authority_pem);

/* Does the first certificate name this host or address (RFC 9525)? */
TG_MUST_CHECK enum tg_err tg_x509_names(struct tg_span certificate_pem, const char *host);

/* A revocation list of this authority; *end_s: its nextUpdate in UTC seconds, 0 where it names none. */
TG_MUST_CHECK enum tg_err tg_x509_crl_end(struct tg_span crl_pem, struct tg_span authority_pem, int64_t *end_s);

#endif
