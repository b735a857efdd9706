/*
 * callers.h - who pays, and the upstream that executes.
 *
 * Promises: a caller asks again with its key until it knows, or gives up; the upstream acts when it likes, also when
 * nobody waits for it any more.
 * Does not: touch links (gates.c).
 */
#ifndef TG_SIM_CALLERS_H
#define TG_SIM_CALLERS_H

#include "model.h"

void callers_begin(uint64_t payments);
bool callers_done(void);
uint64_t callers_paid(void);

/* What a request asks, and what its gate says became of it. Spans live until the next call. */
void caller_admit(uint32_t request, struct tg_admit *ret);
void caller_settle(uint32_t request, uint8_t outcome, struct tg_settle *ret);

/* From the gate that holds the request. */
void caller_admitted(uint32_t request, const struct tg_admit_answer *answer);
void caller_settled(uint32_t request, uint8_t outcome, bool durable);
void caller_late(uint32_t request);
void caller_cut(uint32_t request);

/* gates.c: asks on a gate that chance draws; false: it has no slot. `use` names this use of the slot. */
bool gate_admit(uint32_t request, uint32_t *ret_gate, uint16_t *ret_slot, uint64_t *ret_use);
bool gate_settle(uint32_t gate, uint16_t slot, uint64_t use, uint8_t outcome);

#endif
