/*
 * gates.h - the workers of a gate, their callers and the upstream behind them, on simulated links.
 *
 * Promises: they speak the wire's own frames, ask again on a new link what was not answered, settle what they
 * admitted, and callers retry with the same key. Everything that reaches them is shown to the model.
 * Does not: trust the keeper.
 */
#ifndef TG_SIM_GATES_H
#define TG_SIM_GATES_H

#include <stdbool.h>
#include <stdint.h>

void gates_begin(uint64_t payments);
/* All payments have come to their end. */
bool gates_done(void);
uint64_t gates_paid(void);

/* Faults: a link breaks; a worker dies with all that it holds. */
void gates_break_link(void);
void gates_kill_worker(void);

/* For the host: links that the keeper closed are freed; all of them when it died. */
void gates_closed(void);
void gates_bury(void);

#endif
