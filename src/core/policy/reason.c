/*
 * reason.c - the table of reasons.
 *
 * Promises: ascending by code, no name twice; titles say nothing about
 * secrets, limits or other partners; explanations name a cause and a next step.
 * Does not: decide anything.
 */
#include "core/policy/reason.h"

#include "base/banned.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Longer than the number of any code: "65535". */
#define CODE_DIGITS_MAX 5

static const struct tg_reason_entry entries[] = {
    {TG_REASON_OK, 0, TG_RETRY_NEVER, "ok", "No objection",
     "The call was allowed, or answered from the record. Nothing to do."},

    {TG_REASON_CREDENTIAL_MISSING, 401, TG_RETRY_NEVER, "credential_missing", "Credentials are needed",
     "The call carries no API key in the field that the profile names (credential_field). "
     "Let the client send its key, for most dialects as 'Authorization: Bearer KEY'."},
    {TG_REASON_CREDENTIAL_MALFORMED, 401, TG_RETRY_NEVER, "credential_malformed", "The credentials are not valid",
     "The API key has the wrong prefix, length, alphabet or checksum: it was cut, mistyped, or is a key of "
     "another system. Compare its first characters with 'tollgate key list'."},
    {TG_REASON_CREDENTIAL_UNKNOWN, 401, TG_RETRY_NEVER, "credential_unknown", "The credentials are not valid",
     "The API key is well formed, but it is not known, was revoked, or has expired; the caller is not told which. "
     "Look at 'tollgate key list' and make a new key with 'tollgate key create' when it is needed."},
    {TG_REASON_CERTIFICATE_MISMATCH, 401, TG_RETRY_NEVER, "certificate_mismatch", "The credentials are not valid",
     "The partner has client certificates on record and the connection showed none, or another one. "
     "Look at 'tollgate partner certificate list'; after a renewal add the new one with "
     "'tollgate partner certificate add'."},
    {TG_REASON_AUTHENTICATION_THROTTLED, 429, TG_RETRY_SAFE, "authentication_throttled", "Too many failed attempts",
     "Too many calls from this address, or with this key's prefix, failed to authenticate. It ends by itself after "
     "Retry-After. If the partner is known, find out which client still sends an old key."},
    {TG_REASON_RATE_LIMITED, 429, TG_RETRY_SAFE, "rate_limited", "Too many calls",
     "nginx's limit_req or limit_conn refused the call before anything was looked at: one address asked too often or "
     "held too many connections. Raise the limits in nginx.conf where the address is a known partner's."},

    {TG_REASON_OPERATION_UNKNOWN, 404, TG_RETRY_NEVER, "operation_unknown", "There is no such resource",
     "No operation of the route's profile has this method and path. What a profile does not list is not forwarded: "
     "check the path, or add the operation to the profile (tollgate-profile(5))."},
    {TG_REASON_OPERATION_FORBIDDEN, 403, TG_RETRY_NEVER, "operation_forbidden", "This operation is not allowed",
     "The API key may not call this operation. Its list is shown by 'tollgate key list'; the list of a key never "
     "changes, so make a new key with '--operations' that cover it."},
    {TG_REASON_AMOUNT_OVER_LIMIT, 403, TG_RETRY_NEVER, "amount_over_limit", "The amount is not allowed",
     "The amount is over the partner's limit for one payment in this currency and environment. "
     "'tollgate partner limit show' shows it, 'tollgate partner limit set' changes it."},
    {TG_REASON_QUOTA_EXCEEDED, 403, TG_RETRY_NEVER, "quota_exceeded", "The amount is not allowed",
     "With this payment the partner would pass its limit of the day (UTC) in this currency. Refused payments do not "
     "count. Wait for the next day, or raise it with 'tollgate partner limit set'."},
    {TG_REASON_CURRENCY_NOT_ALLOWED, 403, TG_RETRY_NEVER, "currency_not_allowed", "The currency is not allowed",
     "The partner has no limit for this currency in the key's environment, test or live: such a currency is closed. "
     "Open it with 'tollgate partner limit set', '--currency' and '--environment'."},
    {TG_REASON_CARD_NUMBER_IN_CLEAR, 400, TG_RETRY_NEVER, "card_number_in_clear",
     "The message may not carry a card number",
     "A member, its name, or a form value holds 13 to 19 digits that look like a card number. Let the payer's "
     "device seal the card (a token or an encrypted block); only where that cannot be, allow it on the route."},
    {TG_REASON_METHOD_NOT_ALLOWED, 405, TG_RETRY_NEVER, "method_not_allowed", "The method is not allowed here",
     "The path belongs to an operation of the profile, but not with this method. Check the client's method, or add "
     "the operation to the profile."},

    {TG_REASON_QUERY_MALFORMED, 400, TG_RETRY_NEVER, "query_malformed", "The query is not well formed",
     "Behind the '?' stands a byte that must be percent-encoded there (RFC 3986 3.4), or a percent sign without two "
     "hexadecimal digits. Encode it in the client."},
    {TG_REASON_QUERY_UNEXPECTED, 400, TG_RETRY_NEVER, "query_unexpected", "A query is not expected here",
     "Only operations that read (GET, without a body) may have a query: many upstreams take members from it as they do "
     "from the body, and those were not checked. Put them into the body, and leave the '?' out."},
    {TG_REASON_REQUEST_FRAMING, 400, TG_RETRY_NEVER, "request_framing", "The request is not well formed",
     "The message's length can be read in two ways (RFC 9112 6.3): Content-Length with Transfer-Encoding, a repeated "
     "Content-Length or Host, or a folded field line. A proxy or client on the way is broken, or somebody tries to "
     "smuggle a request."},
    {TG_REASON_FIELD_MALFORMED, 400, TG_RETRY_NEVER, "field_malformed", "The request is not well formed",
     "A field's name is not a token, or its value holds a control character (RFC 9110 5.5, 5.6.2). "
     "Look at what the client puts into its header fields."},
    {TG_REASON_TRANSFER_CODING, 501, TG_RETRY_NEVER, "transfer_coding", "The transfer coding is not known",
     "Transfer-Encoding names a coding other than chunked (RFC 9112 6.1). Let the client send the body as it is."},
    {TG_REASON_BODY_TOO_LARGE, 413, TG_RETRY_NEVER, "body_too_large", "The body is too large",
     "The body is over the route's client_max_body_size. Inspected bodies stay in memory, so the limit is small; "
     "payments rarely need more than a few kilobytes."},
    {TG_REASON_MEDIA_TYPE, 415, TG_RETRY_NEVER, "media_type", "The media type is not supported",
     "Content-Type is not what the operation takes: application/json or application/x-www-form-urlencoded, as the "
     "profile says, in UTF-8. Set it in the client."},
    {TG_REASON_HEADERS_TOO_LARGE, 431, TG_RETRY_NEVER, "headers_too_large", "The header fields are too large",
     "The request line or a field is over nginx's large_client_header_buffers. Look for cookies or tokens that grow."},
    {TG_REASON_JSON_SYNTAX, 400, TG_RETRY_NEVER, "json_syntax", "The body is not valid JSON",
     "The body breaks the grammar of RFC 8259; comments, trailing commas and a byte order mark do too. "
     "The pointer names the place as far as it was read."},
    {TG_REASON_JSON_DUPLICATE_MEMBER, 400, TG_RETRY_NEVER, "json_duplicate_member", "The body has a member twice",
     "An object names one member twice. Two readers may take two different values, so it is refused. "
     "The pointer names the member."},
    {TG_REASON_JSON_LIMIT, 400, TG_RETRY_NEVER, "json_limit", "The body is too complex",
     "The body is nested too deeply, has too many members or values, or a string or number that is too long. "
     "The limits stand in tollgate-profile(5)."},
    {TG_REASON_FORM_SYNTAX, 400, TG_RETRY_NEVER, "form_syntax", "The body is not a valid form",
     "A pair has no '=', a percent sign is not followed by two hexadecimal digits, a bracket does not close, or a "
     "byte stands there that must be encoded. The pointer names the pair where its name could be read."},
    {TG_REASON_FORM_DUPLICATE_MEMBER, 400, TG_RETRY_NEVER, "form_duplicate_member", "The body has a member twice",
     "Two pairs have one name, or one name is used both for a value and for a group. Two readers may take two "
     "different values, so it is refused. The pointer names the member."},
    {TG_REASON_MEMBER_MISSING, 400, TG_RETRY_NEVER, "member_missing", "A needed member is missing",
     "The operation needs a member that the body does not have: the amount, or the currency of an amount. "
     "The pointer names it; the profile says which are needed."},
    {TG_REASON_MEMBER_TYPE, 400, TG_RETRY_NEVER, "member_type", "A member has the wrong type",
     "A member that carries a fact has another type than the profile says, for example an amount in minor units "
     "that is a string. The pointer names it."},
    {TG_REASON_AMOUNT_MALFORMED, 400, TG_RETRY_NEVER, "amount_malformed", "The amount is not well formed",
     "An amount is written with digits only, without sign, exponent or leading zero, with no more decimals than the "
     "currency has, and below 10^15 minor units. 1e2, -0 and 1.005 are refused rather than rounded."},
    {TG_REASON_CURRENCY_UNKNOWN, 400, TG_RETRY_NEVER, "currency_unknown", "The currency is not known",
     "The currency is not an active ISO 4217 code that one can pay in, or is written in a letter case that the "
     "profile does not take (currency_case)."},
    {TG_REASON_ENCODING, 400, TG_RETRY_NEVER, "encoding", "The body's encoding is not supported",
     "The body is not UTF-8, or has a Content-Encoding. What is inspected must be what is forwarded, so compressed "
     "bodies are refused."},
    {TG_REASON_BODY_UNEXPECTED, 400, TG_RETRY_NEVER, "body_unexpected", "A body is not expected here",
     "The operation takes no body, and one was sent. Leave it out in the client, or give the operation a body in "
     "the profile."},
    {TG_REASON_REQUEST_REFUSED, 400, TG_RETRY_NEVER, "request_refused", "The request is not well formed",
     "nginx refused the request before Tollgate's own checks: a broken request line, version, Host or chunk, "
     "or plain HTTP on the port for TLS. "
     "access.json has a line with the request id; to see nginx's own words, raise its error_log for a while."},
    {TG_REASON_EXPECTATION, 417, TG_RETRY_NEVER, "expectation", "The expectation cannot be met",
     "Expect has another value than 100-continue (RFC 9110 10.1.1). Leave it out in the client."},
    {TG_REASON_UPGRADE, 400, TG_RETRY_NEVER, "upgrade", "The connection cannot be upgraded",
     "Upgrade was asked for on a gated route. What is behind an upgrade cannot be inspected, so it is refused."},

    {TG_REASON_KEY_MISSING, 400, TG_RETRY_NEVER, "key_missing", "An idempotency key is needed",
     "The operation moves money and the profile requires an idempotency key for it. Let the client make one key a "
     "payment and send it again with every retry; a key is never invented on the way."},
    {TG_REASON_KEY_MALFORMED, 400, TG_RETRY_NEVER, "key_malformed", "The idempotency key is not valid",
     "The idempotency key is empty, too long for the dialect, sent twice, not ASCII, or wrongly quoted."},
    {TG_REASON_KEY_REUSED, 422, TG_RETRY_NEVER, "key_reused", "The idempotency key was used for another request",
     "The same partner used this key before for a request with another body, path, query or bound field. A new "
     "payment needs a new key; a retry must repeat the first request byte for byte."},
    {TG_REASON_KEY_IN_FLIGHT, 409, TG_RETRY_SAME_KEY, "key_in_flight", "The first request is still running",
     "Another request with this key has been forwarded and has no answer yet. The client may ask again after "
     "Retry-After and then gets the first request's answer."},
    {TG_REASON_KEY_OUTCOME_UNKNOWN, 409, TG_RETRY_NEVER, "key_outcome_unknown",
     "The outcome of the first request is not known; do not pay again",
     "The first request with this key was forwarded and no answer settled it, so money may have moved. See "
     "'tollgate reconcile --list', find out at the upstream, and end it with 'tollgate reconcile --resolve'."},
    {TG_REASON_KEY_ANSWER_ABSENT, 409, TG_RETRY_NEVER, "key_answer_absent",
     "The first request is settled, but its answer is not kept",
     "The request with this key is settled, by an operator or so long ago that the answer was purged. Read the "
     "payment's state from the upstream; do not send it again under a new key without looking."},

    {TG_REASON_UPSTREAM_UNREACHABLE, 502, TG_RETRY_SAFE, "upstream_unreachable",
     "The payment service cannot be reached; nothing was sent",
     "No connection to the upstream could be made, and no byte of the request was sent; the key is free again. "
     "Check the upstream's address, TLS and health; for a failed handshake, raise nginx's error_log for a while."},
    {TG_REASON_OUTCOME_UNKNOWN_CUT, 502, TG_RETRY_SAME_KEY, "outcome_unknown_cut",
     "The outcome is not known; do not pay again",
     "The request was sent and the upstream closed the connection without a whole answer. Money may have moved: see "
     "'tollgate reconcile --list'. The same key gets 409 until it is resolved."},
    {TG_REASON_OUTCOME_UNKNOWN_TIMEOUT, 504, TG_RETRY_SAME_KEY, "outcome_unknown_timeout",
     "The outcome is not known; do not pay again",
     "The request was sent and the upstream did not answer in time (proxy_read_timeout). Money may have moved: see "
     "'tollgate reconcile --list'. The same key gets 409 until it is resolved."},
    {TG_REASON_OUTCOME_UNKNOWN_KEEPER, 503, TG_RETRY_SAME_KEY, "outcome_unknown_keeper",
     "The outcome is not known; do not pay again",
     "The upstream answered, but the keeper could not write it down within settle_wait, so the answer was withheld. "
     "Look at the keeper's log and disk; a late record or 'tollgate reconcile' settles it."},
    {TG_REASON_OUTCOME_UNKNOWN_ANSWER, 502, TG_RETRY_SAME_KEY, "outcome_unknown_answer",
     "The outcome is not known; do not pay again",
     "The upstream's answer cannot be stored as it is: a 1xx, an answer that ends by closing, a broken status line, "
     "or one over the hold limit. Look at nginx's error log and at the upstream."},
    {TG_REASON_OUTCOME_UNKNOWN_STATUS, 0, TG_RETRY_SAME_KEY, "outcome_unknown_status",
     "The outcome is not known; do not pay again",
     "The upstream answered with a status that the profile maps to unknown (by default every 5xx). The answer was "
     "passed on; whether money moved must be found out: see 'tollgate reconcile --list'."},

    {TG_REASON_KEEPER_UNAVAILABLE, 503, TG_RETRY_SAFE, "keeper_unavailable", "The service is not available now",
     "The gate has no link to the keeper; nothing was forwarded. Check 'tollgate status', the keeper's log, and the "
     "path and owner of its socket."},
    {TG_REASON_KEEPER_TIMEOUT, 503, TG_RETRY_SAME_KEY, "keeper_timeout", "The service is not available now",
     "The keeper did not answer in time; nothing was forwarded. Its disk is slow or it is overloaded: look at the "
     "commit times in 'tollgate status'."},
    {TG_REASON_KEEPER_BUSY, 503, TG_RETRY_SAFE, "keeper_busy", "The service is busy",
     "The keeper's queue is full; it refuses at once instead of growing it, and nothing was forwarded. If it lasts, "
     "look at the load and at the disk's sync time."},
    {TG_REASON_SEALER_UNAVAILABLE, 503, TG_RETRY_SAFE, "sealer_unavailable", "The service is not available now",
     "The keeper has no link to the sealer, so nothing can be fingerprinted or sealed; nothing was forwarded. Check "
     "that tollgate-sealer runs and its socket's owner."},
    {TG_REASON_STORE_UNAVAILABLE, 503, TG_RETRY_SAFE, "store_unavailable", "The service is not available now",
     "The store cannot be written: the disk is full, a write or sync failed, or the store is closed; nothing was "
     "forwarded. See the keeper's log; after a failed sync it must be started again."},
    {TG_REASON_SLOTS_EXHAUSTED, 503, TG_RETRY_SAFE, "slots_exhausted", "The service is busy",
     "This nginx worker has as many questions in flight as its link has slots; nothing was forwarded. The upstream "
     "or the keeper is slow, or limit_conn is set too high."},
    {TG_REASON_INTERNAL, 503, TG_RETRY_NEVER, "internal", "The service is not available now",
     "A promise of Tollgate's own was broken, and it closed rather than guess. Please report it with the log lines "
     "of this request id; they hold no secrets."},
    {TG_REASON_ROUTE_CREDENTIAL_ABSENT, 503, TG_RETRY_NEVER, "route_credential_absent",
     "The service is not available now",
     "The route has no upstream credential, so nothing was forwarded. Set it with 'tollgate route set'."},
};

const struct tg_reason_entry *tg_reason_all(size_t *count)
{
    *count = COUNT(entries);
    return entries;
}

const struct tg_reason_entry *tg_reason_entry(uint16_t code)
{
    const struct tg_reason_entry *internal = &entries[0];
    for (size_t i = 0; i < COUNT(entries); i++) {
        if (entries[i].code == code) {
            return &entries[i];
        }
        if (entries[i].code == TG_REASON_INTERNAL) {
            internal = &entries[i];
        }
    }
    return internal;
}

/* A decimal code without sign or leading zero, or -1. */
static int32_t code_of(struct tg_span text)
{
    if (text.len == 0 || text.len > CODE_DIGITS_MAX || (text.len > 1 && text.ptr[0] == '0')) {
        return -1;
    }
    int32_t code = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return -1;
        }
        code = code * 10 + (text.ptr[i] - '0');
    }
    return code;
}

const struct tg_reason_entry *tg_reason_find(struct tg_span name)
{
    int32_t code = code_of(name);
    for (size_t i = 0; i < COUNT(entries); i++) {
        if (entries[i].code == code || tg_span_equal(tg_span_string(entries[i].name), name)) {
            return &entries[i];
        }
    }
    return NULL;
}
