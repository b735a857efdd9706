/*
 * issue.c - see issue.h.
 */
#include "cli/issue.h"

#include "cli/command.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"

struct issue_papers {
    uint8_t authority[TG_PEM_BYTES_MAX];
    uint8_t authority_key[TG_PEM_BYTES_MAX];
    uint8_t server[TG_PEM_BYTES_MAX];
    uint8_t server_key[TG_PEM_BYTES_MAX];
    uint8_t crl[TG_PEM_BYTES_MAX];
    uint8_t crl_der[TG_PEM_BYTES_MAX];
};

static enum tg_err papers_write(const struct tg_instance *instance, const char *name, mode_t mode,
                                const struct tg_buf *buf)
{
    char path[TG_PATH_BYTES_MAX];

    return tg_file_new(tg_instance_path(instance, name, path), mode, TG_OWNER_SELF, tg_buf_span(buf));
}

static enum tg_err papers_read(const char *joins, const char *name, struct tg_buf *buf)
{
    char path[TG_PATH_BYTES_MAX];
    enum tg_err err = tg_path_join(path, joins, name);

    return err == TG_OK ? tg_file_read(path, true, buf) : err;
}

/* The joined instance's authority: who trusts one gate trusts both, and what it has revoked is revoked at both. */
static enum tg_err authority_take(const char *joins, struct tg_buf *authority, struct tg_buf *authority_key,
                                  struct tg_buf *crl)
{
    enum tg_err err = papers_read(joins, "tls/ca.pem", authority);

    if (err == TG_OK) {
        err = papers_read(joins, "tls/ca.key", authority_key);
    }
    return err == TG_OK ? papers_read(joins, "tls/crl.pem", crl) : err;
}

static enum tg_err authority_make(int64_t now_s, struct tg_buf *authority, struct tg_buf *authority_key,
                                  struct tg_buf *crl)
{
    const struct tg_certificate_wish root = {.common_name = "Tollgate instance authority",
                                             .days = TG_ISSUE_AUTHORITY_DAYS,
                                             .authority = true,
                                             .now_s = now_s};
    enum tg_err err = tg_x509_issue(&root, tg_span(NULL, 0), tg_span(NULL, 0), authority, authority_key);

    return err == TG_OK ? tg_x509_crl(tg_buf_span(authority), tg_buf_span(authority_key), now_s, TG_ISSUE_CRL_DAYS, crl)
                        : err;
}

static enum tg_err papers_make(const struct tg_instance *instance, const char *const *names, const char *crl_url,
                               int64_t now_s, struct issue_papers *papers)
{
    struct tg_buf authority = tg_buf(papers->authority, sizeof(papers->authority));
    struct tg_buf authority_key = tg_buf(papers->authority_key, sizeof(papers->authority_key));
    struct tg_buf server = tg_buf(papers->server, sizeof(papers->server));
    struct tg_buf server_key = tg_buf(papers->server_key, sizeof(papers->server_key));
    struct tg_buf crl = tg_buf(papers->crl, sizeof(papers->crl));
    struct tg_buf crl_der = tg_buf(papers->crl_der, sizeof(papers->crl_der));
    const struct tg_certificate_wish leaf = {
        .common_name = names[0], .names = names, .crl_url = crl_url, .days = TG_ISSUE_SERVER_DAYS, .now_s = now_s};
    const struct {
        const char *name;
        mode_t mode;
        const struct tg_buf *buf;
    } files[] = {{"tls/ca.pem", 0644, &authority},   {"tls/ca.key", 0600, &authority_key},
                 {"tls/server.pem", 0644, &server},  {"tls/server.key", 0600, &server_key},
                 {"tls/crl.pem", 0644, &crl},        {"tls/crl.der", 0644, &crl_der},
                 {"client/ca.pem", 0644, &authority}};
    enum tg_err err = instance->joins[0] != '\0' ? authority_take(instance->joins, &authority, &authority_key, &crl)
                                                 : authority_make(now_s, &authority, &authority_key, &crl);
    size_t i;

    if (err != TG_OK && instance->joins[0] != '\0') {
        tg_complain("the authority of %s is needed, to make a certificate that its callers trust", instance->joins);
        return err;
    }
    if (err == TG_OK) {
        err = tg_x509_issue(&leaf, tg_buf_span(&authority), tg_buf_span(&authority_key), &server, &server_key);
    }
    if (err == TG_OK) {
        err = tg_x509_crl_der(tg_buf_span(&crl), &crl_der);
    }
    if (err != TG_OK) {
        tg_complain("the certificates could not be made: %s. Are the --name values DNS names or addresses?",
                    tg_err_name(err));
        return err;
    }
    for (i = 0; err == TG_OK && i < sizeof(files) / sizeof(files[0]); i++) {
        err = papers_write(instance, files[i].name, files[i].mode, files[i].buf);
    }
    return err;
}

enum tg_err tg_issue_certificates(const struct tg_instance *instance, const char *const *names, const char *crl_url,
                                  int64_t now_s)
{
    struct issue_papers papers;
    enum tg_err err = papers_make(instance, names, crl_url, now_s, &papers);

    tg_wipe(&papers, sizeof(papers));
    return err;
}
