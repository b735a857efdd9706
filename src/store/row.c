/*
 * row.c - the bytes of a row: a version, a head, then the parts that its kind has.
 *
 * Promises: integers big-endian, texts with a length before them; reading
 * what was written gives the same row. Does not: keep old versions readable
 * by guessing: the version byte says which reader is right.
 */
#include "store/row.h"

#include <string.h>

#define ROW_VERSION 1

enum part {
    PART_PLACE = 1, /* route, operation, method, template, pseudonyms */
    PART_CLAIM = 2,
    PART_QUOTA = 4,
    PART_RESULT = 8,
    PART_SETTLE = 16,
    PART_WORDS = 32,
    PART_TICKET = 64 /* where there is no PART_CLAIM */
};

static const unsigned parts_of[TG_ROW_KIND_MAX + 1] = {
    [TG_ROW_ADMIT] = PART_PLACE | PART_CLAIM | PART_QUOTA,
    [TG_ROW_VERDICT] = PART_PLACE | PART_RESULT,
    [TG_ROW_REFUSAL] = PART_PLACE,
    [TG_ROW_SETTLE] = PART_TICKET | PART_SETTLE,
    [TG_ROW_FINAL] = PART_CLAIM | PART_SETTLE,
    [TG_ROW_LOST] = PART_TICKET,
    [TG_ROW_RESOLVE] = PART_TICKET | PART_SETTLE | PART_WORDS,
    [TG_ROW_RESOLVE_FINAL] = PART_CLAIM | PART_SETTLE | PART_WORDS,
    [TG_ROW_CARRY_OPEN] = PART_PLACE | PART_CLAIM | PART_QUOTA | PART_SETTLE,
    [TG_ROW_CARRY_FINAL] = PART_CLAIM | PART_SETTLE,
};

static void put_text(struct tg_buf *out, struct tg_span text, size_t max)
{
    struct tg_span kept = tg_span_sub(text, 0, max);
    tg_buf_put_u16(out, (uint16_t)kept.len);
    tg_buf_put(out, kept);
}

static struct tg_span take_text(struct tg_cursor *in, size_t max)
{
    uint16_t len = tg_cursor_u16(in);
    if (len > max)
        in->bad = true;
    return tg_cursor_span(in, len);
}

/* One form for each row: a byte that is neither 0 nor 1 was not written by us. */
static bool take_flag(struct tg_cursor *in)
{
    uint8_t flag = tg_cursor_u8(in);
    if (flag > 1)
        in->bad = true;
    return flag == 1;
}

static void write_head(struct tg_buf *out, const struct tg_verdict_row *row)
{
    tg_buf_put_u64(out, (uint64_t)row->at_us);
    tg_buf_put(out, tg_span(row->request_id, sizeof(row->request_id)));
    tg_buf_put_u8(out, row->flags);
    tg_buf_put_u8(out, row->environment);
    tg_buf_put_u16(out, row->reason);
    tg_buf_put_u16(out, row->status);
    tg_buf_put_u32(out, row->partner);
    tg_buf_put_u32(out, row->credential);
    tg_buf_put_u64(out, (uint64_t)row->amount_minor);
    tg_buf_put(out, tg_span(row->currency, sizeof(row->currency)));
}

static void read_head(struct tg_cursor *in, struct tg_verdict_row *row)
{
    row->at_us = (int64_t)tg_cursor_u64(in);
    tg_cursor_copy(in, row->request_id, sizeof(row->request_id));
    row->flags = tg_cursor_u8(in);
    row->environment = tg_cursor_u8(in);
    row->reason = tg_cursor_u16(in);
    row->status = tg_cursor_u16(in);
    row->partner = tg_cursor_u32(in);
    row->credential = tg_cursor_u32(in);
    row->amount_minor = (int64_t)tg_cursor_u64(in);
    tg_cursor_copy(in, row->currency, sizeof(row->currency));
}

/* Most calls say few of the four; a mask saves 16 zeroes for each that is not said. */
static void write_place(struct tg_buf *out, const struct tg_verdict_row *row)
{
    static const uint8_t zero[16];
    const uint8_t *pseudonyms[4] = {row->payee, row->payer, row->instrument, row->address};
    put_text(out, row->route, TG_NAME_BYTES_MAX);
    put_text(out, row->operation, TG_NAME_BYTES_MAX);
    put_text(out, row->method, TG_ROW_METHOD_BYTES_MAX);
    put_text(out, row->path_template, TG_TEMPLATE_BYTES_MAX);
    uint8_t mask = 0;
    for (unsigned i = 0; i < 4; i++)
        if (memcmp(pseudonyms[i], zero, sizeof(zero)) != 0)
            mask = (uint8_t)(mask | 1u << i);
    tg_buf_put_u8(out, mask);
    for (unsigned i = 0; i < 4; i++)
        if ((mask >> i & 1u) != 0)
            tg_buf_put(out, tg_span(pseudonyms[i], sizeof(zero)));
}

static void read_place(struct tg_cursor *in, struct tg_verdict_row *row)
{
    static const uint8_t zero[16];
    uint8_t *pseudonyms[4] = {row->payee, row->payer, row->instrument, row->address};
    row->route = take_text(in, TG_NAME_BYTES_MAX);
    row->operation = take_text(in, TG_NAME_BYTES_MAX);
    row->method = take_text(in, TG_ROW_METHOD_BYTES_MAX);
    row->path_template = take_text(in, TG_TEMPLATE_BYTES_MAX);
    uint8_t mask = tg_cursor_u8(in);
    if (mask > 15)
        in->bad = true;
    for (unsigned i = 0; i < 4; i++) {
        if ((mask >> i & 1u) == 0)
            continue;
        tg_cursor_copy(in, pseudonyms[i], 16);
        if (memcmp(pseudonyms[i], zero, sizeof(zero)) == 0) /* said, and yet not: the writer leaves it out */
            in->bad = true;
    }
}

static void write_settle(struct tg_buf *out, const struct tg_row *row)
{
    tg_buf_put_u8(out, row->outcome);
    tg_buf_put_u16(out, row->upstream_status);
    tg_buf_put_u16(out, row->caller_status);
    tg_buf_put_u32(out, row->upstream_us);
    tg_buf_put_u32(out, row->seal_segment);
    tg_buf_put_u8(out, row->has_answer);
}

static void read_settle(struct tg_cursor *in, struct tg_row *row)
{
    row->outcome = tg_cursor_u8(in);
    row->upstream_status = tg_cursor_u16(in);
    row->caller_status = tg_cursor_u16(in);
    row->upstream_us = tg_cursor_u32(in);
    row->seal_segment = tg_cursor_u32(in);
    row->has_answer = take_flag(in);
}

struct tg_row tg_row_admit(const struct tg_admit_work *work, enum tg_row_kind kind)
{
    struct tg_row row = {.kind = kind, .verdict = work->row, .expires_us = work->expires_us,
                         .quota_day = work->quota_day, .result = (uint8_t)work->result};
    memcpy(row.claim_key, work->claim_key, sizeof(row.claim_key));
    memcpy(row.fingerprint, work->fingerprint, sizeof(row.fingerprint));
    memcpy(row.original_id, work->original_id, sizeof(row.original_id));
    return row;
}

void tg_row_write(struct tg_buf *out, const struct tg_row *row)
{
    unsigned parts = parts_of[row->kind];
    tg_buf_put_u8(out, ROW_VERSION);
    write_head(out, &row->verdict);
    if ((parts & (PART_CLAIM | PART_TICKET)) != 0)
        tg_buf_put_u64(out, row->ticket);
    if ((parts & PART_CLAIM) != 0) {
        tg_buf_put(out, tg_span(row->claim_key, sizeof(row->claim_key)));
        tg_buf_put(out, tg_span(row->fingerprint, sizeof(row->fingerprint)));
        tg_buf_put_u64(out, (uint64_t)row->expires_us);
    }
    if ((parts & PART_PLACE) != 0)
        write_place(out, &row->verdict);
    if ((parts & PART_QUOTA) != 0) {
        tg_buf_put_u8(out, row->has_quota);
        tg_buf_put_u32(out, (uint32_t)row->quota_day);
        tg_buf_put_u64(out, row->replaces);
    }
    if ((parts & PART_RESULT) != 0) {
        tg_buf_put_u8(out, row->result);
        tg_buf_put(out, tg_span(row->original_id, sizeof(row->original_id)));
    }
    if ((parts & PART_SETTLE) != 0)
        write_settle(out, row);
    if ((parts & PART_WORDS) != 0) {
        put_text(out, row->actor, TG_ROW_WORDS_BYTES_MAX);
        put_text(out, row->note, TG_ROW_WORDS_BYTES_MAX);
    }
}

enum tg_err tg_row_read(enum tg_row_kind kind, uint64_t sequence, struct tg_span body, struct tg_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (kind < TG_ROW_ADMIT || kind > TG_ROW_KIND_MAX)
        return TG_ERR_CORRUPT;
    unsigned parts = parts_of[kind];
    struct tg_cursor in = tg_cursor(body);
    ret->kind = kind;
    ret->sequence = sequence;
    if (tg_cursor_u8(&in) != ROW_VERSION)
        return TG_ERR_CORRUPT;
    read_head(&in, &ret->verdict);
    if ((parts & (PART_CLAIM | PART_TICKET)) != 0)
        ret->ticket = tg_cursor_u64(&in);
    if ((parts & PART_CLAIM) != 0) {
        tg_cursor_copy(&in, ret->claim_key, sizeof(ret->claim_key));
        tg_cursor_copy(&in, ret->fingerprint, sizeof(ret->fingerprint));
        ret->expires_us = (int64_t)tg_cursor_u64(&in);
    }
    if ((parts & PART_PLACE) != 0)
        read_place(&in, &ret->verdict);
    if ((parts & PART_QUOTA) != 0) {
        ret->has_quota = take_flag(&in);
        ret->quota_day = (int32_t)tg_cursor_u32(&in);
        ret->replaces = tg_cursor_u64(&in);
    }
    if ((parts & PART_RESULT) != 0) {
        ret->result = tg_cursor_u8(&in);
        tg_cursor_copy(&in, ret->original_id, sizeof(ret->original_id));
    }
    if ((parts & PART_SETTLE) != 0)
        read_settle(&in, ret);
    if ((parts & PART_WORDS) != 0) {
        ret->actor = take_text(&in, TG_ROW_WORDS_BYTES_MAX);
        ret->note = take_text(&in, TG_ROW_WORDS_BYTES_MAX);
    }
    return tg_cursor_done(&in) == TG_OK ? TG_OK : TG_ERR_CORRUPT;
}
