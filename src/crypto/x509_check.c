/*
 * x509_check.c - as x509_check.h, by OpenSSL.
 */
#include "crypto/x509_check.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <time.h>

#include "base/banned.h"

/* Bundles may be long; this bounds what is read. */
#define PEM_INPUT_BYTES_MAX (1024u * 1024u)

static BIO *open_text(struct tg_span pem)
{
    return pem.len == 0 || pem.len > PEM_INPUT_BYTES_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

/* Never asks for a pass phrase on a terminal. */
static int no_passphrase(char *buf, int size, int writing, void *user)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)user;
    return 0;
}

static X509 *read_certificate(struct tg_span pem)
{
    BIO *bio = open_text(pem);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *read_key(struct tg_span pem)
{
    BIO *bio = open_text(pem);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static enum tg_err verdict(bool readable, bool yes)
{
    ERR_clear_error();
    return !readable ? TG_ERR_INPUT : (yes ? TG_OK : TG_ERR_DENIED);
}

enum tg_err tg_x509_key_fits(struct tg_span certificate_pem, struct tg_span key_pem)
{
    X509 *certificate = read_certificate(certificate_pem);
    EVP_PKEY *key = read_key(key_pem);
    bool readable = certificate != NULL && key != NULL;
    bool yes = readable && X509_check_private_key(certificate, key) == 1;
    EVP_PKEY_free(key);
    X509_free(certificate);
    return verdict(readable, yes);
}

enum tg_err tg_x509_signed_by(struct tg_span certificate_pem, struct tg_span authority_pem)
{
    X509 *certificate = read_certificate(certificate_pem);
    X509 *authority = read_certificate(authority_pem);
    bool readable = certificate != NULL && authority != NULL;
    bool yes = readable && X509_check_issued(authority, certificate) == X509_V_OK &&
               X509_verify(certificate, X509_get0_pubkey(authority)) == 1;
    X509_free(authority);
    X509_free(certificate);
    return verdict(readable, yes);
}

enum tg_err tg_x509_names(struct tg_span certificate_pem, const char *host)
{
    X509 *certificate = read_certificate(certificate_pem);
    uint8_t address[16];
    bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    bool yes = certificate != NULL && (is_address ? X509_check_ip_asc(certificate, host, 0) == 1
                                                  : X509_check_host(certificate, host, 0, 0, NULL) == 1);
    bool readable = certificate != NULL;
    X509_free(certificate);
    return verdict(readable, yes);
}

enum tg_err tg_x509_crl_end(struct tg_span crl_pem, struct tg_span authority_pem, int64_t *end_s)
{
    BIO *bio = open_text(crl_pem);
    X509_CRL *crl = bio == NULL ? NULL : PEM_read_bio_X509_CRL(bio, NULL, no_passphrase, NULL);
    X509 *authority = read_certificate(authority_pem);
    bool readable = crl != NULL && authority != NULL;
    bool yes = readable && X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1;
    const ASN1_TIME *end = crl == NULL ? NULL : X509_CRL_get0_nextUpdate(crl);
    struct tm parts = {0};
    *end_s = 0;
    if (end != NULL && ASN1_TIME_to_tm(end, &parts) == 1) {
        *end_s = (int64_t)timegm(&parts);
    }
    X509_free(authority);
    X509_CRL_free(crl);
    BIO_free(bio);
    return verdict(readable, yes);
}
