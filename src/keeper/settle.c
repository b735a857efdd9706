/*
 * settle.c - the question "this became of it": taken in, prepared, answered.
 *
 * Promises: never refused for want of room (a link's slots bound it) and never dropped once
 * read; OK is said only of what is durable and agrees with what was settled before.
 * Does not: seal the answer; the batch asks the sealer.
 */
#include "keeper/clock.h"
#include "keeper/keeper.h"

#include <string.h>

#include "base/banned.h"

bool tg_settle_serve(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_settle settle;
    if (tg_settle_read(frame->body, &settle) != TG_OK || link->settles >= TG_LINK_SLOTS) {
        return false;
    }
    struct tg_question *question = tg_question_make(TG_QUESTION_SETTLE, frame->body);
    if (question == NULL || tg_settle_read(tg_span(question->body, question->body_len), &question->settle) != TG_OK) {
        tg_question_free(question);
        return false;
    }
    question->slot = frame->slot;
    question->turn = frame->turn;
    question->received_us = tg_clock_monotonic_us();
    tg_link_bind(link, question);
    tg_batch_ask(link->keeper, question);
    return true;
}

void tg_settle_prepare(struct tg_keeper *keeper, struct tg_question *question)
{
    (void)keeper;
    const struct tg_settle *settle = &question->settle;
    question->reason = TG_REASON_OK;
    question->work = (struct tg_work){.kind = TG_WORK_SETTLE};
    question->work.settle = (struct tg_settle_work){
        .at_us = tg_clock_utc_us(),
        .ticket = settle->ticket,
        .owner = question->link->owner,
        .flags = settle->flags,
        .outcome = settle->outcome,
        .reason = settle->reason,
        .upstream_status = settle->upstream_status,
        .caller_status = settle->caller_status,
        .upstream_us = settle->upstream_us,
    };
    memcpy(question->work.settle.request_id, settle->request_id, TG_REQUEST_ID_BYTES);
}

void tg_settle_answer(struct tg_keeper *keeper, struct tg_question *question)
{
    const struct tg_settle_work *settle = &question->work.settle;
    struct tg_settle_answer answer = {.reason = question->reason};
    if (answer.reason == TG_REASON_OK && settle->result != TG_OK) {
        answer.reason = TG_REASON_INTERNAL;
    }
    if (answer.reason == TG_REASON_OK) {
        keeper->metrics.outcomes[settle->outcome]++;
    } else {
        keeper->metrics.settles_refused++;
    }
    struct tg_buf *out = tg_link_room(question->link, TG_SMALL_FRAME_BYTES_MAX);
    if (out != NULL) {
        tg_settle_answer_write(out, question->slot, question->turn, &answer);
    }
    tg_question_free(question);
}
