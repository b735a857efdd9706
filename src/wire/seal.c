/*
 * seal.c - works and results between keeper and sealer.
 *
 * Promises: as seal.h; at most TG_SEAL_WORKS_MAX in a frame on either side.
 * Does not: work with keys.
 */
#include "wire/seal.h"

#include "base/endian.h"

#include "base/banned.h"

static bool has_aad(uint8_t operation)
{
    return operation == TG_SEAL_SEAL || operation == TG_SEAL_OPEN;
}

void tg_seal_begin(struct tg_seal_writer *writer, struct tg_buf *out, uint8_t type, uint16_t slot, uint32_t turn)
{
    writer->out = out;
    writer->frame = tg_frame_begin(out, type, slot, turn);
    writer->count_at = out->len;
    writer->count = 0;
    tg_buf_put_u16(out, 0);
}

/* Counts one more, or spoils the frame. */
static bool count_one(struct tg_seal_writer *writer)
{
    if (writer->count >= TG_SEAL_WORKS_MAX) {
        writer->out->over = true;
        return false;
    }
    writer->count++;
    return true;
}

void tg_seal_add_work(struct tg_seal_writer *writer, const struct tg_seal_work *work)
{
    struct tg_buf *out = writer->out;
    size_t extra = has_aad(work->operation) ? 2 + work->aad.len : 0;
    if (!count_one(writer)) {
        return;
    }
    if (work->aad.len > UINT16_MAX || (extra == 0 && work->aad.len != 0) || work->input.len > TG_FRAME_BODY_BYTES_MAX ||
        work->operation < TG_SEAL_MAC || work->operation > TG_SEAL_GUARD) {
        out->over = true;
        return;
    }
    tg_buf_put_u8(out, work->operation);
    tg_buf_put_u32(out, work->key);
    tg_buf_put_u32(out, (uint32_t)(extra + work->input.len));
    if (extra != 0) {
        tg_buf_put_u16(out, (uint16_t)work->aad.len);
        tg_buf_put(out, work->aad);
    }
    tg_buf_put(out, work->input);
}

void tg_seal_add_result(struct tg_seal_writer *writer, uint8_t status, struct tg_span output)
{
    struct tg_buf *out = writer->out;
    if (!count_one(writer)) {
        return;
    }
    if (output.len > TG_FRAME_BODY_BYTES_MAX || status > TG_SEAL_FAILED) {
        out->over = true;
        return;
    }
    tg_buf_put_u8(out, status);
    tg_buf_put_u32(out, (uint32_t)output.len);
    tg_buf_put(out, output);
}

void tg_seal_end(struct tg_seal_writer *writer)
{
    if (!writer->out->over) {
        tg_be16_write(writer->out->ptr + writer->count_at, writer->count);
    }
    tg_frame_end(writer->out, writer->frame);
}

size_t tg_seal_work_size(const struct tg_seal_work *work)
{
    return 1 + 4 + 4 + (has_aad(work->operation) ? 2 + work->aad.len : 0) + work->input.len;
}

enum tg_err tg_seal_read_count(struct tg_cursor *cursor, uint16_t *count)
{
    *count = tg_cursor_u16(cursor);
    if (cursor->bad) {
        return TG_ERR_INPUT;
    }
    if (*count > TG_SEAL_WORKS_MAX) {
        *count = 0;
        return TG_ERR_LIMIT;
    }
    return TG_OK;
}

enum tg_err tg_seal_read_work(struct tg_cursor *cursor, struct tg_seal_work *work)
{
    *work = (struct tg_seal_work){0};
    uint8_t operation = tg_cursor_u8(cursor);
    uint32_t key = tg_cursor_u32(cursor);
    uint32_t len = tg_cursor_u32(cursor);
    struct tg_cursor inner = tg_cursor(tg_cursor_span(cursor, len));
    if (cursor->bad || operation < TG_SEAL_MAC || operation > TG_SEAL_GUARD) {
        return TG_ERR_INPUT;
    }
    if (has_aad(operation)) {
        uint16_t aad_len = tg_cursor_u16(&inner);
        work->aad = tg_cursor_span(&inner, aad_len);
        if (inner.bad) {
            return TG_ERR_INPUT;
        }
    }
    work->operation = operation;
    work->key = key;
    work->input = inner.rest;
    return TG_OK;
}

enum tg_err tg_seal_read_result(struct tg_cursor *cursor, struct tg_seal_result *result)
{
    *result = (struct tg_seal_result){0};
    uint8_t status = tg_cursor_u8(cursor);
    uint32_t len = tg_cursor_u32(cursor);
    struct tg_span output = tg_cursor_span(cursor, len);
    if (cursor->bad || status > TG_SEAL_FAILED) {
        return TG_ERR_INPUT;
    }
    *result = (struct tg_seal_result){status, output};
    return TG_OK;
}
