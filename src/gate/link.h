/*
 * link.h - this worker's one connection to the keeper.
 *
 * Promises: made when first needed, many questions in flight, output bounded; lost, it is made again at once and then
 * after at most 50 ms while a question waits. What the keeper says is checked frame by frame; anything that breaks
 * wire/frame.h closes the link. The bytes of an ADMIT answer are wiped as soon as they are read, since they carry the
 * route's credential. While no slot is in use the connection is idle in nginx's sense, so a leaving worker can close
 * it. Does not: know what a question means.
 */
#ifndef TG_GATE_LINK_H
#define TG_GATE_LINK_H

#include "gate/gate.h"

/* True when a question asked now has a link to go out on; tries to connect when there is none. */
bool tg_gate_link_ready(void);

/* Something waits in the table of slots: it will be written before the event loop sleeps. */
void tg_gate_link_push(void);

/* Told by slot.c: the first slot was taken, the last one was given back. */
void tg_gate_link_busy(void);
void tg_gate_link_idle(void);

/* A NOTE, never answered. False: no link or no room; it is counted and lost. */
bool tg_gate_link_note(const struct tg_note *note);

/* Worker start (bytes: the largest SETTLE frame to be expected) and end. */
ngx_int_t tg_gate_link_init(ngx_cycle_t *cycle, const ngx_addr_t *keeper, size_t bytes);
void tg_gate_link_exit(void);

#endif
