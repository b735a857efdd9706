/*
 * late.h - outcomes that the keeper was told too late, or not at all.
 *
 * A SETTLE whose time is over has been answered to the caller as unknown, and its slot is free. What it said is still
 * true: it is kept here and said once more, without waiting for an answer, when the link has been made anew. The keeper
 * finds the call by its request id and ends its unknown by itself.
 *
 * Promises: bounded in number and bytes; the oldest goes first when there is no room. Bytes are wiped when they go.
 * Does not: promise anything to anybody. What is lost here is found by `tollgate reconcile`.
 */
#ifndef TG_GATE_LATE_H
#define TG_GATE_LATE_H

#include "gate/gate.h"

/* Keeps a SETTLE that ran out of time, with the slot's index: no later turn of that slot waits for its answer. */
void tg_gate_late_keep(uint16_t slot, const struct tg_settle *settle);

/* The oldest frame, or an empty span; it stays until it is dropped. */
struct tg_span tg_gate_late_first(void);
void tg_gate_late_drop(void);

#endif
