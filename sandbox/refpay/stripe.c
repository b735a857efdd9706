/*
 * stripe.c - payment intents and refunds in Stripe's words.
 *
 * Promises: see stripe.h.
 */
#include "stripe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "form.h"

#define LIST_DEFAULT 10 /* Stripe's own */
#define LIST_MAX 100
#define VERSION_DEFAULT "2024-06-20"
#define VERSION_BYTES_MAX 64
#define KEY_BYTES_MAX 255
#define METADATA_KEYS_MAX 50

/* A body or a query, decoded. */
struct input {
    struct tg_form form;
    uint8_t bytes[2 * TG_HTTP_HEAD_BYTES_MAX]; /* larger forms are refused */
};

void tg_stripe_echo(struct tg_call *call)
{
    static uint64_t number; /* one thread; only to tell answers of one run apart */
    struct tg_buf *fields = &call->answer.fields;
    char id[32];
    snprintf(id, sizeof(id), "req_%014llx", (unsigned long long)++number);
    tg_buf_put_string(fields, "Request-Id: ");
    tg_buf_put_string(fields, id);
    tg_buf_put_string(fields, "\r\nStripe-Version: ");
    const struct tg_http_field *version = tg_http_field(call->http, TG_SPAN("stripe-version"));
    bool known = version != NULL && version->value.len > 0 && version->value.len <= VERSION_BYTES_MAX;
    tg_buf_put(fields, known ? version->value : TG_SPAN(VERSION_DEFAULT));
    const struct tg_http_field *key = tg_http_field(call->http, TG_SPAN("idempotency-key"));
    if (key != NULL && key->value.len > 0 && key->value.len <= KEY_BYTES_MAX) {
        tg_buf_put_string(fields, "\r\nIdempotency-Key: ");
        tg_buf_put(fields, key->value);
    }
    tg_buf_put_string(fields, "\r\n");
}

static void fail_param(struct tg_call *call, int status, const char *code, const char *param, const char *text)
{
    const char *type = status == 402 ? "card_error" : status >= 500 ? "api_error" : "invalid_request_error";
    json_t *error = json_pack("{s:s, s:s, s:s}", "type", type, "code", code, "message", text);
    if (param != NULL) {
        json_object_set_new(error, "param", json_string(param));
    }
    tg_request_answer(call, status, json_pack("{s:o}", "error", error));
}

void tg_stripe_fail(struct tg_call *call, int status, const char *code, const char *text)
{
    fail_param(call, status, status == 429 ? "rate_limit" : code, NULL, text);
}

static const char *status_name(const struct tg_payment *payment)
{
    switch (payment->status) {
    case TG_PAYMENT_AUTHORIZED:
        return "requires_capture";
    case TG_PAYMENT_CAPTURED:
        return "succeeded";
    case TG_PAYMENT_VOIDED:
        return "canceled";
    case TG_PAYMENT_OPEN:
        return payment->instrument[0] != '\0' ? "requires_confirmation" : "requires_payment_method";
    case TG_PAYMENT_DECLINED:
        break;
    }
    return "requires_payment_method";
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static void lower(const char *text, char ret[4])
{
    for (size_t i = 0; i < 3; i++) {
        ret[i] = (char)tolower((unsigned char)text[i]);
    }
    ret[3] = '\0';
}

static void charge_id(const char *intent, char ret[TG_PAYMENTS_ID_BYTES])
{
    snprintf(ret, TG_PAYMENTS_ID_BYTES, "ch_%s", intent + 3); /* "pi_" */
}

static json_t *show(const struct tg_payment *payment)
{
    char currency[4], charge[TG_PAYMENTS_ID_BYTES], secret[TG_PAYMENTS_ID_BYTES + 16];
    lower(payment->currency, currency);
    charge_id(payment->id, charge);
    snprintf(secret, sizeof(secret), "%s_secret_sandbox", payment->id);
    bool held = payment->status == TG_PAYMENT_AUTHORIZED;
    bool charged = held || payment->status == TG_PAYMENT_CAPTURED || payment->captured > 0;
    json_t *metadata = payment->metadata[0] == '\0' ? NULL : json_loads(payment->metadata, 0, NULL);
    json_t *value =
        json_pack("{s:s, s:s, s:I, s:I, s:{}, s:I, s:n, s:n, s:n, s:n, s:n, s:s, s:s, s:s, s:I, s:s}", "id",
                  payment->id, "object", "payment_intent", "amount", (json_int_t)payment->amount, "amount_capturable",
                  (json_int_t)(held ? payment->amount - payment->captured : 0), "amount_details", "amount_received",
                  (json_int_t)payment->captured, "application", "application_fee_amount", "automatic_payment_methods",
                  "canceled_at", "cancellation_reason", "capture_method", payment->capture ? "automatic" : "manual",
                  "client_secret", secret, "confirmation_method", "automatic", "created",
                  (json_int_t)payment->created_s, "currency", currency);
    bool guest = tg_span_equal(tg_span_string(payment->payer), TG_SPAN("guest"));
    json_object_set_new(value, "customer", guest ? json_null() : json_string(payment->payer));
    json_object_set_new(value, "description", text_or_null(payment->reference));
    json_object_set_new(value, "last_payment_error",
                        payment->status == TG_PAYMENT_DECLINED
                            ? json_pack("{s:s, s:s, s:s}", "type", "card_error", "code", "card_declined",
                                        "decline_code", "generic_decline")
                            : json_null());
    json_object_set_new(value, "latest_charge", charged ? json_string(charge) : json_null());
    json_object_set_new(value, "livemode", json_false());
    json_object_set_new(value, "metadata", metadata != NULL ? metadata : json_object());
    json_object_set_new(value, "next_action", json_null());
    json_object_set_new(value, "on_behalf_of", json_null());
    json_object_set_new(value, "payment_method", text_or_null(payment->instrument));
    json_object_set_new(value, "payment_method_options", json_object());
    json_object_set_new(value, "payment_method_types", json_pack("[s]", "card"));
    json_object_set_new(value, "processing", json_null());
    json_object_set_new(value, "receipt_email", json_null());
    json_object_set_new(value, "status", json_string(status_name(payment)));
    json_object_set_new(value, "tollgate_request_id", text_or_null(payment->request_id));
    return value;
}

static json_t *show_refund(const struct tg_refund *refund)
{
    char currency[4], charge[TG_PAYMENTS_ID_BYTES];
    lower(refund->currency, currency);
    charge_id(refund->payment, charge);
    return json_pack("{s:s, s:s, s:I, s:n, s:s, s:I, s:s, s:{}, s:s, s:n, s:n, s:s}", "id", refund->id, "object",
                     "refund", "amount", (json_int_t)refund->amount, "balance_transaction", "charge", charge, "created",
                     (json_int_t)refund->created_s, "currency", currency, "metadata", "payment_intent", refund->payment,
                     "reason", "receipt_number", "status", "succeeded");
}

/* Reads the body; false: the answer is set. */
static bool read_form(struct tg_call *call, struct input *input)
{
    if (!tg_request_is_type(call->http, TG_SPAN("application/x-www-form-urlencoded"))) {
        tg_request_fail(call, 415, "media_type", "The body must be application/x-www-form-urlencoded.");
        return false;
    }
    struct tg_arena arena = tg_arena(input->bytes, sizeof(input->bytes));
    if (tg_form_read(call->http->body, &arena, &input->form) != TG_OK) {
        tg_request_fail(call, 400, "form_invalid", "The body is no form, repeats a name or is too long.");
        return false;
    }
    return true;
}

/* Copies a value, "" when absent. False: it is too long, and the answer is set. */
static bool read_text(struct tg_call *call, const struct input *input, const char *name, char *ret, size_t cap)
{
    struct tg_span value = tg_form_value(&input->form, tg_span_string(name));
    ret[0] = '\0';
    if (value.len >= cap) {
        fail_param(call, 400, "parameter_invalid_string", name, "The value is too long.");
        return false;
    }
    if (value.len > 0) {
        memcpy(ret, value.ptr, value.len);
        ret[value.len] = '\0';
    }
    return true;
}

/* 0 when absent and optional. */
static bool read_amount(struct tg_call *call, const struct input *input, const char *name, bool required, int64_t *ret)
{
    struct tg_span value = tg_form_value(&input->form, tg_span_string(name));
    *ret = 0;
    if (value.ptr == NULL) {
        if (required) {
            fail_param(call, 400, "parameter_missing", name, "This parameter is required.");
        }
        return !required;
    }
    if (tg_form_number(value, TG_PAYMENTS_AMOUNT_MAX, ret) != TG_OK || *ret < 1) {
        fail_param(call, 400, "parameter_invalid_integer", name, "The amount must be a positive integer.");
        return false;
    }
    return true;
}

static bool read_currency(struct tg_call *call, const struct input *input, char ret[4])
{
    struct tg_span value = tg_form_value(&input->form, TG_SPAN("currency"));
    bool fine = value.len == 3;
    for (size_t i = 0; fine && i < 3; i++) {
        fine = isalpha(value.ptr[i]) != 0;
        ret[i] = (char)toupper(value.ptr[i]);
    }
    ret[3] = '\0';
    if (!fine) {
        fail_param(call, 400, value.ptr == NULL ? "parameter_missing" : "parameter_invalid_string", "currency",
                   "The currency must be three letters.");
    }
    return fine;
}

static bool read_metadata(struct tg_call *call, const struct input *input, struct tg_payment *payment)
{
    json_t *object = json_object();
    bool fine = true;
    for (size_t i = 0; fine && i < input->form.count; i++) {
        struct tg_span key, value = input->form.values[i];
        if (tg_form_member(&input->form, i, TG_SPAN("metadata"), &key)) {
            json_t *text = json_stringn((const char *)value.ptr, value.len); /* NULL when no UTF-8 */
            fine = text != NULL && json_object_setn_new(object, (const char *)key.ptr, key.len, text) == 0;
        }
    }
    size_t len = 0;
    if (fine && json_object_size(object) > 0) {
        len = json_dumpb(object, payment->metadata, sizeof(payment->metadata) - 1, JSON_COMPACT);
        fine = json_object_size(object) <= METADATA_KEYS_MAX && len > 0 && len < sizeof(payment->metadata);
    }
    payment->metadata[fine ? len : 0] = '\0';
    json_decref(object);
    if (!fine) {
        fail_param(call, 400, "parameter_invalid_string", "metadata", "The metadata is not UTF-8 or too long.");
    }
    return fine;
}

static bool read_flag(const struct input *input, const char *name)
{
    return tg_span_equal(tg_form_value(&input->form, tg_span_string(name)), TG_SPAN("true"));
}

/* The payment method; a bare run of digits could be a card number, which this book must never hold. */
static bool read_method(struct tg_call *call, const struct input *input, char *ret, size_t cap)
{
    if (!read_text(call, input, "payment_method", ret, cap)) {
        return false;
    }
    if (ret[0] != '\0' && strncmp(ret, "pm_", 3) != 0 && strncmp(ret, "tok_", 4) != 0) {
        fail_param(call, 400, "resource_missing", "payment_method", "No such PaymentMethod.");
        return false;
    }
    return true;
}

static bool read_payment(struct tg_call *call, const struct input *input, struct tg_payment *payment)
{
    payment->dialect = TG_DIALECT_STRIPE;
    payment->created_s = call->ask.now_s;
    memcpy(payment->request_id, call->request_id, sizeof(payment->request_id));
    struct tg_span method = tg_form_value(&input->form, TG_SPAN("capture_method"));
    payment->capture = !tg_span_equal(method, TG_SPAN("manual"));
    if (!read_amount(call, input, "amount", true, &payment->amount) || !read_currency(call, input, payment->currency) ||
        !read_metadata(call, input, payment) ||
        !read_method(call, input, payment->instrument, sizeof(payment->instrument)) ||
        !read_text(call, input, "description", payment->reference, sizeof(payment->reference)) ||
        !read_text(call, input, "customer", payment->payer, sizeof(payment->payer)) ||
        !read_text(call, input, "transfer_data[destination]", payment->payee, sizeof(payment->payee))) {
        return false;
    }
    if (payment->payer[0] == '\0') {
        memcpy(payment->payer, "guest", sizeof("guest"));
    }
    if (payment->payee[0] == '\0' && !read_text(call, input, "on_behalf_of", payment->payee, sizeof(payment->payee))) {
        return false;
    }
    if (payment->payee[0] == '\0') {
        memcpy(payment->payee, "platform", sizeof("platform"));
    }
    return true;
}

static void answer_verdict(struct tg_call *call, enum tg_payments_verdict verdict, const struct tg_payment *payment)
{
    switch (verdict) {
    case TG_PAYMENTS_DONE:
        tg_request_answer(call, 200, show(payment));
        break;
    case TG_PAYMENTS_ABSENT:
        fail_param(call, 404, "resource_missing", "intent", "No such payment_intent.");
        break;
    case TG_PAYMENTS_STATE:
        fail_param(call, 400, "payment_intent_unexpected_state", NULL,
                   "This PaymentIntent's status does not allow this.");
        break;
    case TG_PAYMENTS_AMOUNT:
        fail_param(call, 400, "amount_too_large", "amount", "The amount is more than there is.");
        break;
    case TG_PAYMENTS_DECLINED:
        fail_param(call, 402, "card_declined", NULL, "Your card was declined.");
        json_t *error = json_object_get(call->answer.body, "error");
        json_object_set_new(error, "decline_code", json_string("generic_decline"));
        json_object_set_new(error, "payment_intent", show(payment));
        break;
    }
}

void tg_stripe_create(struct tg_call *call)
{
    struct input input;
    struct tg_payment payment = {0};
    if (!read_form(call, &input) || !read_payment(call, &input, &payment)) {
        return;
    }
    bool confirm = read_flag(&input, "confirm");
    if (confirm && payment.instrument[0] == '\0') {
        fail_param(call, 400, "parameter_missing", "payment_method", "Confirming needs a payment method.");
        return;
    }
    answer_verdict(call, tg_payments_create(&call->service->payments, &payment, confirm), &payment);
}

static bool get(struct tg_call *call, struct tg_payment *payment)
{
    enum tg_payments_verdict verdict = tg_payments_get(&call->service->payments, TG_DIALECT_STRIPE, call->id, payment);
    if (verdict != TG_PAYMENTS_DONE) {
        answer_verdict(call, verdict, payment);
    }
    return verdict == TG_PAYMENTS_DONE;
}

void tg_stripe_get(struct tg_call *call)
{
    struct tg_payment payment;
    if (get(call, &payment)) {
        answer_verdict(call, TG_PAYMENTS_DONE, &payment);
    }
}

static void append(void *rows, const struct tg_payment *payment)
{
    json_array_append_new(rows, show(payment));
}

/* The number before which a page begins: that of starting_after, 0: the newest. */
static bool read_start(struct tg_call *call, const struct tg_form *query, int64_t *before)
{
    struct tg_span id = tg_form_value(query, TG_SPAN("starting_after"));
    struct tg_payment payment = {0};
    if (id.ptr != NULL &&
        tg_payments_get(&call->service->payments, TG_DIALECT_STRIPE, id, &payment) != TG_PAYMENTS_DONE) {
        return false;
    }
    *before = payment.number;
    return true;
}

void tg_stripe_list(struct tg_call *call)
{
    struct input input;
    struct tg_arena arena = tg_arena(input.bytes, sizeof(input.bytes));
    int64_t limit = LIST_DEFAULT, before = 0;
    char request_id[TG_PAYMENTS_REQUEST_ID_BYTES_MAX + 1] = "";
    enum tg_err err = tg_form_read(call->http->query, &arena, &input.form);
    if (err == TG_OK && tg_form_value(&input.form, TG_SPAN("limit")).ptr != NULL) {
        err = tg_form_number(tg_form_value(&input.form, TG_SPAN("limit")), LIST_MAX, &limit);
    }
    if (err != TG_OK || limit == 0 || !read_start(call, &input.form, &before)) {
        fail_param(call, 400, "parameter_invalid_integer", "limit", "limit or starting_after is not right.");
        return;
    }
    struct tg_span wanted = tg_form_value(&input.form, TG_SPAN("tollgate_request_id"));
    if (!read_text(call, &input, "tollgate_request_id", request_id, sizeof(request_id))) {
        return;
    }
    json_t *rows = json_array();
    bool more = false;
    /* A filter that is there but empty selects nothing. */
    if (wanted.ptr == NULL || wanted.len > 0) {
        more = tg_payments_list(&call->service->payments, TG_DIALECT_STRIPE, request_id, before, limit, append, rows);
    }
    tg_request_answer(call, 200,
                      json_pack("{s:s, s:s, s:b, s:o}", "object", "list", "url", "/v1/payment_intents", "has_more",
                                more, "data", rows));
}

void tg_stripe_confirm(struct tg_call *call)
{
    struct input input;
    struct tg_payment payment;
    char method[TG_PAYMENTS_TEXT_BYTES_MAX + 1];
    if (!read_form(call, &input) || !get(call, &payment) || !read_method(call, &input, method, sizeof(method))) {
        return;
    }
    if (method[0] != '\0') {
        memcpy(payment.instrument, method, sizeof(method));
    }
    if (payment.instrument[0] == '\0') {
        answer_verdict(call, TG_PAYMENTS_STATE, &payment);
        return;
    }
    answer_verdict(call, tg_payments_confirm(&call->service->payments, &call->ask, &payment), &payment);
}

void tg_stripe_capture(struct tg_call *call)
{
    struct input input;
    struct tg_payment payment;
    int64_t amount;
    if (read_form(call, &input) && get(call, &payment) &&
        read_amount(call, &input, "amount_to_capture", false, &amount)) {
        /* Stripe gives back what one capture leaves. */
        answer_verdict(call, tg_payments_capture(&call->service->payments, &call->ask, &payment, amount, true),
                       &payment);
    }
}

void tg_stripe_cancel(struct tg_call *call)
{
    struct input input;
    struct tg_payment payment;
    if (read_form(call, &input) && get(call, &payment)) {
        answer_verdict(call, tg_payments_void(&call->service->payments, &call->ask, &payment), &payment);
    }
}

void tg_stripe_refund(struct tg_call *call)
{
    struct input input;
    struct tg_payment payment;
    struct tg_refund refund;
    int64_t amount;
    if (!read_form(call, &input) || !read_amount(call, &input, "amount", false, &amount)) {
        return;
    }
    call->id = tg_form_value(&input.form, TG_SPAN("payment_intent"));
    if (call->id.ptr == NULL) {
        fail_param(call, 400, "parameter_missing", "payment_intent", "This parameter is required.");
        return;
    }
    if (!get(call, &payment)) {
        return;
    }
    enum tg_payments_verdict verdict =
        tg_payments_refund(&call->service->payments, &call->ask, &payment, amount, &refund);
    if (verdict == TG_PAYMENTS_DONE) {
        tg_request_answer(call, 200, show_refund(&refund));
    } else if (verdict == TG_PAYMENTS_STATE && payment.captured > 0) {
        fail_param(call, 400, "charge_already_refunded", NULL, "The charge has already been refunded.");
    } else {
        answer_verdict(call, verdict, &payment);
    }
}

void tg_stripe_get_refund(struct tg_call *call)
{
    struct tg_refund refund;
    if (tg_payments_get_refund(&call->service->payments, call->id, &refund) != TG_PAYMENTS_DONE) {
        fail_param(call, 404, "resource_missing", "refund", "No such refund.");
        return;
    }
    tg_request_answer(call, 200, show_refund(&refund));
}
