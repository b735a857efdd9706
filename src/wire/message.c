/*
 * message.c - the fields of each message, in order, once for writing and once for reading.
 *
 * Promises: as message.h. Fixed fields come first, then texts (u16 length and bytes), then an answer (u32 length
 * and bytes). A field that a flag switches off is zero on the wire, and a reader insists on that, so that one
 * message has one form. A writer that is given what a reader would refuse spoils the buffer instead.
 * Does not: judge what the fields mean.
 */
#include "wire/message.h"

#include <string.h>

#include "base/banned.h"

/* ISO 4217 knows exponents of 0 to 4. */
#define EXPONENT_MAX 4

/* Fixed fields of ADMIT_ANSWER and SETTLE with their lengths, rounded up: for the size bounds. */
#define FIXED_FIELDS_MAX 64u

static bool in_range(uint64_t value, uint64_t first, uint64_t last)
{
    return value >= first && value <= last;
}

static void require(struct tg_buf *out, bool sound)
{
    if (!sound) {
        out->over = true;
    }
}

static void expect(struct tg_cursor *cursor, bool sound)
{
    if (!sound) {
        cursor->bad = true;
    }
}

/* The bytes when present, else as many zeroes. */
static void put_optional(struct tg_buf *out, bool present, const uint8_t *bytes, size_t len)
{
    static const uint8_t zeroes[TG_DIGEST_BYTES];
    tg_buf_put(out, tg_span(present ? bytes : zeroes, len));
}

static void take_optional(struct tg_cursor *cursor, bool present, uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    tg_cursor_copy(cursor, bytes, len);
    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    expect(cursor, present || any == 0);
}

static void put_text(struct tg_buf *out, struct tg_span text, size_t min, size_t max)
{
    require(out, in_range(text.len, min, max));
    tg_buf_put_u16(out, (uint16_t)text.len);
    tg_buf_put(out, text);
}

static struct tg_span take_text(struct tg_cursor *cursor, size_t min, size_t max)
{
    uint16_t len = tg_cursor_u16(cursor);
    expect(cursor, in_range(len, min, max));
    return tg_cursor_span(cursor, len);
}

static void put_answer(struct tg_buf *out, struct tg_span answer, bool allowed)
{
    require(out, answer.len <= (allowed ? TG_ANSWER_BYTES_MAX : 0));
    tg_buf_put_u32(out, (uint32_t)answer.len);
    tg_buf_put(out, answer);
}

static struct tg_span take_answer(struct tg_cursor *cursor, bool allowed)
{
    uint32_t len = tg_cursor_u32(cursor);
    expect(cursor, len <= (allowed ? TG_ANSWER_BYTES_MAX : 0));
    return tg_cursor_span(cursor, len);
}

/* Ends a read: on failure the struct is zeroed, so that nothing half read is used. */
static enum tg_err finish(const struct tg_cursor *cursor, void *ret, size_t size)
{
    enum tg_err err = tg_cursor_done(cursor);
    if (err != TG_OK) {
        memset(ret, 0, size);
    }
    return err;
}

void tg_hello_write(struct tg_buf *out, uint8_t type, const struct tg_hello *hello)
{
    size_t at = tg_frame_begin(out, type, TG_FRAME_SLOT_NONE, 0);
    tg_buf_put_u32(out, hello->protocol);
    tg_buf_put_u32(out, hello->pid);
    tg_buf_put(out, tg_span(hello->boot_id, sizeof(hello->boot_id)));
    tg_frame_end(out, at);
}

enum tg_err tg_hello_read(struct tg_span body, struct tg_hello *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_hello){0};
    ret->protocol = tg_cursor_u32(&cursor);
    ret->pid = tg_cursor_u32(&cursor);
    tg_cursor_copy(&cursor, ret->boot_id, sizeof(ret->boot_id));
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_auth_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_auth *auth)
{
    size_t at = tg_frame_begin(out, TG_FRAME_AUTH, slot, turn);
    tg_buf_put(out, tg_span(auth->key_hash, sizeof(auth->key_hash)));
    tg_buf_put(out, tg_span(auth->key_prefix, sizeof(auth->key_prefix)));
    tg_buf_put(out, tg_span(auth->address, sizeof(auth->address)));
    tg_buf_put_u8(out, auth->has_certificate ? 1 : 0);
    put_optional(out, auth->has_certificate, auth->certificate, sizeof(auth->certificate));
    tg_frame_end(out, at);
}

enum tg_err tg_auth_read(struct tg_span body, struct tg_auth *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_auth){0};
    tg_cursor_copy(&cursor, ret->key_hash, sizeof(ret->key_hash));
    tg_cursor_copy(&cursor, ret->key_prefix, sizeof(ret->key_prefix));
    tg_cursor_copy(&cursor, ret->address, sizeof(ret->address));
    uint8_t has = tg_cursor_u8(&cursor);
    expect(&cursor, has <= 1);
    ret->has_certificate = has == 1;
    take_optional(&cursor, ret->has_certificate, ret->certificate, sizeof(ret->certificate));
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_auth_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_auth_answer *answer)
{
    size_t at = tg_frame_begin(out, TG_FRAME_AUTH_ANSWER, slot, turn);
    /* Reason 0 is TG_REASON_OK; only then there is somebody with an environment. */
    require(out, in_range(answer->environment, answer->reason == 0 ? TG_ENVIRONMENT_TEST : 0, TG_ENVIRONMENT_LIVE));
    tg_buf_put_u16(out, answer->reason);
    tg_buf_put_u16(out, answer->retry_after_s);
    tg_buf_put_u32(out, answer->partner);
    tg_buf_put_u32(out, answer->credential);
    tg_buf_put_u8(out, answer->environment);
    tg_frame_end(out, at);
}

enum tg_err tg_auth_answer_read(struct tg_span body, struct tg_auth_answer *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_auth_answer){0};
    ret->reason = tg_cursor_u16(&cursor);
    ret->retry_after_s = tg_cursor_u16(&cursor);
    ret->partner = tg_cursor_u32(&cursor);
    ret->credential = tg_cursor_u32(&cursor);
    ret->environment = tg_cursor_u8(&cursor);
    expect(&cursor, in_range(ret->environment, ret->reason == 0 ? TG_ENVIRONMENT_TEST : 0, TG_ENVIRONMENT_LIVE));
    return finish(&cursor, ret, sizeof(*ret));
}

/* What both sides ask of an amount: not negative, three capital letters or none at all, an exponent that exists; or all zero. */
static bool is_amount_sound(const struct tg_admit *admit)
{
    if ((admit->flags & TG_FLAG_HAS_AMOUNT) == 0) {
        return true;
    }
    bool named = admit->currency[0] != 0; /* a capture or refund may leave the currency to its payment */
    for (size_t i = 0; i < sizeof(admit->currency); i++) {
        if (named ? !in_range(admit->currency[i], 'A', 'Z') : admit->currency[i] != 0) {
            return false;
        }
    }
    return admit->amount_minor >= 0 && admit->exponent <= EXPONENT_MAX;
}

static void put_amount(struct tg_buf *out, const struct tg_admit *admit)
{
    bool has = (admit->flags & TG_FLAG_HAS_AMOUNT) != 0;
    require(out, is_amount_sound(admit));
    tg_buf_put_u64(out, has ? (uint64_t)admit->amount_minor : 0);
    put_optional(out, has, admit->currency, sizeof(admit->currency));
    tg_buf_put_u8(out, has ? admit->exponent : 0);
}

static void take_amount(struct tg_cursor *cursor, struct tg_admit *ret)
{
    bool has = (ret->flags & TG_FLAG_HAS_AMOUNT) != 0;
    uint64_t amount = tg_cursor_u64(cursor);
    expect(cursor, amount <= INT64_MAX && (has || amount == 0));
    ret->amount_minor = amount <= INT64_MAX ? (int64_t)amount : 0;
    take_optional(cursor, has, ret->currency, sizeof(ret->currency));
    take_optional(cursor, has, &ret->exponent, 1);
    expect(cursor, is_amount_sound(ret));
}

void tg_admit_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_admit *admit)
{
    size_t at = tg_frame_begin(out, TG_FRAME_ADMIT, slot, turn);
    uint8_t flags = admit->flags;
    require(out, in_range(admit->environment, TG_ENVIRONMENT_TEST, TG_ENVIRONMENT_LIVE));
    tg_buf_put_u8(out, flags);
    tg_buf_put_u8(out, admit->environment);
    tg_buf_put_u32(out, admit->partner);
    tg_buf_put_u32(out, admit->credential);
    tg_buf_put_u32(out, admit->wait_ms);
    tg_buf_put_u32(out, admit->ttl_s);
    tg_buf_put(out, tg_span(admit->request_id, sizeof(admit->request_id)));
    put_optional(out, (flags & TG_FLAG_HAS_KEY) != 0, admit->key_digest, TG_DIGEST_BYTES);
    tg_buf_put(out, tg_span(admit->fingerprint, TG_DIGEST_BYTES));
    put_optional(out, (flags & TG_FLAG_HAS_PAYEE) != 0, admit->payee, TG_DIGEST_BYTES);
    put_optional(out, (flags & TG_FLAG_HAS_PAYER) != 0, admit->payer, TG_DIGEST_BYTES);
    put_optional(out, (flags & TG_FLAG_HAS_INSTRUMENT) != 0, admit->instrument, TG_DIGEST_BYTES);
    tg_buf_put(out, tg_span(admit->address, TG_DIGEST_BYTES));
    put_amount(out, admit);
    put_text(out, admit->route, 1, TG_NAME_BYTES_MAX);
    put_text(out, admit->profile, 1, TG_NAME_BYTES_MAX);
    put_text(out, admit->operation, 1, TG_NAME_BYTES_MAX);
    put_text(out, admit->method, 1, TG_NAME_BYTES_MAX);
    put_text(out, admit->path_template, 1, TG_TEMPLATE_BYTES_MAX);
    tg_frame_end(out, at);
}

enum tg_err tg_admit_read(struct tg_span body, struct tg_admit *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_admit){0};
    uint8_t flags = tg_cursor_u8(&cursor);
    ret->flags = flags;
    ret->environment = tg_cursor_u8(&cursor);
    expect(&cursor, in_range(ret->environment, TG_ENVIRONMENT_TEST, TG_ENVIRONMENT_LIVE));
    ret->partner = tg_cursor_u32(&cursor);
    ret->credential = tg_cursor_u32(&cursor);
    ret->wait_ms = tg_cursor_u32(&cursor);
    ret->ttl_s = tg_cursor_u32(&cursor);
    tg_cursor_copy(&cursor, ret->request_id, sizeof(ret->request_id));
    take_optional(&cursor, (flags & TG_FLAG_HAS_KEY) != 0, ret->key_digest, TG_DIGEST_BYTES);
    tg_cursor_copy(&cursor, ret->fingerprint, TG_DIGEST_BYTES);
    take_optional(&cursor, (flags & TG_FLAG_HAS_PAYEE) != 0, ret->payee, TG_DIGEST_BYTES);
    take_optional(&cursor, (flags & TG_FLAG_HAS_PAYER) != 0, ret->payer, TG_DIGEST_BYTES);
    take_optional(&cursor, (flags & TG_FLAG_HAS_INSTRUMENT) != 0, ret->instrument, TG_DIGEST_BYTES);
    tg_cursor_copy(&cursor, ret->address, TG_DIGEST_BYTES);
    take_amount(&cursor, ret);
    ret->route = take_text(&cursor, 1, TG_NAME_BYTES_MAX);
    ret->profile = take_text(&cursor, 1, TG_NAME_BYTES_MAX);
    ret->operation = take_text(&cursor, 1, TG_NAME_BYTES_MAX);
    ret->method = take_text(&cursor, 1, TG_NAME_BYTES_MAX);
    ret->path_template = take_text(&cursor, 1, TG_TEMPLATE_BYTES_MAX);
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_admit_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_admit_answer *answer)
{
    size_t at = tg_frame_begin(out, TG_FRAME_ADMIT_ANSWER, slot, turn);
    require(out, in_range(answer->verdict, TG_VERDICT_ALLOW, TG_VERDICT_REFUSE));
    tg_buf_put_u8(out, answer->verdict);
    tg_buf_put_u16(out, answer->reason);
    tg_buf_put_u16(out, answer->retry_after_s);
    tg_buf_put_u64(out, answer->ticket);
    tg_buf_put(out, tg_span(answer->original_id, sizeof(answer->original_id)));
    put_text(out, answer->credential, 0, answer->verdict == TG_VERDICT_ALLOW ? TG_UPSTREAM_CREDENTIAL_BYTES_MAX : 0);
    put_answer(out, answer->answer, answer->verdict == TG_VERDICT_REPLAY);
    tg_frame_end(out, at);
}

enum tg_err tg_admit_answer_read(struct tg_span body, struct tg_admit_answer *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_admit_answer){0};
    ret->verdict = tg_cursor_u8(&cursor);
    expect(&cursor, in_range(ret->verdict, TG_VERDICT_ALLOW, TG_VERDICT_REFUSE));
    ret->reason = tg_cursor_u16(&cursor);
    ret->retry_after_s = tg_cursor_u16(&cursor);
    ret->ticket = tg_cursor_u64(&cursor);
    tg_cursor_copy(&cursor, ret->original_id, sizeof(ret->original_id));
    ret->credential = take_text(&cursor, 0, ret->verdict == TG_VERDICT_ALLOW ? TG_UPSTREAM_CREDENTIAL_BYTES_MAX : 0);
    ret->answer = take_answer(&cursor, ret->verdict == TG_VERDICT_REPLAY);
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_settle_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_settle *settle)
{
    size_t at = tg_frame_begin(out, TG_FRAME_SETTLE, slot, turn);
    require(out, in_range(settle->outcome, TG_OUTCOME_FINAL, TG_OUTCOME_NOT_SENT));
    tg_buf_put_u8(out, settle->flags);
    tg_buf_put_u8(out, settle->outcome);
    tg_buf_put_u16(out, settle->reason);
    tg_buf_put_u16(out, settle->upstream_status);
    tg_buf_put_u16(out, settle->caller_status);
    tg_buf_put_u32(out, settle->upstream_us);
    tg_buf_put_u64(out, settle->ticket);
    tg_buf_put(out, tg_span(settle->request_id, sizeof(settle->request_id)));
    put_answer(out, settle->answer, settle->outcome == TG_OUTCOME_FINAL);
    tg_frame_end(out, at);
}

enum tg_err tg_settle_read(struct tg_span body, struct tg_settle *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_settle){0};
    ret->flags = tg_cursor_u8(&cursor);
    ret->outcome = tg_cursor_u8(&cursor);
    expect(&cursor, in_range(ret->outcome, TG_OUTCOME_FINAL, TG_OUTCOME_NOT_SENT));
    ret->reason = tg_cursor_u16(&cursor);
    ret->upstream_status = tg_cursor_u16(&cursor);
    ret->caller_status = tg_cursor_u16(&cursor);
    ret->upstream_us = tg_cursor_u32(&cursor);
    ret->ticket = tg_cursor_u64(&cursor);
    tg_cursor_copy(&cursor, ret->request_id, sizeof(ret->request_id));
    ret->answer = take_answer(&cursor, ret->outcome == TG_OUTCOME_FINAL);
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_settle_answer_write(struct tg_buf *out, uint16_t slot, uint32_t turn, const struct tg_settle_answer *answer)
{
    size_t at = tg_frame_begin(out, TG_FRAME_SETTLE_ANSWER, slot, turn);
    tg_buf_put_u16(out, answer->reason);
    tg_frame_end(out, at);
}

enum tg_err tg_settle_answer_read(struct tg_span body, struct tg_settle_answer *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    ret->reason = tg_cursor_u16(&cursor);
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_note_write(struct tg_buf *out, const struct tg_note *note)
{
    size_t at = tg_frame_begin(out, TG_FRAME_NOTE, TG_FRAME_SLOT_NONE, 0);
    tg_buf_put_u8(out, note->flags);
    tg_buf_put_u16(out, note->reason);
    tg_buf_put_u16(out, note->status);
    tg_buf_put_u32(out, note->partner);
    tg_buf_put_u32(out, note->credential);
    tg_buf_put(out, tg_span(note->request_id, sizeof(note->request_id)));
    put_text(out, note->route, 0, TG_NAME_BYTES_MAX);
    put_text(out, note->operation, 0, TG_NAME_BYTES_MAX);
    tg_frame_end(out, at);
}

enum tg_err tg_note_read(struct tg_span body, struct tg_note *ret)
{
    struct tg_cursor cursor = tg_cursor(body);
    *ret = (struct tg_note){0};
    ret->flags = tg_cursor_u8(&cursor);
    ret->reason = tg_cursor_u16(&cursor);
    ret->status = tg_cursor_u16(&cursor);
    ret->partner = tg_cursor_u32(&cursor);
    ret->credential = tg_cursor_u32(&cursor);
    tg_cursor_copy(&cursor, ret->request_id, sizeof(ret->request_id));
    ret->route = take_text(&cursor, 0, TG_NAME_BYTES_MAX);
    ret->operation = take_text(&cursor, 0, TG_NAME_BYTES_MAX);
    return finish(&cursor, ret, sizeof(*ret));
}

void tg_bytes_write(struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn, struct tg_span body)
{
    size_t at = tg_frame_begin(out, type, slot, turn);
    tg_buf_put(out, body);
    tg_frame_end(out, at);
}

size_t tg_admit_answer_size(const struct tg_admit_answer *answer)
{
    return TG_FRAME_HEADER_BYTES + FIXED_FIELDS_MAX + answer->credential.len + answer->answer.len;
}

size_t tg_settle_size(const struct tg_settle *settle)
{
    return TG_FRAME_HEADER_BYTES + FIXED_FIELDS_MAX + settle->answer.len;
}
