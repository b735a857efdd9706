/*
 * slot.c - the table of questions of one worker.
 *
 * The table grows one slot at a time up to TG_LINK_SLOTS and never shrinks; slots do not move, since timers point
 * into them.
 */
#include "gate/slot.h"

#include "gate/link.h"

/* Slots come in blocks, so that a quiet worker stays small: 64 blocks of 64. */
#define TG_SLOT_BLOCK 64
#define TG_SLOT_BLOCKS (TG_LINK_SLOTS / TG_SLOT_BLOCK)

struct tg_slots {
    struct tg_gate_slot *block[TG_SLOT_BLOCKS];
    ngx_queue_t free;
    ngx_queue_t waiting; /* to be written, oldest first */
    ngx_uint_t made;
    ngx_uint_t used;
    bool ready;
};

static struct tg_slots tg_slots;

static struct tg_gate_slot *tg_slot_at(ngx_uint_t index)
{
    return &tg_slots.block[index / TG_SLOT_BLOCK][index % TG_SLOT_BLOCK];
}

static void tg_slot_deadline(ngx_event_t *event)
{
    struct tg_gate_slot *slot = event->data;

    tg_gate_slot_rest(slot);
    (void)slot->answered(slot, NULL);
}

static struct tg_gate_slot *tg_slot_make(void)
{
    struct tg_gate_slot *slot;
    ngx_uint_t block = tg_slots.made / TG_SLOT_BLOCK;

    if (tg_slots.made == TG_LINK_SLOTS) {
        return NULL;
    }
    if (tg_slots.block[block] == NULL) {
        tg_slots.block[block] = ngx_calloc(TG_SLOT_BLOCK * sizeof(*slot), ngx_cycle->log);
        if (tg_slots.block[block] == NULL) {
            return NULL;
        }
    }
    slot = tg_slot_at(tg_slots.made);
    slot->index = (uint16_t)tg_slots.made;
    slot->deadline.handler = tg_slot_deadline;
    slot->deadline.data = slot;
    slot->deadline.log = ngx_cycle->log;
    tg_slots.made++;
    return slot;
}

struct tg_gate_slot *tg_gate_slot_take(void *data)
{
    struct tg_gate_slot *slot;

    if (!tg_slots.ready) {
        ngx_queue_init(&tg_slots.free);
        ngx_queue_init(&tg_slots.waiting);
        tg_slots.ready = true;
    }
    if (ngx_queue_empty(&tg_slots.free)) {
        slot = tg_slot_make();
        if (slot == NULL) {
            return NULL;
        }
    } else {
        slot = ngx_queue_data(ngx_queue_head(&tg_slots.free), struct tg_gate_slot, queue);
        ngx_queue_remove(&slot->queue);
    }
    slot->data = data;
    slot->owned = NULL;
    slot->answered = NULL;
    slot->question.type = 0;
    slot->queued = false;
    slot->used = true;
    tg_slots.used++;
    tg_gate_link_busy();
    return slot;
}

static void tg_slot_queue(struct tg_gate_slot *slot)
{
    if (!slot->queued) {
        ngx_queue_insert_tail(&tg_slots.waiting, &slot->queue);
        slot->queued = true;
    }
}

void tg_gate_slot_ask(struct tg_gate_slot *slot, ngx_msec_t wait_ms, tg_gate_answered_fn answered)
{
    slot->turn++;
    slot->answered = answered;
    ngx_add_timer(&slot->deadline, wait_ms);
    tg_slot_queue(slot);
    tg_gate_link_push();
}

void tg_gate_slot_rest(struct tg_gate_slot *slot)
{
    if (slot->deadline.timer_set) {
        ngx_del_timer(&slot->deadline);
    }
    if (slot->queued) {
        ngx_queue_remove(&slot->queue);
        slot->queued = false;
    }
    slot->question.type = 0;
    slot->turn++;
}

void tg_gate_slot_free(struct tg_gate_slot *slot)
{
    if (slot == NULL || !slot->used) {
        return;
    }
    tg_gate_slot_rest(slot);
    if (slot->owned != NULL) {
        ngx_free(slot->owned);
        slot->owned = NULL;
    }
    slot->data = NULL;
    slot->used = false;
    /* The most recently used first: its memory is warm. */
    ngx_queue_insert_head(&tg_slots.free, &slot->queue);
    tg_slots.used--;
    if (tg_slots.used == 0) {
        tg_gate_link_idle();
    }
}

struct tg_gate_slot *tg_gate_slot_find(const struct tg_frame *answer, bool *bad)
{
    struct tg_gate_slot *slot;

    *bad = answer->slot >= tg_slots.made;
    if (*bad) {
        return NULL;
    }
    slot = tg_slot_at(answer->slot);
    if (!slot->used || slot->question.type == 0 || slot->turn != answer->turn) {
        return NULL;
    }
    /* Every answer's type is its question's plus one (wire/frame.h). */
    *bad = answer->type != slot->question.type + 1;
    return *bad ? NULL : slot;
}

ngx_uint_t tg_gate_slot_requeue_all(void)
{
    ngx_uint_t count = 0;

    for (ngx_uint_t i = 0; i < tg_slots.made; i++) {
        struct tg_gate_slot *slot = tg_slot_at(i);

        if (slot->used && slot->question.type != 0) {
            tg_slot_queue(slot);
            count++;
        }
    }
    return count;
}

struct tg_gate_slot *tg_gate_slot_next(void)
{
    if (!tg_slots.ready || ngx_queue_empty(&tg_slots.waiting)) {
        return NULL;
    }
    return ngx_queue_data(ngx_queue_head(&tg_slots.waiting), struct tg_gate_slot, queue);
}

void tg_gate_slot_written(struct tg_gate_slot *slot)
{
    ngx_queue_remove(&slot->queue);
    slot->queued = false;
}

size_t tg_gate_slot_size(const struct tg_gate_slot *slot)
{
    return slot->question.type == TG_FRAME_SETTLE ? tg_settle_size(&slot->question.as.settle)
                                                  : TG_SMALL_FRAME_BYTES_MAX;
}

void tg_gate_slot_write(const struct tg_gate_slot *slot, struct tg_buf *out)
{
    const struct tg_gate_question *question = &slot->question;
    struct tg_admit admit;
    ngx_msec_int_t left;

    switch (question->type) {
    case TG_FRAME_AUTH:
        tg_auth_write(out, slot->index, slot->turn, &question->as.auth);
        break;
    case TG_FRAME_ADMIT:
        /* Asked again, it may wait only for what is left: the keeper must not claim for a gate that has given up. */
        left = (ngx_msec_int_t)(slot->deadline.timer.key - ngx_current_msec);
        admit = question->as.admit;
        admit.wait_ms = left > 0 ? (uint32_t)left : 1;
        tg_admit_write(out, slot->index, slot->turn, &admit);
        break;
    case TG_FRAME_SETTLE:
        tg_settle_write(out, slot->index, slot->turn, &question->as.settle);
        break;
    default:
        tg_bytes_write(out, question->type, slot->index, slot->turn, tg_span(NULL, 0));
        break;
    }
}

ngx_uint_t tg_gate_slots_used(void)
{
    return tg_slots.used;
}
