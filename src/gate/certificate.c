/*
 * certificate.c - the digest of the certificate that a connection's client has shown (certificate.h).
 *
 * It stands in the connection's pool beside a reference to the certificate: as long as that is held, another
 * certificate has another address, so the address says whether the digest is still the one that is meant.
 */
#include "gate/certificate.h"

#include "crypto/crypto.h"

#if (NGX_HTTP_SSL)
#include <openssl/x509.h>

struct tg_certificate {
    X509 *certificate; /* NULL: none digested yet */
    uint8_t digest[TG_DIGEST_BYTES];
};

static void tg_certificate_drop(void *data)
{
    struct tg_certificate *kept = data;

    X509_free(kept->certificate);
    kept->certificate = NULL;
}

/* The connection's place for it, or NULL without memory. */
static struct tg_certificate *tg_certificate_place(ngx_connection_t *connection)
{
    ngx_pool_cleanup_t *cleanup = connection->pool->cleanup;

    for (; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == tg_certificate_drop) {
            return cleanup->data;
        }
    }
    cleanup = ngx_pool_cleanup_add(connection->pool, sizeof(struct tg_certificate));
    if (cleanup == NULL) {
        return NULL;
    }
    ngx_memzero(cleanup->data, sizeof(struct tg_certificate));
    cleanup->handler = tg_certificate_drop;
    return cleanup->data;
}

static bool tg_certificate_digest(struct tg_certificate *kept, X509 *certificate)
{
    unsigned int len = 0;

    tg_certificate_drop(kept);
    if (X509_digest(certificate, EVP_sha256(), kept->digest, &len) != 1 || len != TG_DIGEST_BYTES ||
        X509_up_ref(certificate) != 1) {
        return false;
    }
    kept->certificate = certificate;
    return true;
}
#endif

bool tg_gate_certificate(ngx_http_request_t *r, bool *has, uint8_t ret[TG_DIGEST_BYTES])
{
    *has = false;
#if (NGX_HTTP_SSL)
    ngx_connection_t *connection = r->connection;
    struct tg_certificate *kept;
    X509 *certificate;

#if (NGX_HTTP_V2)
    connection = r->stream != NULL ? r->stream->connection->connection : connection;
#endif
    if (connection->ssl == NULL || SSL_get_verify_result(connection->ssl->connection) != X509_V_OK) {
        return true;
    }
    certificate = SSL_get0_peer_certificate(connection->ssl->connection);
    if (certificate == NULL) {
        return true;
    }
    kept = tg_certificate_place(connection);
    if (kept == NULL || (kept->certificate != certificate && !tg_certificate_digest(kept, certificate))) {
        return false;
    }
    ngx_memcpy(ret, kept->digest, TG_DIGEST_BYTES);
    *has = true;
#else
    (void)r;
    (void)ret;
#endif
    return true;
}
