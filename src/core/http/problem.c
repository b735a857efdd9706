/*
 * problem.c - refusals as JSON, plain (RFC 9457) or in a dialect's shape.
 *
 * Promises: valid JSON whatever the pointer holds; a pointer that does not fit is
 * left out, never cut in the middle; nothing of the request but the pointer.
 * Does not: know which fields the answer carries besides.
 */
#include "core/http/problem.h"

#include "base/utf8.h"
#include "core/payment/profile.h"

#include "base/banned.h"

static bool is_outcome_unknown(uint16_t reason)
{
    return reason >= TG_REASON_OUTCOME_UNKNOWN_CUT && reason <= TG_REASON_OUTCOME_UNKNOWN_ANSWER;
}

struct tg_span tg_problem_content_type(uint8_t shape)
{
    return shape == TG_PROBLEM_STRIPE ? TG_SPAN("application/json") : TG_SPAN("application/problem+json");
}

uint16_t tg_problem_status(uint8_t shape, uint16_t reason)
{
    if (shape == TG_PROBLEM_STRIPE && reason == TG_REASON_KEY_REUSED) {
        return 400; /* with type idempotency_error; 422 would raise the class of a broken service */
    }
    return tg_reason_entry(reason)->status;
}

/* A JSON string with its quotes (RFC 8259 7). text is UTF-8. */
static void string_put(struct tg_buf *out, struct tg_span text)
{
    static const char digits[] = "0123456789abcdef";
    tg_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte < 0x20 || byte == 0x7f) {
            tg_buf_put_string(out, "\\u00");
            tg_buf_put_u8(out, (uint8_t)digits[byte >> 4]);
            tg_buf_put_u8(out, (uint8_t)digits[byte & 15]);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            tg_buf_put_u8(out, '\\');
        }
        tg_buf_put_u8(out, byte);
    }
    tg_buf_put_u8(out, '"');
}

static void member_put(struct tg_buf *out, const char *name, struct tg_span text)
{
    tg_buf_put_u8(out, '"');
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, "\":");
    string_put(out, text);
}

static struct tg_span type_name(const struct tg_reason_entry *entry)
{
    return is_outcome_unknown(entry->code) ? TG_SPAN("outcome_unknown") : tg_span_string(entry->name);
}

static struct tg_span retry_name(uint8_t retry)
{
    switch (retry) {
    case TG_RETRY_SAFE:
        return TG_SPAN("safe");
    case TG_RETRY_SAME_KEY:
        return TG_SPAN("same_key");
    default:
        return TG_SPAN("never");
    }
}

/* The members that every shape has, without braces. */
static void members_put(struct tg_buf *out, const struct tg_problem *problem, struct tg_span pointer)
{
    const struct tg_reason_entry *entry = tg_reason_entry(problem->reason);
    tg_buf_put_string(out, "\"type\":\"urn:tollgate:reason:");
    tg_buf_put(out, type_name(entry));
    tg_buf_put_string(out, "\",");
    member_put(out, "title", tg_span_string(entry->title));
    uint16_t status = tg_problem_status(problem->shape, entry->code);
    if (status != 0) {
        tg_buf_put_string(out, ",\"status\":");
        tg_buf_put_decimal(out, status);
    }
    tg_buf_put_u8(out, ',');
    member_put(out, "reason", tg_span_string(entry->name));
    tg_buf_put_string(out, ",\"code\":");
    tg_buf_put_decimal(out, entry->code);
    tg_buf_put_u8(out, ',');
    member_put(out, "retry", retry_name(entry->retry));
    tg_buf_put_u8(out, ',');
    member_put(out, "request_id", problem->request_id);
    if (pointer.len > 0) {
        tg_buf_put_u8(out, ',');
        member_put(out, "pointer", pointer);
    }
}

/* The error type by which Stripe's clients choose the class of an exception, after the status. */
static struct tg_span stripe_type(const struct tg_reason_entry *entry, uint16_t status)
{
    if (entry->code >= TG_REASON_KEY_REUSED && entry->code <= TG_REASON_KEY_ANSWER_ABSENT) {
        return TG_SPAN("idempotency_error");
    }
    if (status == 402) {
        return TG_SPAN("card_error");
    }
    return (status == 0 || status >= 500) ? TG_SPAN("api_error") : TG_SPAN("invalid_request_error");
}

/* "/a/b" as Stripe writes parameters: a[b]. The tokens' ~0 and ~1 are put back (RFC 6901 4). */
static void parameter_put(struct tg_buf *out, struct tg_span pointer)
{
    uint8_t text[2 * TG_PROBLEM_BYTES_MAX];
    struct tg_buf parameter = tg_buf(text, sizeof text);
    bool nested = false;
    for (size_t i = 0; i < pointer.len; i++) {
        uint8_t byte = pointer.ptr[i];
        if (byte == '/') {
            if (nested) {
                tg_buf_put_u8(&parameter, ']');
            }
            if (i > 0) {
                tg_buf_put_u8(&parameter, '[');
                nested = true;
            }
            continue;
        }
        /* Only these two are escapes; what else stands behind a '~' stays, it may be half a character. */
        if (byte == '~' && i + 1 < pointer.len && (pointer.ptr[i + 1] == '0' || pointer.ptr[i + 1] == '1')) {
            i++;
            byte = pointer.ptr[i] == '1' ? '/' : '~';
        }
        tg_buf_put_u8(&parameter, byte);
    }
    if (nested) {
        tg_buf_put_u8(&parameter, ']');
    }
    if (!parameter.over) {
        tg_buf_put_u8(out, ',');
        member_put(out, "param", tg_buf_span(&parameter));
    }
}

static void stripe_error_put(struct tg_buf *out, const struct tg_problem *problem, struct tg_span pointer)
{
    const struct tg_reason_entry *entry = tg_reason_entry(problem->reason);
    tg_buf_put_string(out, "\"error\":{");
    member_put(out, "type", stripe_type(entry, tg_problem_status(problem->shape, entry->code)));
    tg_buf_put_u8(out, ',');
    member_put(out, "code", type_name(entry));
    tg_buf_put_u8(out, ',');
    member_put(out, "message", tg_span_string(entry->title));
    if (pointer.len > 0) {
        parameter_put(out, pointer);
    }
    tg_buf_put_u8(out, ',');
    member_put(out, "request_id", problem->request_id);
    tg_buf_put_string(out, "},");
}

static void object_put(struct tg_buf *out, const struct tg_problem *problem, struct tg_span pointer)
{
    tg_buf_put_u8(out, '{');
    if (problem->shape == TG_PROBLEM_STRIPE) {
        stripe_error_put(out, problem, pointer);
    }
    members_put(out, problem, pointer);
    tg_buf_put_u8(out, '}');
}

enum tg_err tg_problem_write(struct tg_buf *out, const struct tg_problem *problem)
{
    struct tg_buf before = *out;
    struct tg_span pointer = problem->pointer;
    if (tg_utf8_check(pointer) < pointer.len) {
        pointer = tg_span(NULL, 0);
    }
    object_put(out, problem, pointer);
    if (pointer.len > 0 && (out->over || out->len - before.len > TG_PROBLEM_BYTES_MAX)) {
        *out = before;
        object_put(out, problem, tg_span(NULL, 0));
    }
    return tg_buf_done(out);
}

struct tg_span tg_problem_should_retry(uint8_t shape, uint16_t reason)
{
    if (shape != TG_PROBLEM_STRIPE || reason == TG_REASON_OK) {
        return tg_span(NULL, 0);
    }
    switch (tg_reason_entry(reason)->code) {
    /* Nothing was sent, or the first try will answer: the same key again is safe and may help. */
    case TG_REASON_AUTHENTICATION_THROTTLED:
    case TG_REASON_RATE_LIMITED:
    case TG_REASON_KEY_IN_FLIGHT:
    case TG_REASON_UPSTREAM_UNREACHABLE:
    case TG_REASON_KEEPER_UNAVAILABLE:
    case TG_REASON_KEEPER_TIMEOUT:
    case TG_REASON_KEEPER_BUSY:
    case TG_REASON_SEALER_UNAVAILABLE:
    case TG_REASON_STORE_UNAVAILABLE:
    case TG_REASON_SLOTS_EXHAUSTED:
        return TG_SPAN("true");
    default:
        return TG_SPAN("false");
    }
}
