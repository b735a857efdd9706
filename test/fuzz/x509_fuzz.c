/*
 * x509_fuzz.c - any bytes as a PEM text, or as a certificate's DER that is then wrapped (the first byte says which).
 *
 * Promises to find: a crash or a leak on the way through OpenSSL, a fingerprint that changes with line ends or with
 * what stands around the certificate, an output that is filled after a refusal.
 */
#include <string.h>

#include "crypto/x509.h"
#include "crypto/x509_check.h"

#include "naive.h"

#define DER_BYTES_MAX 4096

static uint8_t room[3 * DER_BYTES_MAX];

/* RFC 7468 2, with these line ends. */
static struct tg_span wrapped(struct tg_span der, const char *before, const char *end)
{
    static const char letters[] = NAIVE_UPPER NAIVE_LOWER NAIVE_DIGITS "+/";
    struct tg_buf out = tg_buf(room, sizeof(room));
    tg_buf_put_string(&out, before);
    tg_buf_put_string(&out, "-----BEGIN CERTIFICATE-----");
    tg_buf_put_string(&out, end);
    for (size_t i = 0; i < der.len; i += 3) {
        size_t left = der.len - i;
        uint32_t three = (uint32_t)der.ptr[i] << 16 | (left > 1 ? (uint32_t)der.ptr[i + 1] << 8 : 0) |
                         (left > 2 ? der.ptr[i + 2] : 0);
        tg_buf_put_u8(&out, (uint8_t)letters[three >> 18]);
        tg_buf_put_u8(&out, (uint8_t)letters[three >> 12 & 63]);
        tg_buf_put_u8(&out, left > 1 ? (uint8_t)letters[three >> 6 & 63] : '=');
        tg_buf_put_u8(&out, left > 2 ? (uint8_t)letters[three & 63] : '=');
        if (i % 48 == 45) {
            tg_buf_put_string(&out, end);
        }
    }
    tg_buf_put_string(&out, end);
    tg_buf_put_string(&out, "-----END CERTIFICATE-----");
    tg_buf_put_string(&out, end);
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK);
    return tg_buf_span(&out);
}

static enum tg_err check(struct tg_span pem, uint8_t digest[32])
{
    int64_t end_s = -1;
    memset(digest, 0xa5, 32);
    enum tg_err err = tg_x509_fingerprint(pem, digest, &end_s);
    uint8_t any = 0;
    for (size_t i = 0; i < 32; i++) {
        any |= digest[i];
    }
    tg_fuzz_expect(err == TG_OK ? any != 0 : any == 0 && end_s == 0);
    (void)(tg_x509_names(pem, "pay.example.test") == TG_OK);
    (void)(tg_x509_signed_by(pem, pem) == TG_OK);
    (void)(tg_x509_crl_end(pem, pem, &end_s) == TG_OK);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size < DER_BYTES_MAX ? size : DER_BYTES_MAX);
    uint8_t first[32];
    uint8_t second[32];
    if (tg_fuzz_u8(&input) % 2 == 0) {
        (void)(check(input, first) == TG_OK);
        return 0;
    }
    enum tg_err err = check(wrapped(input, "", "\n"), first);
    tg_fuzz_expect(check(wrapped(input, "a word before\n", "\r\n"), second) == err && memcmp(first, second, 32) == 0);
    return 0;
}
