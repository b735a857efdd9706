/*
 * certificate.h - the digest of the certificate that a connection's client has shown.
 *
 * Promises: computed once a connection and certificate, at the first call that asks; whether the certificate was
 * verified is asked anew each time. Does not: judge who may show it; the keeper does.
 */
#ifndef TG_GATE_CERTIFICATE_H
#define TG_GATE_CERTIFICATE_H

#include "gate/gate.h"

/* False on an internal fault. *has: a certificate was shown and verified, and its SHA-256 stands in ret. */
bool tg_gate_certificate(ngx_http_request_t *r, bool *has, uint8_t ret[TG_DIGEST_BYTES]);

#endif
