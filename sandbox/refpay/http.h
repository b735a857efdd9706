/*
 * http.h - reads one HTTP/1.1 request, strictly (RFC 9110, RFC 9112).
 *
 * Promises: pure; spans borrow from the bytes given. Stricter than the RFC
 * allows servers to be, since refpay judges what a gateway sends: no bare LF, no
 * obs-fold, no leading empty lines, no Transfer-Encoding at all (Tollgate
 * forwards with Content-Length), one Host, one Content-Length.
 * Does not: read sockets, decode percent-encoding (form.h), keep state between calls.
 */
#ifndef REFPAY_HTTP_H
#define REFPAY_HTTP_H

#include "base/span.h"

#define TG_HTTP_HEAD_BYTES_MAX (16u * 1024u)  /* twice what nginx sends upstream by default */
#define TG_HTTP_BODY_BYTES_MAX (256u * 1024u) /* the house's limit for an inspected body */
#define TG_HTTP_FIELDS_MAX 64

struct tg_http_field {
    struct tg_span name;
    struct tg_span value; /* trimmed */
};

struct tg_http_request {
    struct tg_span method;
    struct tg_span path;  /* the target up to '?' */
    struct tg_span query; /* after '?', may be empty */
    struct tg_span body;
    struct tg_http_field fields[TG_HTTP_FIELDS_MAX];
    size_t field_count;
    bool close; /* the connection ends after the answer */
};

enum tg_http_state {
    TG_HTTP_MORE = 0, /* the request is not whole yet */
    TG_HTTP_DONE = 1,
    TG_HTTP_BAD = 2 /* *status says how to refuse; the connection must end */
};

/* *size: bytes that the request takes when DONE; when MORE, the bytes needed in all where already known, else 0. */
enum tg_http_state tg_http_read(struct tg_span bytes, struct tg_http_request *ret, size_t *size, int *status);

/* The first field of that name, or NULL. */
const struct tg_http_field *tg_http_field(const struct tg_http_request *request, struct tg_span name);

/* How many fields of that name there are. */
size_t tg_http_count(const struct tg_http_request *request, struct tg_span name);

/* "OK" for 200; our own statuses only. */
const char *tg_http_reason(int status);

#endif
