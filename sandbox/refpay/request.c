/*
 * request.c - the door and the table of operations.
 *
 * Promises: see request.h.
 */
#include "request.h"

#include <string.h>

#include "generic.h"
#include "stripe.h"

static const struct tg_route routes[] = {
    {"POST", "/v1/payments", "payment.create", tg_generic_create},
    {"GET", "/v1/payments", "payment.list", tg_generic_list},
    {"GET", "/v1/payments/{id}", "payment.read", tg_generic_get},
    {"POST", "/v1/payments/{id}/capture", "payment.capture", tg_generic_capture},
    {"POST", "/v1/payments/{id}/refund", "payment.refund", tg_generic_refund},
    {"POST", "/v1/payments/{id}/void", "payment.void", tg_generic_void},
    {"POST", "/v1/notes", "note.create", tg_generic_note},
    {"POST", "/v1/payment_intents", "payment_intent.create", tg_stripe_create},
    {"GET", "/v1/payment_intents", "payment_intent.list", tg_stripe_list},
    {"GET", "/v1/payment_intents/{id}", "payment_intent.read", tg_stripe_get},
    {"POST", "/v1/payment_intents/{id}/confirm", "payment_intent.confirm", tg_stripe_confirm},
    {"POST", "/v1/payment_intents/{id}/capture", "payment_intent.capture", tg_stripe_capture},
    {"POST", "/v1/payment_intents/{id}/cancel", "payment_intent.cancel", tg_stripe_cancel},
    {"POST", "/v1/refunds", "refund.create", tg_stripe_refund},
    {"GET", "/v1/refunds/{id}", "refund.read", tg_stripe_get_refund},
};

/* Segment by segment; the last {id} is kept. */
static bool matches(struct tg_span template, struct tg_span path, struct tg_span *id)
{
    while (template.len > 0 && path.len > 0) {
        if (template.ptr[0] != '/' || path.ptr[0] != '/') {
            return false;
        }
        template = tg_span_sub(template, 1, template.len);
        path = tg_span_sub(path, 1, path.len);
        struct tg_span want = tg_span_sub(template, 0, tg_span_find(template, '/'));
        struct tg_span have = tg_span_sub(path, 0, tg_span_find(path, '/'));
        if (tg_span_equal(want, TG_SPAN("{id}")) && have.len > 0) {
            *id = have;
        } else if (!tg_span_equal(want, have)) {
            return false;
        }
        template = tg_span_sub(template, want.len, template.len);
        path = tg_span_sub(path, have.len, path.len);
    }
    return template.len == 0 && path.len == 0;
}

static bool find_route(struct tg_call *call)
{
    bool known = false;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!matches(tg_span_string(routes[i].path), call->http->path, &call->id)) {
            continue;
        }
        known = true;
        if (tg_span_equal(call->http->method, tg_span_string(routes[i].method))) {
            call->operation = routes[i].operation;
            call->act = routes[i].act;
            return true;
        }
    }
    tg_request_fail(call, known ? 405 : 404, known ? "method_not_allowed" : "not_found",
                    known ? "This path takes another method." : "There is nothing at this path.");
    return false;
}

/* The header that the gateway adds: at most once, visible ASCII, bounded. */
static bool read_request_id(struct tg_call *call)
{
    struct tg_span name = TG_SPAN("tollgate-request-id");
    const struct tg_http_field *field = tg_http_field(call->http, name);
    if (field == NULL) {
        return true;
    }
    bool fine = tg_http_count(call->http, name) == 1 && field->value.len > 0 &&
                field->value.len <= TG_PAYMENTS_REQUEST_ID_BYTES_MAX;
    for (size_t i = 0; fine && i < field->value.len; i++) {
        fine = field->value.ptr[i] > 0x20 && field->value.ptr[i] < 0x7f;
    }
    if (!fine) {
        tg_request_fail(call, 400, "request_id", "Tollgate-Request-Id must stand there once, with at most 64 bytes.");
        return false;
    }
    memcpy(call->request_id, field->value.ptr, field->value.len);
    call->request_id[field->value.len] = '\0';
    return true;
}

bool tg_request_route(struct tg_service *service, const struct tg_http_request *http, int64_t now_s,
                      struct tg_call *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->service = service;
    ret->http = http;
    ret->answer.fields = tg_buf(ret->answer.fields_bytes, sizeof(ret->answer.fields_bytes));
    ret->ask = (struct tg_payments_ask){ret->request_id, now_s};
    bool stripe = tg_span_starts(http->path, TG_SPAN("/v1/payment_intents")) ||
                  tg_span_starts(http->path, TG_SPAN("/v1/refunds"));
    ret->dialect = stripe ? TG_DIALECT_STRIPE : TG_DIALECT_GENERIC;
    if (stripe) {
        tg_stripe_echo(ret);
    }
    if (!tg_credential_check(&service->credential, http)) {
        tg_request_fail(ret, 401, "unauthorized", "This credential is not accepted.");
        return false;
    }
    if (!read_request_id(ret) || !find_route(ret)) {
        return false;
    }
    if (tg_span_equal(http->method, TG_SPAN("GET")) && http->body.len > 0) {
        ret->operation = NULL;
        tg_request_fail(ret, 400, "body", "A GET carries no body here.");
        return false;
    }
    return true;
}

void tg_request_fail(struct tg_call *call, int status, const char *code, const char *text)
{
    if (status == 429 || status == 503) {
        tg_buf_put_string(&call->answer.fields, "Retry-After: 1\r\n");
    }
    if (status == 401) {
        tg_buf_put_string(&call->answer.fields, "WWW-Authenticate: Bearer\r\n");
    }
    if (call->dialect == TG_DIALECT_STRIPE) {
        tg_stripe_fail(call, status, code, text);
        return;
    }
    tg_request_answer(call, status, json_pack("{s:s, s:s}", "error", code, "message", text));
}

void tg_request_answer(struct tg_call *call, int status, json_t *body)
{
    json_decref(call->answer.body);
    call->answer.status = status;
    call->answer.body = body;
}

bool tg_request_is_type(const struct tg_http_request *http, struct tg_span type)
{
    if (http->body.len == 0) {
        return true;
    }
    const struct tg_http_field *field = tg_http_field(http, TG_SPAN("content-type"));
    if (field == NULL || tg_http_count(http, TG_SPAN("content-type")) != 1) {
        return false;
    }
    return tg_span_equal_nocase(tg_span_trim(tg_span_sub(field->value, 0, tg_span_find(field->value, ';'))), type);
}

void tg_request_free(struct tg_call *call)
{
    json_decref(call->answer.body);
    call->answer.body = NULL;
}
