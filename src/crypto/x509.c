/*
 * x509.c - issuing certificates and an empty CRL.
 *
 * Promises: as x509.h. Validity is written as RFC 5280 4.1.2.5 asks, serials are 127 random bits (positive, at most
 * 20 octets, 4.1.2.2), extensions are set one by one from text that this file composes.
 * Does not: read configuration files of OpenSSL.
 */
#include "crypto/x509.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "crypto/context.h"
#include "crypto/crypto.h"

#include "base/banned.h"

#define SECONDS_A_DAY 86400

/* Validity begins earlier by this, for clocks that lag. */
#define BACKDATE_S 3600

/* Room for the text of one extension: a dozen names. */
#define EXTENSION_BYTES_MAX 1024

/* A PEM text may be far longer than ours (bundles); this bounds what is read. */
#define PEM_INPUT_BYTES_MAX (1024u * 1024u)

static BIO *bio_read(struct tg_span pem)
{
    return pem.len > PEM_INPUT_BYTES_MAX || pem.len == 0 ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
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
    BIO *bio = bio_read(pem);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(struct tg_span pem)
{
    BIO *bio = bio_read(pem);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

/* Moves what a memory BIO holds to out and wipes the BIO's own copy. */
static enum tg_err drain(BIO *bio, struct tg_buf *out)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    if (len <= 0) {
        return TG_ERR_BUG;
    }
    tg_buf_put(out, tg_span(data, (size_t)len));
    tg_wipe(data, (size_t)len);
    return tg_buf_done(out);
}

static bool set_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool fine = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return fine;
}

/* Names come from the operator; a comma or a line end would smuggle in another name or section. */
static bool is_plain_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        bool fine = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                    *at == '.' || *at == '-' || *at == '_' || *at == '*' || *at == ':';
        if (!fine) {
            return false;
        }
    }
    return *name != '\0';
}

static bool is_address(const char *name)
{
    uint8_t address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool set_names(X509 *certificate, X509V3_CTX *context, const char *const *names)
{
    char text[EXTENSION_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (!is_plain_name(names[i])) {
            return false;
        }
        tg_buf_put_string(&buf, i == 0 ? "" : ",");
        tg_buf_put_string(&buf, is_address(names[i]) ? "IP:" : "DNS:");
        tg_buf_put_string(&buf, names[i]);
    }
    if (buf.len == 0) {
        return true;
    }
    tg_buf_put_u8(&buf, 0);
    return tg_buf_done(&buf) == TG_OK && set_extension(certificate, context, NID_subject_alt_name, text);
}

static bool set_crl_url(X509 *certificate, X509V3_CTX *context, const char *url)
{
    char text[EXTENSION_BYTES_MAX];
    struct tg_buf buf = tg_buf(text, sizeof(text));
    if (url == NULL) {
        return true;
    }
    if (tg_span_find(tg_span_string(url), ',') != strlen(url) ||
        tg_span_find(tg_span_string(url), '\n') != strlen(url)) {
        return false;
    }
    tg_buf_put_string(&buf, "URI:");
    tg_buf_put_string(&buf, url);
    tg_buf_put_u8(&buf, 0);
    return tg_buf_done(&buf) == TG_OK && set_extension(certificate, context, NID_crl_distribution_points, text);
}

/* RFC 5280 4.2: which extensions, and which of them critical. */
static bool set_extensions(X509 *certificate, X509 *issuer, const struct tg_certificate_wish *wish)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    bool fine = set_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
                set_extension(certificate, &context, NID_authority_key_identifier, "keyid:always");
    if (wish->authority) {
        return fine && set_extension(certificate, &context, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               set_extension(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    return fine && set_extension(certificate, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           set_extension(certificate, &context, NID_key_usage, "critical,digitalSignature") &&
           set_extension(certificate, &context, NID_ext_key_usage, wish->client ? "clientAuth" : "serverAuth") &&
           set_names(certificate, &context, wish->names) && set_crl_url(certificate, &context, wish->crl_url);
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[16];
    if (tg_random(bytes, sizeof(bytes)) != TG_OK) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 octets */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool fine = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return fine;
}

static bool set_subject(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
                                      0) == 1;
}

/* Everything but the key pair; issuer is NULL for a self-signed one. */
static X509 *build(const struct tg_certificate_wish *wish, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return NULL;
    }
    int64_t end_s = wish->now_s + (int64_t)wish->days * SECONDS_A_DAY;
    bool fine = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(wish->now_s - BACKDATE_S)) != NULL &&
                ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)end_s) != NULL &&
                X509_set_pubkey(certificate, key) == 1 && set_subject(certificate, wish->common_name) &&
                X509_set_issuer_name(certificate, X509_get_subject_name(issuer == NULL ? certificate : issuer)) == 1 &&
                set_extensions(certificate, issuer == NULL ? certificate : issuer, wish) &&
                X509_sign(certificate, issuer_key, EVP_sha256()) > 0;
    if (!fine) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static enum tg_err write_both(X509 *made, EVP_PKEY *key, struct tg_buf *certificate_out, struct tg_buf *key_out)
{
    enum tg_err err = TG_ERR_BUG;
    BIO *certificate_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_secmem());
    if (certificate_bio != NULL && key_bio != NULL && PEM_write_bio_X509(certificate_bio, made) == 1 &&
        PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        err = drain(certificate_bio, certificate_out);
        if (err == TG_OK) {
            err = drain(key_bio, key_out);
        }
    }
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    return err;
}

enum tg_err tg_x509_issue(const struct tg_certificate_wish *wish, struct tg_span issuer_pem,
                          struct tg_span issuer_key_pem, struct tg_buf *certificate, struct tg_buf *key)
{
    bool self = issuer_pem.len == 0 && issuer_key_pem.len == 0;
    if (wish->common_name == NULL || wish->days == 0 || (self && !wish->authority)) {
        return TG_ERR_INPUT;
    }
    X509 *issuer = self ? NULL : read_certificate(issuer_pem);
    EVP_PKEY *issuer_key = self ? NULL : read_key(issuer_key_pem);
    enum tg_err err = TG_ERR_INPUT;
    EVP_PKEY *pair = NULL;
    X509 *made = NULL;
    if (self || (issuer != NULL && issuer_key != NULL && X509_check_private_key(issuer, issuer_key) == 1)) {
        pair = EVP_EC_gen("P-256");
        made = pair == NULL ? NULL : build(wish, pair, issuer, self ? pair : issuer_key);
        err = made == NULL ? TG_ERR_BUG : write_both(made, pair, certificate, key);
    }
    tg_contexts_forget_errors();
    X509_free(made);
    X509_free(issuer);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(issuer_key);
    return err;
}

/* CRL number 1 and the authority's key id (RFC 5280 5.2.1, 5.2.3). */
static bool set_crl_extensions(X509_CRL *crl, X509 *issuer)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
    bool fine = extension != NULL && X509_CRL_add_ext(crl, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    fine = fine && number != NULL && ASN1_INTEGER_set_uint64(number, 1) == 1 &&
           X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    return fine;
}

static bool fill_crl(X509_CRL *crl, X509 *issuer, EVP_PKEY *issuer_key, int64_t now_s, uint32_t days)
{
    ASN1_TIME *begin = ASN1_TIME_set(NULL, (time_t)(now_s - BACKDATE_S));
    ASN1_TIME *end = ASN1_TIME_set(NULL, (time_t)(now_s + (int64_t)days * SECONDS_A_DAY));
    bool fine = begin != NULL && end != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
                X509_CRL_set1_lastUpdate(crl, begin) == 1 && X509_CRL_set1_nextUpdate(crl, end) == 1 &&
                set_crl_extensions(crl, issuer) && X509_CRL_sort(crl) == 1 &&
                X509_CRL_sign(crl, issuer_key, EVP_sha256()) > 0;
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    return fine;
}

enum tg_err tg_x509_crl(struct tg_span issuer_pem, struct tg_span issuer_key_pem, int64_t now_s, uint32_t days,
                        struct tg_buf *crl)
{
    X509 *issuer = read_certificate(issuer_pem);
    EVP_PKEY *issuer_key = read_key(issuer_key_pem);
    enum tg_err err = TG_ERR_INPUT;
    if (issuer != NULL && issuer_key != NULL && X509_check_private_key(issuer, issuer_key) == 1) {
        X509_CRL *made = X509_CRL_new();
        BIO *bio = BIO_new(BIO_s_mem());
        bool fine = made != NULL && bio != NULL && fill_crl(made, issuer, issuer_key, now_s, days) &&
                    PEM_write_bio_X509_CRL(bio, made) == 1;
        err = fine ? drain(bio, crl) : TG_ERR_BUG;
        BIO_free(bio);
        X509_CRL_free(made);
    }
    tg_contexts_forget_errors();
    X509_free(issuer);
    EVP_PKEY_free(issuer_key);
    return err;
}

enum tg_err tg_x509_crl_der(struct tg_span crl_pem, struct tg_buf *der)
{
    BIO *text = crl_pem.len > INT_MAX ? NULL : BIO_new_mem_buf(crl_pem.ptr, (int)crl_pem.len);
    X509_CRL *crl = text == NULL ? NULL : PEM_read_bio_X509_CRL(text, NULL, no_passphrase, NULL);
    enum tg_err err = TG_ERR_INPUT;
    if (crl != NULL) {
        BIO *bio = BIO_new(BIO_s_mem());
        err = bio != NULL && i2d_X509_CRL_bio(bio, crl) == 1 ? drain(bio, der) : TG_ERR_BUG;
        BIO_free(bio);
    }
    tg_contexts_forget_errors();
    X509_CRL_free(crl);
    BIO_free(text);
    return err;
}

/* Seconds since 1970 of a certificate's end. */
static bool end_of(const X509 *certificate, int64_t *ret)
{
    int days = 0;
    int seconds = 0;
    ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
    bool fine = zero != NULL && ASN1_TIME_diff(&days, &seconds, zero, X509_get0_notAfter(certificate)) == 1;
    ASN1_TIME_free(zero);
    *ret = fine ? (int64_t)days * SECONDS_A_DAY + seconds : 0;
    return fine;
}

enum tg_err tg_x509_fingerprint(struct tg_span pem, uint8_t ret[32], int64_t *not_after_s)
{
    tg_wipe(ret, 32);
    *not_after_s = 0;
    X509 *certificate = read_certificate(pem);
    if (certificate == NULL) {
        tg_contexts_forget_errors();
        return TG_ERR_INPUT;
    }
    unsigned len = 0;
    bool fine = X509_digest(certificate, EVP_sha256(), ret, &len) == 1 && len == 32 && end_of(certificate, not_after_s);
    X509_free(certificate);
    if (!fine) { /* an end that is no date */
        tg_contexts_forget_errors();
        tg_wipe(ret, 32);
        *not_after_s = 0;
        return TG_ERR_INPUT;
    }
    return TG_OK;
}
