/*
 * x509_test.c - an authority, a server, a client and a CRL that OpenSSL itself accepts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/x509.h"

#define NOW_S INT64_C(1770000000) /* 2026-02-02 02:40:00 UTC */

struct pair {
    struct tg_buf certificate;
    struct tg_buf key;
    uint8_t certificate_bytes[TG_PEM_BYTES_MAX];
    uint8_t key_bytes[TG_PEM_BYTES_MAX];
};

static struct pair authority;
static struct pair server;

static enum tg_err issue(struct pair *pair, const struct tg_certificate_wish *wish, const struct pair *issuer)
{
    struct tg_span none = {NULL, 0};
    pair->certificate = tg_buf(pair->certificate_bytes, TG_PEM_BYTES_MAX);
    pair->key = tg_buf(pair->key_bytes, TG_PEM_BYTES_MAX);
    return tg_x509_issue(wish, issuer == NULL ? none : tg_buf_span(&issuer->certificate),
                         issuer == NULL ? none : tg_buf_span(&issuer->key), &pair->certificate, &pair->key);
}

static X509 *parse(const struct tg_buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->ptr, (int)pem->len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static int make_both(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};
    const struct tg_certificate_wish root = {
        .common_name = "test authority", .days = 3650, .authority = true, .now_s = NOW_S};
    const struct tg_certificate_wish leaf = {
        .common_name = "localhost", .names = names, .days = 90, .now_s = NOW_S, .crl_url = "http://localhost/crl.pem"};
    return issue(&authority, &root, NULL) == TG_OK && issue(&server, &leaf, &authority) == TG_OK ? 0 : 1;
}

static int verify(X509 *root, X509 *leaf, X509_CRL *crl, int64_t at_s)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, root);
    if (crl != NULL) {
        X509_STORE_add_crl(store, crl);
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    X509_STORE_CTX_set_time(context, 0, (time_t)at_s);
    X509_verify_cert(context);
    int error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
}

static void test_chain(void **state)
{
    (void)state;
    X509 *root = parse(&authority.certificate);
    X509 *leaf = parse(&server.certificate);
    assert_int_equal(verify(root, leaf, NULL, NOW_S), X509_V_OK);
    assert_int_equal(verify(root, leaf, NULL, NOW_S - 3599), X509_V_OK);
    assert_int_equal(verify(root, leaf, NULL, NOW_S - 3601), X509_V_ERR_CERT_NOT_YET_VALID);
    assert_int_equal(verify(root, leaf, NULL, NOW_S + 91 * 86400), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "example.com", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 0);
    assert_int_equal(X509_check_ca(root), 1);
    X509_free(leaf);
    X509_free(root);
}

static void test_crl(void **state)
{
    (void)state;
    uint8_t bytes[TG_PEM_BYTES_MAX];
    struct tg_buf text = tg_buf(bytes, sizeof(bytes));
    assert_int_equal(tg_x509_crl(tg_buf_span(&authority.certificate), tg_buf_span(&authority.key), NOW_S, 30, &text),
                     TG_OK);
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    X509 *root = parse(&authority.certificate);
    X509 *leaf = parse(&server.certificate);
    assert_non_null(crl);
    assert_int_equal(verify(root, leaf, crl, NOW_S), X509_V_OK);
    uint8_t binary[TG_PEM_BYTES_MAX];
    struct tg_buf der = tg_buf(binary, sizeof(binary));
    assert_int_equal(tg_x509_crl_der(tg_buf_span(&text), &der), TG_OK);
    const unsigned char *at = der.ptr;
    X509_CRL *same = d2i_X509_CRL(NULL, &at, (long)der.len);
    assert_non_null(same);
    assert_int_equal(X509_CRL_cmp(crl, same), 0);
    X509_CRL_free(same);
    der = tg_buf(binary, sizeof(binary));
    assert_int_equal(tg_x509_crl_der(tg_buf_span(&authority.certificate), &der), TG_ERR_INPUT);
    assert_int_equal(verify(root, leaf, crl, NOW_S + 31 * 86400), X509_V_ERR_CRL_HAS_EXPIRED);
    X509_free(leaf);
    X509_free(root);
    X509_CRL_free(crl);
    BIO_free(bio);
    /* A key that is not the authority's. */
    assert_int_equal(tg_x509_crl(tg_buf_span(&authority.certificate), tg_buf_span(&server.key), NOW_S, 30, &text),
                     TG_ERR_INPUT);
}

static void test_fingerprint(void **state)
{
    (void)state;
    uint8_t ours[32];
    uint8_t theirs[32];
    int64_t end_s = 0;
    unsigned len = 0;
    assert_int_equal(tg_x509_fingerprint(tg_buf_span(&server.certificate), ours, &end_s), TG_OK);
    X509 *leaf = parse(&server.certificate);
    assert_int_equal(X509_digest(leaf, EVP_sha256(), theirs, &len), 1);
    assert_memory_equal(ours, theirs, 32);
    assert_true(end_s == NOW_S + 90 * 86400);
    X509_free(leaf);
    assert_int_equal(tg_x509_fingerprint(TG_SPAN("-----BEGIN CERTIFICATE-----\nAAAA\n"), ours, &end_s), TG_ERR_INPUT);
    assert_int_equal(tg_x509_fingerprint((struct tg_span){NULL, 0}, ours, &end_s), TG_ERR_INPUT);
    assert_int_equal(ERR_peek_error(), 0);
}

/* A whole certificate whose end is no date: refused, and nothing of it is left in the output. */
static void test_fingerprint_without_end(void **state)
{
    (void)state;
    uint8_t ours[32];
    static const uint8_t zero[32];
    int64_t end_s = 1;
    char *pem = NULL;
    X509 *leaf = parse(&server.certificate);
    ASN1_TIME *end = ASN1_STRING_type_new(V_ASN1_UTCTIME);
    assert_int_equal(ASN1_STRING_set(end, "991399000000Z", 13), 1);
    assert_int_equal(X509_set1_notAfter(leaf, end), 1);
    assert_true(i2d_re_X509_tbs(leaf, NULL) > 0); /* else the old encoding is written */
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, leaf), 1);
    long len = BIO_get_mem_data(bio, &pem);
    assert_int_equal(tg_x509_fingerprint(tg_span(pem, (size_t)len), ours, &end_s), TG_ERR_INPUT);
    assert_memory_equal(ours, zero, 32);
    assert_int_equal(end_s, 0);
    assert_int_equal(ERR_peek_error(), 0);
    BIO_free(bio);
    ASN1_STRING_free(end);
    X509_free(leaf);
}

static void test_wishes_refused(void **state)
{
    (void)state;
    static struct pair pair;
    static const char *const bad_names[] = {"a,DNS:b", NULL};
    struct tg_certificate_wish wish = {
        .common_name = "x", .names = bad_names, .days = 1, .client = true, .now_s = NOW_S};
    assert_int_not_equal(issue(&pair, &wish, &authority), TG_OK);
    wish.names = NULL;
    assert_int_equal(issue(&pair, &wish, &authority), TG_OK);
    X509 *leaf = parse(&pair.certificate);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 0);
    X509_free(leaf);
    assert_int_equal(issue(&pair, &wish, NULL), TG_ERR_INPUT); /* self-signed, yet no authority */
    wish.crl_url = "http://x/,URI:http://y/";
    assert_int_not_equal(issue(&pair, &wish, &authority), TG_OK);
    wish.crl_url = NULL;
    wish.days = 0;
    assert_int_equal(issue(&pair, &wish, &authority), TG_ERR_INPUT);
    tg_wipe(pair.key_bytes, sizeof(pair.key_bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_crl),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_fingerprint_without_end),
        cmocka_unit_test(test_wishes_refused),
    };
    return cmocka_run_group_tests(tests, make_both, NULL);
}
