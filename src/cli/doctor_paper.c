/*
 * doctor_paper.c - the papers of an instance: certificates, their keys, the revocation list.
 */
#include "cli/doctor.h"

#include "crypto/crypto.h"
#include "crypto/x509.h"
#include "crypto/x509_check.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define CERTIFICATE_WARN_S (30 * 86400)
#define CRL_WARN_S (7 * 86400)
#define PAPER_BYTES_MAX 65536 /* a bundle with its chain */

struct paper {
    struct tg_buf buf;
    uint8_t bytes[PAPER_BYTES_MAX];
};

static bool paper_read(struct tg_doctor *doctor, const char *name, struct paper *paper)
{
    char path[TG_PATH_BYTES_MAX];

    paper->buf = tg_buf(paper->bytes, sizeof(paper->bytes));
    return tg_file_read(tg_instance_path(&doctor->instance, name, path), false, &paper->buf) == TG_OK;
}

static bool check_certificate(struct tg_doctor *doctor, const char *name, struct paper *paper)
{
    uint8_t sha256[32];
    int64_t not_after_s = 0;
    int64_t left_s;

    if (!paper_read(doctor, name, paper) ||
        tg_x509_fingerprint(tg_buf_span(&paper->buf), sha256, &not_after_s) != TG_OK) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "put a PEM certificate there", "%s cannot be read", name);
        return false;
    }
    left_s = not_after_s - (int64_t)time(NULL);
    if (left_s <= 0) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "issue a new one, put it there, then: tollgate reload", "%s has ended",
                       name);
    } else if (left_s < CERTIFICATE_WARN_S) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "issue a new one, put it there, then: tollgate reload",
                       "%s ends in %d days", name, (int)(left_s / 86400));
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "%s is good for %d days", name, (int)(left_s / 86400));
    }
    return true;
}

static void check_key(struct tg_doctor *doctor, const struct paper *server)
{
    struct paper key;
    enum tg_err err;

    if (doctor->instance.separated && geteuid() != 0) {
        return; /* root's */
    }
    err = paper_read(doctor, "tls/server.key", &key)
              ? tg_x509_key_fits(tg_buf_span(&server->buf), tg_buf_span(&key.buf))
              : TG_ERR_INPUT;
    tg_wipe(&key, sizeof(key));
    if (err == TG_ERR_DENIED) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "put the key there that the certificate was issued for",
                       "tls/server.key is not the key of tls/server.pem");
    } else if (err != TG_OK) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, "put a PEM private key without a pass phrase there",
                       "tls/server.key cannot be read");
    }
}

static void check_names(struct tg_doctor *doctor, const struct paper *server)
{
    static const char *const any[] = {"0.0.0.0", "::"};
    struct paper trusted;
    char host[TG_ADDRESS_CHARS_MAX];
    uint16_t port;

    if (tg_address_parse(doctor->instance.listen, host, &port) == TG_OK && strcmp(host, any[0]) != 0 &&
        strcmp(host, any[1]) != 0 && tg_x509_names(tg_buf_span(&server->buf), host) == TG_ERR_DENIED) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "right only if clients call another name that it has",
                       "tls/server.pem does not name %s, where it is served", host);
    }
    if (paper_read(doctor, "client/ca.pem", &trusted) &&
        tg_x509_signed_by(tg_buf_span(&server->buf), tg_buf_span(&trusted.buf)) != TG_OK) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, "give clients the authority that signed tls/server.pem",
                       "clients that trust client/ca.pem refuse tls/server.pem: another authority signed it");
    }
}

static void check_list(struct tg_doctor *doctor, const struct paper *authority)
{
    static const char *const remedy = "issue a new list with the authority's key, put it there, then: tollgate reload";
    struct paper list;
    int64_t end_s = 0;
    int64_t now_s = (int64_t)time(NULL);
    enum tg_err err = paper_read(doctor, "tls/crl.pem", &list)
                          ? tg_x509_crl_end(tg_buf_span(&list.buf), tg_buf_span(&authority->buf), &end_s)
                          : TG_ERR_INPUT;

    if (err != TG_OK) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy,
                       "tls/crl.pem is no revocation list of tls/ca.pem: client certificates are refused");
    } else if (end_s != 0 && end_s <= now_s) {
        tg_doctor_find(doctor, TG_FINDING_FAULT, remedy,
                       "tls/crl.pem has ended: every client certificate is refused");
    } else if (end_s != 0 && end_s - now_s < CRL_WARN_S) {
        tg_doctor_find(doctor, TG_FINDING_WARNING, remedy, "tls/crl.pem ends in %d days",
                       (int)((end_s - now_s) / 86400));
    } else {
        tg_doctor_find(doctor, TG_FINDING_OK, NULL, "tls/crl.pem is in force");
    }
}

void tg_doctor_papers(struct tg_doctor *doctor)
{
    struct paper paper;

    if (check_certificate(doctor, "tls/server.pem", &paper)) {
        check_key(doctor, &paper);
        check_names(doctor, &paper);
    }
    if (check_certificate(doctor, "tls/ca.pem", &paper)) {
        check_list(doctor, &paper);
    }
}
