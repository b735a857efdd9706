/*
 * field.h - what a request's fields may look like (RFC 9110, RFC 9112), and what they carry for us.
 *
 * Promises: judges single names and values, without nginx's help and without
 * state. Does not: parse messages; nginx does that.
 */
#ifndef TG_CORE_HTTP_FIELD_H
#define TG_CORE_HTTP_FIELD_H

#include "base/err.h"
#include "base/span.h"
#include "base/limits.h"

/* RFC 9110 5.6.2: a non-empty token. */
bool tg_field_name_ok(struct tg_span name);

/* RFC 9110 5.5: visible ASCII, SP, HTAB and obs-text; no other control byte, none at the ends but no OWS either. */
bool tg_field_value_ok(struct tg_span value);

/* True for fields that only a trusted peer may set: Forwarded, X-Forwarded-*, X-Real-IP, Client-Cert*, X-SSL-*,
 * X-Tollgate-*, Tollgate-*, and those that name another method or target (X-HTTP-Method*, X-Method-Override,
 * X-Original-*, X-Rewrite-*); names compared without case, with '_' and '-' alike (as CGI-like upstreams would). */
bool tg_field_is_trust(struct tg_span name);

/* Those of them that name another method or target: nobody sets them for somebody else. */
bool tg_field_is_override(struct tg_span name);

/* Content-Length: digits only, no sign, no list (RFC 9112 6.3). */
TG_MUST_CHECK enum tg_err tg_content_length_parse(struct tg_span value, uint64_t *ret);

/* Media type without parameters equals `type`, any case; a charset parameter may only be utf-8. */
bool tg_media_type_is(struct tg_span content_type, struct tg_span type);

/*
 * The idempotency key in one field value: raw, or an RFC 8941 quoted string (unquoted before use).
 * ret borrows from value, or from unquoted (of TG_IDEMPOTENCY_KEY_BYTES_MAX bytes) when it had escapes.
 * TG_ERR_INPUT: empty, control bytes, non-ASCII, bad quoting; TG_ERR_LIMIT: over bytes_max.
 */
TG_MUST_CHECK enum tg_err tg_idempotency_key_parse(struct tg_span value, size_t bytes_max, uint8_t *unquoted,
                                                   struct tg_span *ret);

/* W3C Trace Context level 1: traceparent is well formed and not all zero. */
bool tg_traceparent_ok(struct tg_span value);

/* A caller's own request id: 1..64 of [A-Za-z0-9._-]. */
bool tg_client_request_id_ok(struct tg_span value);

/* An API key's shape: prefix, alphabet, length and CRC-32 (core/http/api_key.c). */
bool tg_api_key_shape_ok(struct tg_span key);

/* Writes a key of TG_API_KEY_CHARS characters from 32 random bytes; live chooses the prefix. */
void tg_api_key_write(const uint8_t secret[32], bool live, char ret[TG_API_KEY_CHARS]);

#endif
