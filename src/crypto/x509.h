/*
 * x509.h - the few certificates that an instance makes for itself.
 *
 * Promises: P-256 keys, SHA-256 signatures, random 128-bit serials, the
 * extensions that RFC 5280 asks for; PEM in caller memory. Private keys leave
 * this file only as PEM in a buffer that the caller wipes.
 * Does not: validate chains (nginx does) or keep anything.
 */
#ifndef TG_CRYPTO_X509_H
#define TG_CRYPTO_X509_H

#include "base/buf.h"

#define TG_PEM_BYTES_MAX 8192

struct tg_certificate_wish {
    const char *common_name;
    const char *const *names; /* subject alternative names: DNS names or IP addresses as text; NULL ends */
    const char *crl_url;      /* CRL distribution point, or NULL */
    uint32_t days;
    bool authority; /* a CA of path length 0 */
    bool client;    /* clientAuth instead of serverAuth */
    int64_t now_s;  /* UTC; validity begins an hour earlier */
};

/*
 * Issues one certificate. issuer_pem and issuer_key_pem are empty for a self-signed authority.
 * certificate and key get PEM (TG_PEM_BYTES_MAX each is enough).
 */
TG_MUST_CHECK enum tg_err tg_x509_issue(const struct tg_certificate_wish *wish, struct tg_span issuer_pem,
                                        struct tg_span issuer_key_pem, struct tg_buf *certificate, struct tg_buf *key);

/* An empty CRL of the authority, PEM, valid for days. */
TG_MUST_CHECK enum tg_err tg_x509_crl(struct tg_span issuer_pem, struct tg_span issuer_key_pem, int64_t now_s,
                                      uint32_t days, struct tg_buf *crl);

/* The DER of a CRL in PEM, as a distribution point must serve it (RFC 5280 4.2.1.13). */
TG_MUST_CHECK enum tg_err tg_x509_crl_der(struct tg_span crl_pem, struct tg_buf *der);

/* SHA-256 of the first certificate's DER in a PEM text; not_after_s in UTC seconds. */
TG_MUST_CHECK enum tg_err tg_x509_fingerprint(struct tg_span pem, uint8_t ret[32], int64_t *not_after_s);

#endif
