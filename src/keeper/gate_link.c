/*
 * gate_link.c - what a gate may say, and what its going means.
 *
 * Promises: HELLO comes first and once; a frame that is not understood closes the link; a link
 * that goes leaves one LOST behind everything that it asked.
 * Does not: serve; each service has a file.
 */
#include "keeper/clock.h"
#include "keeper/keeper.h"

#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

#include "base/banned.h"

static bool greet(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_keeper *keeper = link->keeper;
    struct tg_hello hello;
    if (link->greeted || tg_hello_read(frame->body, &hello) != TG_OK || hello.protocol != TG_FRAME_VERSION) {
        return false;
    }
    link->greeted = true;
    link->owner = keeper->owner_next++;
    struct tg_hello answer = {.protocol = TG_FRAME_VERSION, .pid = (uint32_t)getpid()};
    memcpy(answer.boot_id, keeper->boot_id, sizeof(answer.boot_id));
    struct tg_buf *out = tg_link_room(link, TG_SMALL_FRAME_BYTES_MAX);
    if (out != NULL) {
        tg_hello_write(out, TG_FRAME_HELLO_ANSWER, &answer);
    }
    return true;
}

bool tg_gate_frame(struct tg_link *link, const struct tg_frame *frame)
{
    if (frame->type == TG_FRAME_HELLO) {
        return greet(link, frame);
    }
    if (!link->greeted) {
        return false;
    }
    switch (frame->type) {
    case TG_FRAME_AUTH:
        return tg_auth_serve(link, frame);
    case TG_FRAME_ADMIT:
        return tg_admit_serve(link, frame);
    case TG_FRAME_SETTLE:
        return tg_settle_serve(link, frame);
    case TG_FRAME_NOTE:
        return tg_note_serve(link, frame);
    case TG_FRAME_STATS:
        return tg_stats_serve(link, frame);
    default:
        return false;
    }
}

void tg_gate_gone(struct tg_link *link)
{
    struct tg_keeper *keeper = link->keeper;
    if (!link->greeted || keeper->ending_since_us != 0) {
        return;
    }
    keeper->metrics.links_lost++;
    struct tg_question *question = tg_question_make(TG_QUESTION_LOST, tg_span(NULL, 0));
    if (question == NULL) {
        /* Without it claims would stay "in flight" for good; a restart calls them unknown. */
        tg_committer_fail("no memory", TG_ERR_ROOM);
    }
    question->work = (struct tg_work){.kind = TG_WORK_LOST};
    question->work.lost.owner = link->owner;
    question->work.lost.at_us = tg_clock_utc_us();
    tg_batch_ask(keeper, question);
}

void tg_gate_flush(struct tg_keeper *keeper)
{
    struct tg_link *next;
    for (struct tg_link *link = keeper->links; link != NULL; link = next) {
        next = link->next;
        if (link->role != TG_ROLE_GATE || !link->greeted) {
            continue;
        }
        struct tg_buf *out = tg_link_room(link, TG_SMALL_FRAME_BYTES_MAX);
        if (out != NULL) {
            tg_bytes_write(out, TG_FRAME_FLUSH, TG_FRAME_SLOT_NONE, 0, tg_span(NULL, 0));
        }
    }
}
