/*
 * answer.c - from one SEAL frame to its SEAL_ANSWER.
 *
 * Promises: every work of a sound frame has a result, in order; a work whose output has no room in the answer fails
 * alone, because room for the results behind it is kept free.
 * Does not: read or write descriptors.
 */
#include "sealer/serve.h"

#include "base/banned.h"

/* A result without output: u8 status, u32 length. */
#define RESULT_HEAD_BYTES 5u

/* What the next output may take: the frame's end less the heads of this result and all that follow. */
static size_t room_for_output(const struct tg_buf *out, size_t frame_end, uint16_t results_left)
{
    size_t kept = (size_t)results_left * RESULT_HEAD_BYTES;
    size_t end = frame_end < out->cap ? frame_end : out->cap;
    return end > out->len + kept ? end - out->len - kept : 0;
}

/* The largest output that a work may have; asked before the work, so that no key is made for a lost answer. */
static bool may_fit(const struct tg_seal_work *work, size_t room)
{
    return room >= work->input.len + TG_SEAL_OVERHEAD_BYTES + TG_SIGNATURE_BYTES;
}

enum tg_err tg_serve_frame(struct tg_sealer *sealer, const struct tg_frame *frame, struct tg_buf *out, uint8_t *scratch,
                           size_t scratch_cap)
{
    uint16_t count = 0;
    struct tg_seal_writer writer;
    struct tg_cursor cursor = tg_cursor(frame->body);
    enum tg_err err = tg_seal_read_count(&cursor, &count);
    size_t frame_end = out->len + TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX;
    tg_seal_begin(&writer, out, TG_FRAME_SEAL_ANSWER, frame->slot, frame->turn);
    for (uint16_t i = 0; i < count && err == TG_OK; i++) {
        struct tg_seal_work work;
        size_t len = 0;
        uint8_t status = TG_SEAL_FAILED;
        err = tg_seal_read_work(&cursor, &work);
        if (err != TG_OK) {
            return err;
        }
        if (may_fit(&work, room_for_output(out, frame_end, (uint16_t)(count - i)))) {
            status = tg_work_do(sealer, &work, scratch, scratch_cap, &len);
        }
        tg_seal_add_result(&writer, status, tg_span(scratch, len));
        tg_wipe(scratch, len);
    }
    if (err != TG_OK) {
        return err;
    }
    tg_seal_end(&writer);
    err = tg_cursor_done(&cursor);
    return err != TG_OK ? err : tg_buf_done(out);
}
