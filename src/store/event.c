/*
 * event.c - writing events as JSON; see event.h.
 *
 * Promises: members that a row does not have are left out, in a fixed order.
 * Does not: read anything back.
 */
#include "store/event.h"

#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "core/policy/reason.h"
#include "wire/message.h"

static void put_text(struct tg_buf *out, struct tg_span text)
{
    static const char digits[] = "0123456789abcdef";
    tg_buf_put_u8(out, '"');
    while (text.len > 0) {
        uint32_t character = 0;
        size_t len = tg_utf8_next(text, &character);
        if (len == 0) {
            tg_buf_put_string(out, "\\ufffd");
            len = 1;
        } else if (character == '"' || character == '\\') {
            tg_buf_put_u8(out, '\\');
            tg_buf_put_u8(out, (uint8_t)character);
        } else if (character < 0x20 || character == 0x7f) { /* DEL too: terminals act on it */
            tg_buf_put_string(out, "\\u00");
            tg_buf_put_u8(out, (uint8_t)digits[character >> 4]);
            tg_buf_put_u8(out, (uint8_t)digits[character & 15]);
        } else {
            tg_buf_put(out, tg_span_sub(text, 0, len));
        }
        text = tg_span_sub(text, len, text.len - len);
    }
    tg_buf_put_u8(out, '"');
}

/* The name of a member; every object here begins with "sequence". */
static void put_name(struct tg_buf *out, const char *name)
{
    tg_buf_put_string(out, ",\"");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, "\":");
}

static void put_number(struct tg_buf *out, const char *name, int64_t value)
{
    put_name(out, name);
    tg_buf_put_decimal(out, value);
}

static void put_word(struct tg_buf *out, const char *name, const char *word)
{
    put_name(out, name);
    put_text(out, tg_span_string(word));
}

static void put_said(struct tg_buf *out, const char *name, struct tg_span text)
{
    if (text.len == 0)
        return;
    put_name(out, name);
    put_text(out, text);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

static void put_id(struct tg_buf *out, const char *name, const uint8_t bytes[16])
{
    if (is_zero(bytes, 16))
        return;
    put_name(out, name);
    tg_buf_put_u8(out, '"');
    tg_buf_put_hex(out, tg_span(bytes, 16));
    tg_buf_put_u8(out, '"');
}

static void put_padded(struct tg_buf *out, int64_t value, unsigned width)
{
    char digits[20];
    for (unsigned i = width; i > 0; i--, value /= 10)
        digits[i - 1] = (char)('0' + value % 10);
    tg_buf_put(out, tg_span(digits, width));
}

static void put_time(struct tg_buf *out, int64_t at_us)
{
    struct tm tm;
    time_t at_s = (time_t)(at_us / 1000000);
    put_name(out, "at");
    if (at_us < 0 || gmtime_r(&at_s, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        tg_buf_put_string(out, "null"); /* no date that RFC 3339 can write */
        return;
    }
    tg_buf_put_u8(out, '"');
    put_padded(out, tm.tm_year + 1900, 4);
    tg_buf_put_u8(out, '-');
    put_padded(out, tm.tm_mon + 1, 2);
    tg_buf_put_u8(out, '-');
    put_padded(out, tm.tm_mday, 2);
    tg_buf_put_u8(out, 'T');
    put_padded(out, tm.tm_hour, 2);
    tg_buf_put_u8(out, ':');
    put_padded(out, tm.tm_min, 2);
    tg_buf_put_u8(out, ':');
    put_padded(out, tm.tm_sec, 2);
    tg_buf_put_u8(out, '.');
    put_padded(out, at_us % 1000000, 6);
    tg_buf_put_string(out, "Z\"");
}

static const char *const kinds[TG_ROW_KIND_MAX + 1] = {
    [TG_ROW_ADMIT] = "admit",       [TG_ROW_VERDICT] = "admit",       [TG_ROW_REFUSAL] = "refusal",
    [TG_ROW_SETTLE] = "settle",     [TG_ROW_FINAL] = "settle",        [TG_ROW_LOST] = "lost",
    [TG_ROW_RESOLVE] = "resolve",   [TG_ROW_RESOLVE_FINAL] = "resolve", [TG_ROW_CARRY_OPEN] = "carry",
    [TG_ROW_CARRY_FINAL] = "carry",
};

/* What a claim's result means for the caller. */
static const struct {
    const char *claim, *verdict;
    uint16_t reason;
} results[] = {
    [0] = {"none", "refuse", TG_REASON_OK},
    [TG_CLAIM_TAKEN] = {"taken", "allow", TG_REASON_OK},
    [TG_CLAIM_SAME] = {"same", "allow", TG_REASON_OK},
    [TG_CLAIM_IN_FLIGHT] = {"in_flight", "refuse", TG_REASON_KEY_IN_FLIGHT},
    [TG_CLAIM_UNKNOWN] = {"unknown", "refuse", TG_REASON_KEY_OUTCOME_UNKNOWN},
    [TG_CLAIM_REPLAY] = {"replay", "replay", TG_REASON_OK},
    [TG_CLAIM_ANSWER_ABSENT] = {"answer_absent", "refuse", TG_REASON_KEY_ANSWER_ABSENT},
    [TG_CLAIM_MISMATCH] = {"mismatch", "refuse", TG_REASON_KEY_REUSED},
    [TG_CLAIM_OVER_QUOTA] = {"over_quota", "refuse", TG_REASON_QUOTA_EXCEEDED},
};

static const char *outcome_name(uint8_t outcome)
{
    static const char *const names[] = {"none", "final", "not_executed", "unknown", "not_sent"};
    return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "none";
}

static void put_reason(struct tg_buf *out, uint16_t reason)
{
    put_number(out, "reason", reason);
    put_word(out, "reason_name", tg_reason_entry(reason)->name);
}

static void put_verdict(struct tg_buf *out, const struct tg_row *row)
{
    uint16_t reason = row->verdict.reason, status = row->verdict.status;
    if (row->kind == TG_ROW_ADMIT || row->kind == TG_ROW_VERDICT) {
        size_t result = row->kind == TG_ROW_ADMIT ? TG_CLAIM_TAKEN : row->result;
        if (result >= sizeof(results) / sizeof(results[0]))
            result = 0;
        put_word(out, "verdict", results[result].verdict);
        put_word(out, "claim", results[result].claim);
        if (reason == 0)
            reason = results[result].reason;
        if (status == 0 && reason != 0)
            status = tg_reason_entry(reason)->status;
    } else if (row->kind == TG_ROW_REFUSAL) {
        put_word(out, "verdict", "refuse");
    }
    put_reason(out, reason);
    if (status != 0)
        put_number(out, "status", status);
}

static void put_who(struct tg_buf *out, const struct tg_verdict_row *row)
{
    put_id(out, "request_id", row->request_id);
    if (row->partner != 0)
        put_number(out, "partner", row->partner);
    if (row->credential != 0)
        put_number(out, "credential", row->credential);
    if (row->environment != 0)
        put_word(out, "environment", row->environment == TG_ENVIRONMENT_LIVE ? "live" : "test");
    if ((row->flags & TG_FLAG_OBSERVE) != 0)
        tg_buf_put_string(out, ",\"observed\":true");
    put_said(out, "route", row->route);
    put_said(out, "operation", row->operation);
    put_said(out, "method", row->method);
    put_said(out, "path_template", row->path_template);
}

static void put_facts(struct tg_buf *out, const struct tg_verdict_row *row)
{
    if ((row->flags & TG_FLAG_HAS_AMOUNT) != 0)
        put_number(out, "amount_minor", row->amount_minor);
    if (!is_zero(row->currency, sizeof(row->currency)))
        put_said(out, "currency", tg_span(row->currency, sizeof(row->currency)));
    put_id(out, "payee", row->payee);
    put_id(out, "payer", row->payer);
    put_id(out, "instrument", row->instrument);
    put_id(out, "address", row->address);
}

void tg_event_row_write(struct tg_buf *out, const struct tg_row *row)
{
    bool settles = row->outcome != 0 && tg_row_is_event(row->kind);
    tg_buf_put_string(out, "{\"sequence\":");
    tg_buf_put_decimal(out, (int64_t)row->sequence);
    put_time(out, row->verdict.at_us);
    put_word(out, "kind", kinds[row->kind]);
    put_who(out, &row->verdict);
    if (row->kind != TG_ROW_LOST)
        put_verdict(out, row);
    if (settles) {
        put_word(out, "outcome", outcome_name(row->outcome));
        put_number(out, "upstream_status", row->upstream_status);
        put_number(out, "upstream_us", row->upstream_us);
        put_name(out, "answer_kept");
        tg_buf_put_string(out, row->has_answer ? "true" : "false");
    } else if (row->kind == TG_ROW_LOST) {
        put_word(out, "outcome", "unknown");
    }
    put_facts(out, &row->verdict);
    if (row->ticket != 0)
        put_number(out, "ticket", (int64_t)row->ticket);
    put_id(out, "original_request_id", row->original_id);
    put_said(out, "actor", row->actor);
    put_said(out, "note", row->note);
    tg_buf_put_u8(out, '}');
}

/* JSON of our own is shown as such; bytes that JSON forbids in clear make it a text again. */
static void put_json(struct tg_buf *out, const char *name, struct tg_span text, bool json)
{
    if (text.len == 0)
        return;
    for (size_t i = 0; i < text.len; i++)
        json = json && text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f;
    put_name(out, name);
    if (json && tg_utf8_check(text) == text.len)
        tg_buf_put(out, text);
    else
        put_text(out, text);
}

void tg_event_act_write(struct tg_buf *out, const struct tg_event_act *act)
{
    tg_buf_put_string(out, "{\"sequence\":");
    tg_buf_put_decimal(out, (int64_t)act->sequence);
    put_time(out, act->at_us);
    put_word(out, "kind", "act");
    if (act->request_id.len == TG_REQUEST_ID_BYTES)
        put_id(out, "request_id", act->request_id.ptr);
    put_said(out, "actor", act->actor);
    put_said(out, "what", act->what);
    put_word(out, "result", act->result == TG_OK ? "ok" : tg_err_name(act->result));
    put_json(out, "before", act->before, act->before_json);
    put_json(out, "after", act->after, act->after_json);
    tg_buf_put_u8(out, '}');
}
