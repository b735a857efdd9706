/*
 * request.h - from a parsed request to an answer: let in, route, act.
 *
 * Promises: pure but for the ledger; the answer is a value that the server sends
 * after the commit. Routing happens before anything acts, so that the server can
 * put a fault in between.
 * Operations have the names of Tollgate's shipped profiles (generic-json, stripe): payment.create,
 * payment_intent.capture and so on; the table stands in request.c.
 */
#ifndef REFPAY_REQUEST_H
#define REFPAY_REQUEST_H

#include <jansson.h>

#include "base/buf.h"
#include "credential.h"
#include "fault.h"
#include "http.h"
#include "payments.h"

#define TG_ANSWER_FIELDS_BYTES_MAX 1024 /* echoes: 255 of a key, 64 of a version, and names */

/* Everything that requests act on. */
struct tg_service {
    struct tg_database database;
    struct tg_ledger ledger;
    struct tg_payments payments;
    struct tg_credential credential;
    struct tg_faults faults;
};

struct tg_answer {
    int status;
    json_t *body;         /* owned */
    struct tg_buf fields; /* "name: value\r\n"... */
    uint8_t fields_bytes[TG_ANSWER_FIELDS_BYTES_MAX];
};

struct tg_call;
typedef void (*tg_request_act)(struct tg_call *call);

struct tg_call {
    struct tg_service *service;
    const struct tg_http_request *http;
    enum tg_dialect dialect;
    const char *operation; /* NULL: not routed, the answer says why */
    tg_request_act act;
    struct tg_span id; /* the {id} of the path */
    struct tg_payments_ask ask;
    char request_id[TG_PAYMENTS_REQUEST_ID_BYTES_MAX + 1];
    struct tg_answer answer;
};

struct tg_route {
    const char *method;
    const char *path; /* {id} matches one segment */
    const char *operation;
    tg_request_act act;
};

/* Fills *ret. True: routed, call ret->act next. False: ret->answer is already an error. */
bool tg_request_route(struct tg_service *service, const struct tg_http_request *http, int64_t now_s,
                      struct tg_call *ret);

/* An error in the words of the call's dialect. */
void tg_request_fail(struct tg_call *call, int status, const char *code, const char *text);

/* Takes the body over. */
void tg_request_answer(struct tg_call *call, int status, json_t *body);

/* True when the body is of that media type, parameters aside; an empty body is of every type. */
bool tg_request_is_type(const struct tg_http_request *http, struct tg_span type);

/* Frees the answer's body. */
void tg_request_free(struct tg_call *call);

#endif
