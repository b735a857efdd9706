/*
 * slot.h - one question to the keeper, from the asking to its answer or its deadline.
 *
 * Promises: a slot taken for ADMIT stays with its call until SETTLE has ended, so a call that was let through can
 * always be settled. Every ask has a new turn; an answer with another turn is dropped. A question whose link was lost
 * is written again on the next link until its own deadline. A deadline is not cancelable: a leaving worker waits.
 * Does not: run request phases. Handlers note what they heard and post the connection's write event.
 */
#ifndef TG_GATE_SLOT_H
#define TG_GATE_SLOT_H

#include "gate/gate.h"

/* A frame type, or 0: the slot rests between two questions. */
struct tg_gate_question {
    uint8_t type;
    union {
        struct tg_auth auth;
        struct tg_admit admit;
        struct tg_settle settle;
    } as;
};

struct tg_gate_slot;

/*
 * Called once for each ask. answer NULL: the deadline has passed. The slot rests when it is called; it may be asked
 * again or freed. False: the answer breaks the protocol; the link is closed, and the question is asked on a new one.
 */
typedef bool (*tg_gate_answered_fn)(struct tg_gate_slot *slot, const struct tg_frame *answer);

struct tg_gate_slot {
    ngx_queue_t queue; /* among the free ones, or among those that wait to be written */
    ngx_event_t deadline;
    uint16_t index;
    bool queued;
    bool used;
    uint32_t turn;
    struct tg_gate_question question;
    tg_gate_answered_fn answered;
    void *data;  /* the handler's; a context that is gone must not stand here */
    void *owned; /* memory that the question borrows from when no request holds it; freed with the slot */
};

/* A resting slot, or NULL when all are in use. */
struct tg_gate_slot *tg_gate_slot_take(void *data);

/* Asks slot->question, which the caller has filled in: a new turn, a new deadline. */
void tg_gate_slot_ask(struct tg_gate_slot *slot, ngx_msec_t wait_ms, tg_gate_answered_fn answered);

/* Forgets the question under way; a late answer will be dropped. The slot rests. */
void tg_gate_slot_rest(struct tg_gate_slot *slot);

/* Gives the slot back. NULL is taken too. */
void tg_gate_slot_free(struct tg_gate_slot *slot);

/* The slot that waits for this answer, or NULL: late, or never asked. *bad: no such slot, the link is to be closed. */
struct tg_gate_slot *tg_gate_slot_find(const struct tg_frame *answer, bool *bad);

/* Puts every question under way back among those to be written; the number of them. */
ngx_uint_t tg_gate_slot_requeue_all(void);

/* The next question to be written, or NULL; it stays there until tg_gate_slot_written(). */
struct tg_gate_slot *tg_gate_slot_next(void);
void tg_gate_slot_written(struct tg_gate_slot *slot);

/* Upper bound of the question's frame, and the frame itself. */
size_t tg_gate_slot_size(const struct tg_gate_slot *slot);
void tg_gate_slot_write(const struct tg_gate_slot *slot, struct tg_buf *out);

ngx_uint_t tg_gate_slots_used(void);

#endif
