/*
 * frame_fuzz.c - any bytes as a stream from any peer.
 *
 * Promises: the first byte picks the sender's role, the rest is what it sends. Every frame that is read is decoded
 * by its type's reader, and what a reader took is written and read again: both bodies must be the same.
 * Does not: keep state between inputs.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"
#include "wire/seal.h"

/* The second form of a message never exceeds the first: one form each. */
static uint8_t room[TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX];

static void expect_same(const struct tg_buf *out, struct tg_span body)
{
    if (tg_buf_done(out) != TG_OK ||
        !tg_span_equal(tg_span_sub(tg_buf_span(out), TG_FRAME_HEADER_BYTES, SIZE_MAX), body)) {
        abort();
    }
}

static void try_gate(const struct tg_frame *frame, struct tg_buf *out)
{
    struct tg_hello hello;
    struct tg_auth auth;
    struct tg_admit admit;
    struct tg_settle settle;
    struct tg_note note;
    if (frame->type == TG_FRAME_HELLO && tg_hello_read(frame->body, &hello) == TG_OK) {
        tg_hello_write(out, frame->type, &hello);
    } else if (frame->type == TG_FRAME_AUTH && tg_auth_read(frame->body, &auth) == TG_OK) {
        tg_auth_write(out, frame->slot, frame->turn, &auth);
    } else if (frame->type == TG_FRAME_ADMIT && tg_admit_read(frame->body, &admit) == TG_OK) {
        tg_admit_write(out, frame->slot, frame->turn, &admit);
    } else if (frame->type == TG_FRAME_SETTLE && tg_settle_read(frame->body, &settle) == TG_OK) {
        tg_settle_write(out, frame->slot, frame->turn, &settle);
    } else if (frame->type == TG_FRAME_NOTE && tg_note_read(frame->body, &note) == TG_OK) {
        tg_note_write(out, &note);
    }
}

static void try_answers(const struct tg_frame *frame, struct tg_buf *out)
{
    struct tg_auth_answer auth;
    struct tg_admit_answer admit;
    struct tg_settle_answer settle;
    if (frame->type == TG_FRAME_AUTH_ANSWER && tg_auth_answer_read(frame->body, &auth) == TG_OK) {
        tg_auth_answer_write(out, frame->slot, frame->turn, &auth);
    } else if (frame->type == TG_FRAME_ADMIT_ANSWER && tg_admit_answer_read(frame->body, &admit) == TG_OK) {
        tg_admit_answer_write(out, frame->slot, frame->turn, &admit);
    } else if (frame->type == TG_FRAME_SETTLE_ANSWER && tg_settle_answer_read(frame->body, &settle) == TG_OK) {
        tg_settle_answer_write(out, frame->slot, frame->turn, &settle);
    }
}

static void try_works(const struct tg_frame *frame, struct tg_buf *out)
{
    uint16_t count = 0;
    struct tg_seal_writer writer;
    struct tg_cursor cursor = tg_cursor(frame->body);
    enum tg_err err = tg_seal_read_count(&cursor, &count);
    tg_seal_begin(&writer, out, frame->type, frame->slot, frame->turn);
    for (uint16_t i = 0; i < count && err == TG_OK; i++) {
        struct tg_seal_work work;
        struct tg_seal_result result;
        if (frame->type == TG_FRAME_SEAL) {
            err = tg_seal_read_work(&cursor, &work);
            tg_seal_add_work(&writer, &work);
        } else {
            err = tg_seal_read_result(&cursor, &result);
            tg_seal_add_result(&writer, result.status, result.output);
        }
    }
    tg_seal_end(&writer);
    if (err != TG_OK || tg_cursor_done(&cursor) != TG_OK) {
        *out = tg_buf(room, sizeof(room)); /* not a message: nothing to compare */
    }
}

static void try_frame(enum tg_role role, const struct tg_frame *frame)
{
    struct tg_buf out = tg_buf(room, sizeof(room));
    if (frame->type == TG_FRAME_SEAL || frame->type == TG_FRAME_SEAL_ANSWER) {
        try_works(frame, &out);
    } else if (role == TG_ROLE_GATE) {
        try_gate(frame, &out);
    } else {
        try_answers(frame, &out);
    }
    if (out.len > 0) {
        expect_same(&out, frame->body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum tg_role role = (enum tg_role)(data[0] % 4 + 1);
    struct tg_span input = tg_span(data + 1, size - 1);
    struct tg_frame frame;
    size_t used = 0;
    while (tg_frame_read(role, input, &frame, &used) == TG_OK) {
        try_frame(role, &frame);
        input = tg_span_sub(input, used, SIZE_MAX);
    }
    return 0;
}
