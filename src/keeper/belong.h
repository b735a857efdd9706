/*
 * belong.h - whether the sealer that was met is the one that the store belongs to (tg_store_sealer).
 *
 * Promises: no question reaches a sealer before the store has said that it is its own: under other keys a claim would
 * have another name, and be taken a second time. Another sealer's link is never ready, and the log says why.
 * Does not: end the keeper: the right keys may come.
 */
#ifndef TG_KEEPER_BELONG_H
#define TG_KEEPER_BELONG_H

#include "keeper/keeper.h"

/* For the sealer's link: its first frame is answered. user: the keeper. */
void tg_belong_met(void *user);

#endif
