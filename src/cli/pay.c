/*
 * pay.c - `tollgate pay`: one payment through the gate, and what became of it.
 */
#include "cli/command.h"
#include "cli/file.h"
#include "cli/payment.h"
#include "core/payment/money.h"
#include "crypto/crypto.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PAY_ANSWER_BYTES_MAX 300 /* of an upstream's refusal on the terminal; --json has all of it */

const struct tg_option tg_options_pay[] = {
    TG_OPTION_HELP,
    TG_OPTION_JSON,
    {"url", 0, TG_OPTION_TEXT, "URL", "the gate, as https://127.0.0.1:8443"},
    {"key-file", 0, TG_OPTION_TEXT, "FILE", "API key; without it none is sent"},
    {"ca", 0, TG_OPTION_TEXT, "FILE", "PEM of the authority that signed the gate's certificate"},
    {"idempotency-key", 0, TG_OPTION_TEXT, "KEY", "keep it for retries of this payment; without it none is sent"},
    {"amount", 0, TG_OPTION_TEXT, "N", "minor units: 1050 EUR is 10.50, 500 JPY is 500"},
    {"raw-amount", 0, TG_OPTION_TEXT, "TEXT", "put this in the amount's place as it is, to try bad input"},
    {"currency", 0, TG_OPTION_TEXT, "CODE", "ISO 4217 (EUR)"},
    {"payee", 0, TG_OPTION_TEXT, "ID", "who is paid"},
    {"payer", 0, TG_OPTION_TEXT, "ID", "who pays"},
    {"instrument", 0, TG_OPTION_TEXT, "TOKEN", "with what: a token, never a card number"},
    {"operation", 0, TG_OPTION_TEXT, "NAME", "operation of the profile (the first that takes an amount)"},
    {"id", 0, TG_OPTION_TEXT, "ID", "the payment that the operation is about"},
    {"profile", 0, TG_OPTION_TEXT, "NAME|FILE", "dialect: a shipped name, or a file NAME.json (generic-json)"},
    {"body-file", 0, TG_OPTION_TEXT, "FILE", "send this body instead"},
    {"content-type", 0, TG_OPTION_TEXT, "TYPE", "say this of the body (the operation's own)"},
    {"http1.1", 0, TG_OPTION_FLAG, NULL, "not HTTP/2"},
    {"timeout", 0, TG_OPTION_TEXT, "SECONDS", "wait so long (30)"},
    TG_OPTION_END,
};

struct pay {
    struct tg_payment payment;
    struct tg_dialect dialect;
    char key[TG_KEY_FILE_BYTES_MAX];
    char amount[32];
    uint8_t *body;
};

static int pay_operation(const struct tg_arguments *arguments, struct pay *pay)
{
    const char *name = tg_arguments_text(arguments, "operation");
    size_t i;

    if (tg_payment_dialect(tg_arguments_text_or(arguments, "profile", "generic-json"), &pay->dialect) != TG_OK) {
        return TG_EXIT_REFUSED;
    }
    pay->payment.dialect = &pay->dialect;
    if (name != NULL) {
        pay->payment.operation = tg_dialect_operation(&pay->dialect, tg_span_string(name));
    }
    for (i = 0; name == NULL && pay->payment.operation == NULL && i < pay->dialect.profile->operation_count; i++) {
        if (pay->dialect.profile->operations[i].amount_required) {
            pay->payment.operation = &pay->dialect.profile->operations[i];
        }
    }
    if (pay->payment.operation == NULL) {
        return tg_usage("pay: the profile has no operation \"%.64s\"", name == NULL ? "with an amount" : name);
    }
    return TG_EXIT_OK;
}

static int pay_amount(struct tg_arguments *arguments, struct pay *pay)
{
    struct tg_dialect_wish *wish = &pay->payment.wish;
    struct tg_buf out = tg_buf(pay->amount, sizeof(pay->amount) - 1);
    char code[4];
    uint8_t exponent = 2;
    int64_t amount = -1;

    wish->amount = tg_arguments_text(arguments, "raw-amount");
    wish->amount_raw = wish->amount != NULL;
    wish->currency = tg_arguments_text_or(arguments, "currency", "EUR");
    if (tg_arguments_number(arguments, "amount", 0, TG_AMOUNT_MINOR_MAX, &amount) != TG_OK) {
        return tg_usage("pay: %s, in minor units: 1050 is 10.50 EUR", arguments->why);
    }
    if (amount < 0) {
        if (wish->amount == NULL && pay->payment.operation->amount_required && pay->payment.body.ptr == NULL) {
            return tg_usage("pay: --amount N is needed, in minor units");
        }
        return TG_EXIT_OK;
    }
    (void)!tg_currency_find(tg_span_string(wish->currency), code, &exponent); /* unknown ones are the gate's to refuse */
    if (wish->amount == NULL && tg_dialect_amount(pay->payment.operation, amount, exponent, &out) == TG_OK) {
        wish->amount = pay->amount;
    }
    return TG_EXIT_OK;
}

static int pay_prepare(struct tg_arguments *arguments, struct pay *pay)
{
    struct tg_payment *payment = &pay->payment;
    const char *key_file = tg_arguments_text(arguments, "key-file");
    const char *body_file = tg_arguments_text(arguments, "body-file");
    int64_t wait_s = TG_PAYMENT_WAIT_MS / 1000;
    int code = pay_operation(arguments, pay);

    if (code != TG_EXIT_OK) {
        return code;
    }
    payment->url = tg_arguments_text(arguments, "url");
    payment->ca = tg_arguments_text(arguments, "ca");
    if (payment->url == NULL || strncmp(payment->url, "https://", 8) != 0) {
        return tg_usage("pay: --url https://HOST:PORT is needed");
    }
    if (payment->ca == NULL) {
        return tg_usage("pay: --ca FILE is needed: an instance keeps it at DIR/client/ca.pem");
    }
    if (tg_arguments_number(arguments, "timeout", 1, 3600, &wait_s) != TG_OK) {
        return tg_usage("pay: %s", arguments->why);
    }
    if (!tg_file_exists(payment->ca)) {
        tg_complain("there is no file %s: an instance keeps it at DIR/client/ca.pem", payment->ca);
        return TG_EXIT_USAGE;
    }
    if (key_file != NULL) {
        if (tg_file_read_line(key_file, pay->key, sizeof(pay->key)) != TG_OK) {
            return TG_EXIT_USAGE;
        }
        payment->key = pay->key;
    }
    if (body_file != NULL) {
        struct tg_buf buf;

        pay->body = malloc(TG_PAYMENT_BODY_BYTES_MAX);
        buf = tg_buf(pay->body, pay->body == NULL ? 0 : TG_PAYMENT_BODY_BYTES_MAX);
        if (pay->body == NULL || tg_file_read(body_file, true, &buf) != TG_OK) {
            return TG_EXIT_USAGE;
        }
        payment->body = tg_buf_span(&buf);
    }
    payment->wait_ms = (int)wait_s * 1000;
    payment->idempotency_key = tg_arguments_text(arguments, "idempotency-key");
    payment->content_type = tg_arguments_text(arguments, "content-type");
    if ((payment->idempotency_key != NULL && strpbrk(payment->idempotency_key, "\r\n") != NULL) ||
        (payment->content_type != NULL && strpbrk(payment->content_type, "\r\n") != NULL)) {
        return tg_usage("pay: a field's value cannot hold a line end");
    }
    payment->http1 = tg_arguments_flag(arguments, "http1.1");
    payment->wish.payee = tg_arguments_text(arguments, "payee");
    payment->wish.payer = tg_arguments_text(arguments, "payer");
    payment->wish.instrument = tg_arguments_text(arguments, "instrument");
    payment->wish.id = tg_arguments_text(arguments, "id");
    return pay_amount(arguments, pay);
}

static void answer_json(const struct tg_http_answer *answer, const struct tg_payment_told *told)
{
    json_error_t error;
    json_t *body = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_DECODE_ANY, &error);
    json_t *row = json_pack("{s:i, s:s?, s:i, s:s?, s:f, s:b, s:s?, s:s?, s:i, s:s?, s:b, s:o?}", "status",
                            answer->status, "reason", told->reason[0] == '\0' ? NULL : told->reason, "code",
                            told->code, "pointer", told->pointer[0] == '\0' ? NULL : told->pointer, "latency_ms",
                            (double)answer->latency_us / 1000.0, "replayed", answer->replayed ? 1 : 0, "request_id",
                            answer->request_id[0] == '\0' ? NULL : answer->request_id, "original_request_id",
                            answer->original_id[0] == '\0' ? NULL : answer->original_id, "retry_after_s",
                            answer->retry_after_s, "error", answer->error[0] == '\0' ? NULL : answer->error,
                            "maybe_sent", answer->maybe_sent ? 1 : 0, "answer", body);

    (void)json_dumpf(row, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    (void)printf("\n");
    json_decref(row);
}

static void line_say(const char *name, const char *text)
{
    if (text[0] != '\0') {
        (void)printf("%-12s %s\n", name, text);
    }
}

/* What the upstream said to a refusal of its own: the caller's to read, and short. */
static void upstream_say(const struct tg_http_answer *answer)
{
    size_t len = answer->body.len < PAY_ANSWER_BYTES_MAX ? answer->body.len : PAY_ANSWER_BYTES_MAX;
    size_t i;

    (void)printf("%-12s ", "upstream");
    for (i = 0; i < len; i++) {
        uint8_t byte = answer->body.ptr[i];

        (void)putchar(byte < 0x20 || byte > 0x7e ? ' ' : byte);
    }
    (void)printf("%s\n", len < answer->body.len ? " ..." : "");
}

static void answer_say(const struct tg_http_answer *answer, const struct tg_payment_told *told)
{
    char reason[TG_NAME_BYTES_MAX + 16];

    if (answer->status == 0) {
        (void)printf("%-12s none: %s\n", "status", answer->error);
        (void)printf("%-12s %s\n", "outcome",
                     answer->maybe_sent ? "NOT KNOWN: the request may have arrived. Ask again with the same key"
                                        : "nothing was sent");
        return;
    }
    (void)snprintf(reason, sizeof(reason), "%s (%d)", told->reason, told->code);
    (void)printf("%-12s %d\n", "status", answer->status);
    line_say("reason", told->reason[0] == '\0' ? "-" : reason);
    if (told->reason[0] == '\0' && (answer->status < 200 || answer->status > 299) && answer->body.len > 0) {
        upstream_say(answer);
    }
    line_say("title", told->title);
    line_say("pointer", told->pointer);
    (void)printf("%-12s %.1f ms\n", "latency", (double)answer->latency_us / 1000.0);
    (void)printf("%-12s %s\n", "replayed", answer->replayed ? "yes, from the record" : "no");
    line_say("request id", answer->request_id);
    line_say("first asked", answer->original_id);
    if (answer->retry_after_s > 0) {
        (void)printf("%-12s after %d s\n", "retry", answer->retry_after_s);
    }
    if (told->code > 0) {
        (void)printf("%-12s tollgate explain %d\n", "more", told->code);
    }
}

int tg_command_pay(struct tg_arguments *arguments)
{
    static struct pay pay;
    struct tg_http_answer answer;
    struct tg_payment_told told;
    int code = pay_prepare(arguments, &pay);

    if (code == TG_EXIT_OK && tg_http_start() != TG_OK) {
        code = TG_EXIT_REFUSED;
    }
    if (code == TG_EXIT_OK) {
        if (tg_payment_send(&pay.payment, &answer) == TG_OK) {
            tg_payment_told(&answer, &told);
            if (tg_arguments_flag(arguments, "json")) {
                answer_json(&answer, &told);
            } else {
                answer_say(&answer, &told);
            }
            code = tg_payment_exit(&answer, &told);
            tg_http_answer_free(&answer);
        } else {
            code = TG_EXIT_USAGE;
        }
        tg_http_stop();
    }
    tg_wipe(&pay.key, sizeof(pay.key));
    tg_dialect_close(&pay.dialect);
    free(pay.body);
    return code;
}
