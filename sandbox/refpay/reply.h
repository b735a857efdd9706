/*
 * reply.h - an answer as the bytes that go onto the wire, faults included.
 *
 * Promises: one place that writes HTTP out. A sound answer has a Content-Length
 * and is whole; a fault of shape breaks exactly what its name says.
 * Does not: send, wait, reset: those faults are the server's.
 */
#ifndef REFPAY_REPLY_H
#define REFPAY_REPLY_H

#include "request.h"

#define TG_REPLY_HUGE_BYTES (80u * 1024u) /* over the 64 KB that a gateway holds by default */
#define TG_REPLY_CUT_BYTES 64             /* announced and never sent */

struct tg_reply {
    char *bytes; /* owned, malloc */
    size_t len;
    bool close; /* the connection ends after it */
};

/* Renders call->answer. TG_ERR_ROOM: no memory, nothing to free. */
TG_MUST_CHECK enum tg_err tg_reply_make(struct tg_call *call, enum tg_fault_kind fault, bool close,
                                        struct tg_reply *ret);

/* A refusal without a call: what could not be parsed. Always closes. */
TG_MUST_CHECK enum tg_err tg_reply_refuse(int status, struct tg_reply *ret);

void tg_reply_free(struct tg_reply *reply);

#endif
