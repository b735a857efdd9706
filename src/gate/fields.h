/*
 * fields.h - what the gate checks and drops among a request's fields before anything else looks at them.
 *
 * Promises: judges what nginx's own parser lets through; a field that only a
 * trusted peer may set never reaches variables, later handlers or the upstream
 * unless stock realip trusts the connection's peer.
 * Does not: answer. The caller turns a reason into a refusal.
 */
#ifndef TG_GATE_FIELDS_H
#define TG_GATE_FIELDS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "core/policy/reason.h"

/*
 * TG_REASON_OK, or REQUEST_FRAMING, TRANSFER_CODING, FIELD_MALFORMED, UPGRADE, EXPECTATION; INTERNAL without memory.
 * Afterwards there is a list of fields to add to, also for HTTP/0.9, for which nginx makes none.
 */
uint16_t tg_gate_fields_check(ngx_http_request_t *r);

/*
 * Drops trust fields (core/http/field.h, tg_field_is_trust) unless the peer is trusted; those that name another method
 * or target whoever sent them, since no proxy sets them for its clients. h1 and h2.
 */
void tg_gate_fields_strip(ngx_http_request_t *r);

/*
 * Drops every field for which drop() says so, without moving the others, so that nginx's parsed pointers stay
 * right; the caller clears those that point at dropped ones. Returns how many were dropped, or NGX_ERROR
 * (out of memory: nothing was dropped, the request must be refused). drop() is asked twice for each field, and may not
 * look at the list: it is being rebuilt.
 */
typedef bool (*tg_gate_field_drop_fn)(const ngx_table_elt_t *field, void *data);
ngx_int_t tg_gate_fields_drop(ngx_http_request_t *r, tg_gate_field_drop_fn drop, void *data);

/* The field of this name, or NULL; *count says how many there are. Any case, but no other spelling. */
ngx_table_elt_t *tg_gate_field_find(ngx_http_request_t *r, struct tg_span name, size_t *count);

/* For tg_gate_field_is: len bytes each. */
bool tg_gate_field_same(const uint8_t *name, const uint8_t *wanted, size_t len);

/* Equal without case, '_' and '-' alike: one field to a CGI-like upstream (RFC 3875 4.1.18). */
static inline bool tg_gate_field_is(struct tg_span name, struct tg_span wanted)
{
    return name.len == wanted.len && tg_gate_field_same(name.ptr, wanted.ptr, name.len);
}

/* True when a field has this name in another spelling only: an upstream may take it for the field, or for a second. */
bool tg_gate_field_aliased(ngx_http_request_t *r, struct tg_span name);

#endif
