/*
 * late.c - a small ring of SETTLE frames (late.h).
 */
#include "gate/late.h"

#include "crypto/crypto.h"
#include "gate/link.h"

/* A keeper that was gone for a moment: what one worker had in flight then, mostly small answers. */
#define TG_LATE_FRAMES_MAX 64
#define TG_LATE_BYTES_MAX (128u * 1024u)

struct tg_late {
    struct tg_buf frame[TG_LATE_FRAMES_MAX];
    size_t first;
    size_t count;
    size_t bytes;
};

static struct tg_late tg_late;

struct tg_span tg_gate_late_first(void)
{
    return tg_late.count == 0 ? tg_span(NULL, 0) : tg_buf_span(&tg_late.frame[tg_late.first]);
}

void tg_gate_late_drop(void)
{
    struct tg_buf *frame = &tg_late.frame[tg_late.first];

    if (tg_late.count == 0) {
        return;
    }
    tg_late.bytes -= frame->cap;
    /* It holds an answer to a caller. */
    tg_wipe(frame->ptr, frame->cap);
    ngx_free(frame->ptr);
    tg_late.first = (tg_late.first + 1) % TG_LATE_FRAMES_MAX;
    tg_late.count--;
}

void tg_gate_late_keep(uint16_t slot, const struct tg_settle *settle)
{
    size_t bytes = tg_settle_size(settle);
    struct tg_buf *frame;

    if (bytes > TG_LATE_BYTES_MAX) {
        return;
    }
    while (tg_late.count == TG_LATE_FRAMES_MAX || tg_late.bytes + bytes > TG_LATE_BYTES_MAX) {
        tg_gate_late_drop();
    }
    frame = &tg_late.frame[(tg_late.first + tg_late.count) % TG_LATE_FRAMES_MAX];
    *frame = tg_buf(ngx_alloc(bytes, ngx_cycle->log), bytes);
    if (frame->ptr == NULL) {
        return;
    }
    /* Turns begin with 1: the answer to this one is nobody's. */
    tg_settle_write(frame, slot, 0, settle);
    if (tg_buf_done(frame) != TG_OK) {
        ngx_free(frame->ptr);
        return;
    }
    tg_late.bytes += bytes;
    tg_late.count++;
    tg_gate_link_push();
}
