/*
 * x509_check_test.c - keys, signers, names and lists: the right ones, the wrong ones, and what is none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/x509.h"
#include "crypto/x509_check.h"

#define NOW_S INT64_C(1770000000)

struct pair {
    struct tg_buf certificate;
    struct tg_buf key;
    uint8_t bytes[2][TG_PEM_BYTES_MAX];
};

static struct pair authority;
static struct pair stranger;
static struct pair server;
static struct tg_span none = {NULL, 0};

static void issue(struct pair *pair, const struct tg_certificate_wish *wish, const struct pair *issuer)
{
    pair->certificate = tg_buf(pair->bytes[0], TG_PEM_BYTES_MAX);
    pair->key = tg_buf(pair->bytes[1], TG_PEM_BYTES_MAX);
    assert_int_equal(tg_x509_issue(wish, issuer == NULL ? none : tg_buf_span(&issuer->certificate),
                                   issuer == NULL ? none : tg_buf_span(&issuer->key), &pair->certificate, &pair->key),
                     TG_OK);
}

static int make_papers(void **state)
{
    (void)state;
    static const char *const names[] = {"pay.example", "192.0.2.7", NULL};
    const struct tg_certificate_wish root = {.common_name = "A", .days = 10, .authority = true, .now_s = NOW_S};
    const struct tg_certificate_wish leaf = {.common_name = "L", .names = names, .days = 5, .now_s = NOW_S};
    issue(&authority, &root, NULL);
    issue(&stranger, &root, NULL);
    issue(&server, &leaf, &authority);
    return 0;
}

static void test_keys(void **state)
{
    (void)state;
    struct tg_span certificate = tg_buf_span(&server.certificate);
    assert_int_equal(tg_x509_key_fits(certificate, tg_buf_span(&server.key)), TG_OK);
    assert_int_equal(tg_x509_key_fits(certificate, tg_buf_span(&authority.key)), TG_ERR_DENIED);
    assert_int_equal(tg_x509_key_fits(certificate, certificate), TG_ERR_INPUT);
    assert_int_equal(tg_x509_key_fits(none, tg_buf_span(&server.key)), TG_ERR_INPUT);
}

static void test_signers(void **state)
{
    (void)state;
    struct tg_span certificate = tg_buf_span(&server.certificate);
    assert_int_equal(tg_x509_signed_by(certificate, tg_buf_span(&authority.certificate)), TG_OK);
    /* The same name with another key is another authority. */
    assert_int_equal(tg_x509_signed_by(certificate, tg_buf_span(&stranger.certificate)), TG_ERR_DENIED);
    assert_int_equal(tg_x509_signed_by(certificate, TG_SPAN("no PEM")), TG_ERR_INPUT);
}

static void test_names(void **state)
{
    (void)state;
    struct tg_span certificate = tg_buf_span(&server.certificate);
    assert_int_equal(tg_x509_names(certificate, "pay.example"), TG_OK);
    assert_int_equal(tg_x509_names(certificate, "192.0.2.7"), TG_OK);
    assert_int_equal(tg_x509_names(certificate, "192.0.2.8"), TG_ERR_DENIED);
    assert_int_equal(tg_x509_names(certificate, "other.example"), TG_ERR_DENIED);
    assert_int_equal(tg_x509_names(none, "pay.example"), TG_ERR_INPUT);
}

static void test_lists(void **state)
{
    (void)state;
    uint8_t bytes[TG_PEM_BYTES_MAX];
    struct tg_buf crl = tg_buf(bytes, sizeof(bytes));
    int64_t end_s = 0;
    assert_int_equal(tg_x509_crl(tg_buf_span(&authority.certificate), tg_buf_span(&authority.key), NOW_S, 3, &crl),
                     TG_OK);
    assert_int_equal(tg_x509_crl_end(tg_buf_span(&crl), tg_buf_span(&authority.certificate), &end_s), TG_OK);
    assert_true(end_s >= NOW_S + 2 * 86400 && end_s <= NOW_S + 3 * 86400);
    assert_int_equal(tg_x509_crl_end(tg_buf_span(&crl), tg_buf_span(&stranger.certificate), &end_s), TG_ERR_DENIED);
    assert_int_equal(tg_x509_crl_end(TG_SPAN("x"), tg_buf_span(&authority.certificate), &end_s), TG_ERR_INPUT);
    assert_int_equal(end_s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_signers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, make_papers, NULL);
}
