/*
 * generic.c - JSON in, JSON out.
 *
 * Promises: see generic.h.
 */
#include "generic.h"

#include <string.h>

#include "form.h"

#define LIST_DEFAULT 20
#define LIST_MAX 100

static const char *const status_names[] = {
    [TG_PAYMENT_OPEN] = "open",     [TG_PAYMENT_AUTHORIZED] = "authorized", [TG_PAYMENT_CAPTURED] = "captured",
    [TG_PAYMENT_VOIDED] = "voided", [TG_PAYMENT_DECLINED] = "declined",
};

json_t *tg_generic_show(const struct tg_payment *payment)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:{s:s}, s:{s:s}, s:s, s:s, s:I}", "id", payment->id, "status",
                     status_names[payment->status], "amount", (json_int_t)payment->amount, "captured",
                     (json_int_t)payment->captured, "refunded", (json_int_t)payment->refunded, "currency",
                     payment->currency, "payee", "account", payment->payee, "payer", "id", payment->payer, "reference",
                     payment->reference, "request_id", payment->request_id, "created_s",
                     (json_int_t)payment->created_s);
}

/* The body as an object; an empty one when empty is allowed. NULL: the answer is set. */
static json_t *read_body(struct tg_call *call, bool may_be_empty)
{
    struct tg_span body = call->http->body;
    if (!tg_request_is_type(call->http, TG_SPAN("application/json"))) {
        tg_request_fail(call, 415, "media_type", "The body must be application/json.");
        return NULL;
    }
    if (body.len == 0 && may_be_empty) {
        return json_object();
    }
    json_t *value = json_loadb((const char *)body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        tg_request_fail(call, 400, "body", "The body must be one JSON object without repeated members.");
        return NULL;
    }
    return value;
}

/* Copies a string member; absent is "" when optional. False: wrong type, too long, or missing. */
static bool read_text(const json_t *object, const char *name, bool required, char *ret, size_t cap)
{
    const json_t *value = json_object_get(object, name);
    ret[0] = '\0';
    if (value == NULL) {
        return !required;
    }
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len >= cap || (required && len == 0)) {
        return false;
    }
    memcpy(ret, json_string_value(value), len);
    ret[len] = '\0';
    return true;
}

/* 0 when absent and optional. False: the answer is set. */
static bool read_amount(struct tg_call *call, const json_t *object, bool required, int64_t *ret)
{
    const json_t *value = json_object_get(object, "amount");
    *ret = 0;
    if (value == NULL && !required) {
        return true;
    }
    if (!json_is_integer(value)) {
        tg_request_fail(call, 400, "amount", "The amount must be an integer in minor units.");
        return false;
    }
    *ret = json_integer_value(value);
    if (*ret < 1 || *ret > TG_PAYMENTS_AMOUNT_MAX) {
        tg_request_fail(call, 422, "amount", "The amount is out of range.");
        return false;
    }
    return true;
}

static bool is_currency(const char *text)
{
    for (size_t i = 0; i < 3; i++) {
        if (text[i] < 'A' || text[i] > 'Z') {
            return false;
        }
    }
    return text[3] == '\0';
}

/* Tokens only: a bare run of digits could be a card number, which this book must never hold. */
static bool is_token(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if ((text[i] < '0' || text[i] > '9') && text[i] != ' ' && text[i] != '-') {
            return true;
        }
    }
    return text[0] == '\0';
}

static bool read_parties(const json_t *body, struct tg_payment *payment)
{
    const json_t *payer = json_object_get(body, "payer");
    const json_t *instrument = json_object_get(body, "instrument");
    if ((payer != NULL && !json_is_object(payer)) || (instrument != NULL && !json_is_object(instrument))) {
        return false;
    }
    bool fine = read_text(json_object_get(body, "payee"), "account", true, payment->payee, sizeof(payment->payee)) &&
                read_text(payer, "id", payer != NULL, payment->payer, sizeof(payment->payer)) &&
                read_text(instrument, "token", instrument != NULL, payment->instrument, sizeof(payment->instrument)) &&
                read_text(body, "reference", false, payment->reference, sizeof(payment->reference));
    if (payer == NULL) {
        memcpy(payment->payer, "guest", sizeof("guest"));
    }
    return fine && is_token(payment->instrument);
}

static bool read_payment(struct tg_call *call, const json_t *body, struct tg_payment *payment)
{
    const json_t *capture = json_object_get(body, "capture");
    payment->created_s = call->ask.now_s;
    payment->dialect = TG_DIALECT_GENERIC;
    memcpy(payment->request_id, call->request_id, sizeof(payment->request_id));
    payment->capture = capture == NULL || json_is_true(capture);
    if (!read_amount(call, body, true, &payment->amount)) {
        return false;
    }
    if (!read_text(body, "currency", true, payment->currency, sizeof(payment->currency)) ||
        !is_currency(payment->currency)) {
        tg_request_fail(call, 422, "currency", "The currency must be three upper-case letters.");
        return false;
    }
    if ((capture != NULL && !json_is_boolean(capture)) || !read_parties(body, payment)) {
        tg_request_fail(call, 422, "members",
                        "payee.account, payer.id, instrument.token, capture or reference is not right.");
        return false;
    }
    return true;
}

static void answer_verdict(struct tg_call *call, enum tg_payments_verdict verdict, int status,
                           const struct tg_payment *payment)
{
    switch (verdict) {
    case TG_PAYMENTS_DONE:
        tg_request_answer(call, status, tg_generic_show(payment));
        break;
    case TG_PAYMENTS_ABSENT:
        tg_request_fail(call, 404, "not_found", "There is no such payment.");
        break;
    case TG_PAYMENTS_STATE:
        tg_request_fail(call, 409, "state", "The payment is not in a state that allows this.");
        break;
    case TG_PAYMENTS_AMOUNT:
        tg_request_fail(call, 422, "amount", "The amount is more than there is.");
        break;
    case TG_PAYMENTS_DECLINED:
        tg_request_fail(call, 402, "declined", "The bank declined this payment.");
        break;
    }
}

void tg_generic_create(struct tg_call *call)
{
    json_t *body = read_body(call, false);
    if (body == NULL) {
        return;
    }
    struct tg_payment payment = {0};
    if (read_payment(call, body, &payment)) {
        answer_verdict(call, tg_payments_create(&call->service->payments, &payment, true), 201, &payment);
    }
    json_decref(body);
}

void tg_generic_get(struct tg_call *call)
{
    struct tg_payment payment;
    answer_verdict(call, tg_payments_get(&call->service->payments, TG_DIALECT_GENERIC, call->id, &payment), 200,
                   &payment);
}

static void append(void *rows, const struct tg_payment *payment)
{
    json_array_append_new(rows, tg_generic_show(payment));
}

void tg_generic_list(struct tg_call *call)
{
    uint8_t bytes[4096];
    struct tg_arena arena = tg_arena(bytes, sizeof(bytes));
    struct tg_form query;
    int64_t limit = LIST_DEFAULT;
    enum tg_err err = tg_form_read(call->http->query, &arena, &query);
    char request_id[TG_PAYMENTS_REQUEST_ID_BYTES_MAX + 1] = "";
    if (err == TG_OK && tg_form_value(&query, TG_SPAN("limit")).ptr != NULL) {
        err = tg_form_number(tg_form_value(&query, TG_SPAN("limit")), LIST_MAX, &limit);
    }
    struct tg_span wanted = err == TG_OK ? tg_form_value(&query, TG_SPAN("request_id")) : tg_span(NULL, 0);
    if (err != TG_OK || limit == 0 || wanted.len > TG_PAYMENTS_REQUEST_ID_BYTES_MAX) {
        tg_request_fail(call, 400, "query", "limit (1 to 100) or request_id is not right.");
        return;
    }
    json_t *rows = json_array();
    bool more = false;
    /* A filter that is there but empty selects nothing: an oracle must not answer "all" by mistake. */
    if (wanted.ptr == NULL || wanted.len > 0) {
        if (wanted.len > 0) {
            memcpy(request_id, wanted.ptr, wanted.len);
        }
        more = tg_payments_list(&call->service->payments, TG_DIALECT_GENERIC, request_id, 0, limit, append, rows);
    }
    tg_request_answer(call, 200, json_pack("{s:o, s:b}", "data", rows, "has_more", more));
}

/* Capture and refund: read the payment and the amount. */
static bool read_change(struct tg_call *call, struct tg_payment *payment, int64_t *amount)
{
    json_t *body = read_body(call, true);
    if (body == NULL) {
        return false;
    }
    enum tg_payments_verdict verdict = tg_payments_get(&call->service->payments, TG_DIALECT_GENERIC, call->id, payment);
    if (verdict != TG_PAYMENTS_DONE) {
        answer_verdict(call, verdict, 0, payment);
    }
    bool fine = verdict == TG_PAYMENTS_DONE && read_amount(call, body, false, amount);
    json_decref(body);
    return fine;
}

void tg_generic_capture(struct tg_call *call)
{
    struct tg_payment payment;
    int64_t amount;
    if (read_change(call, &payment, &amount)) {
        answer_verdict(call, tg_payments_capture(&call->service->payments, &call->ask, &payment, amount, false), 200,
                       &payment);
    }
}

void tg_generic_refund(struct tg_call *call)
{
    struct tg_payment payment;
    struct tg_refund refund;
    int64_t amount;
    if (read_change(call, &payment, &amount)) {
        answer_verdict(call, tg_payments_refund(&call->service->payments, &call->ask, &payment, amount, &refund), 200,
                       &payment);
    }
}

void tg_generic_void(struct tg_call *call)
{
    struct tg_payment payment;
    int64_t amount;
    if (read_change(call, &payment, &amount)) {
        answer_verdict(call, tg_payments_void(&call->service->payments, &call->ask, &payment), 200, &payment);
    }
}

void tg_generic_note(struct tg_call *call)
{
    json_t *body = read_body(call, true);
    if (body == NULL) {
        return;
    }
    char text[TG_PAYMENTS_TEXT_BYTES_MAX + 1];
    if (!read_text(body, "text", false, text, sizeof(text))) {
        tg_request_fail(call, 422, "members", "text must be a string of at most 255 bytes.");
    } else {
        int64_t number = tg_payments_note(&call->service->payments, &call->ask, text);
        tg_request_answer(call, 201,
                          json_pack("{s:I, s:s}", "number", (json_int_t)number, "request_id", call->request_id));
    }
    json_decref(body);
}
