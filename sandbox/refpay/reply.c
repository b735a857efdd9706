/*
 * reply.c - status line, fields, body.
 *
 * Promises: see reply.h.
 */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX (TG_ANSWER_FIELDS_BYTES_MAX + 512) /* the call's fields and our own few */

static void put_head(struct tg_buf *out, int status, struct tg_span fields, int64_t length, bool close)
{
    tg_buf_put_string(out, "HTTP/1.1 ");
    tg_buf_put_decimal(out, status);
    tg_buf_put_string(out, " ");
    tg_buf_put_string(out, tg_http_reason(status));
    tg_buf_put_string(out, "\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n");
    tg_buf_put(out, fields);
    if (length >= 0) {
        tg_buf_put_string(out, "Content-Length: ");
        tg_buf_put_decimal(out, length);
        tg_buf_put_string(out, "\r\n");
    }
    if (close) {
        tg_buf_put_string(out, "Connection: close\r\n");
    }
    tg_buf_put_string(out, "\r\n");
}

/* A body over the hold limit of a gateway, still sound JSON. */
static void pad(json_t *body)
{
    char *text = malloc(TG_REPLY_HUGE_BYTES);
    if (text != NULL) {
        memset(text, 'x', TG_REPLY_HUGE_BYTES);
        json_object_set_new(body, "padding", json_stringn(text, TG_REPLY_HUGE_BYTES));
        free(text);
    }
}

static enum tg_err finish(struct tg_buf *out, struct tg_reply *ret)
{
    enum tg_err err = tg_buf_done(out);
    if (err != TG_OK) {
        free(out->ptr);
        *ret = (struct tg_reply){NULL, 0, true};
        return err;
    }
    ret->bytes = (char *)out->ptr;
    ret->len = out->len;
    return TG_OK;
}

enum tg_err tg_reply_make(struct tg_call *call, enum tg_fault_kind fault, bool close, struct tg_reply *ret)
{
    struct tg_answer *answer = &call->answer;
    *ret = (struct tg_reply){NULL, 0, close};
    if (fault == TG_FAULT_STATUS_500_AFTER_COMMIT) {
        tg_request_fail(call, 500, "internal", "Something went wrong here.");
    }
    if (fault == TG_FAULT_HUGE) {
        pad(answer->body);
    }
    char *body = answer->body == NULL ? NULL : json_dumps(answer->body, JSON_COMPACT);
    size_t body_len = body == NULL ? 0 : strlen(body);
    size_t cap = HEAD_BYTES_MAX + body_len;
    uint8_t *room = malloc(cap);
    if (body == NULL || room == NULL) {
        free(body);
        free(room);
        return TG_ERR_ROOM;
    }
    struct tg_buf out = tg_buf(room, cap);
    if (fault == TG_FAULT_GARBAGE_STATUS) {
        ret->close = true;
        tg_buf_put_string(&out, "\x16\x03\x01 this is no status line\r\n\r\n");
        free(body);
        return finish(&out, ret);
    }
    if (fault == TG_FAULT_EARLY_HINTS) {
        tg_buf_put_string(&out, "HTTP/1.1 103 Early Hints\r\nLink: </v1/payments>; rel=preload\r\n\r\n");
    }
    int64_t length = (int64_t)body_len;
    if (fault == TG_FAULT_CUT_BODY || fault == TG_FAULT_CLOSE_DELIMITED) {
        ret->close = true;
        length = fault == TG_FAULT_CUT_BODY ? length + TG_REPLY_CUT_BYTES : -1;
    }
    put_head(&out, answer->status, tg_buf_span(&answer->fields), length, ret->close && fault != TG_FAULT_CUT_BODY);
    tg_buf_put(&out, tg_span(body, body_len));
    free(body);
    return finish(&out, ret);
}

enum tg_err tg_reply_refuse(int status, struct tg_reply *ret)
{
    static const char body[] = "{\"error\":\"http\",\"message\":\"This is no request that refpay reads.\"}";
    uint8_t *room = malloc(HEAD_BYTES_MAX);
    *ret = (struct tg_reply){NULL, 0, true};
    if (room == NULL) {
        return TG_ERR_ROOM;
    }
    struct tg_buf out = tg_buf(room, HEAD_BYTES_MAX);
    put_head(&out, status, tg_span(NULL, 0), sizeof(body) - 1, true);
    tg_buf_put_string(&out, body);
    return finish(&out, ret);
}

void tg_reply_free(struct tg_reply *reply)
{
    free(reply->bytes);
    reply->bytes = NULL;
    reply->len = 0;
}
