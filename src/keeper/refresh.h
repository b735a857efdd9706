/*
 * refresh.h - what another keeper of the same database set up becomes known here.
 *
 * Promises: within half a second of the other's act, while the store answers; then every gate is told to forget the
 * keys that it remembers. One question at a time.
 * Does not: do anything over a store that nobody else can change.
 */
#ifndef TG_KEEPER_REFRESH_H
#define TG_KEEPER_REFRESH_H

#include "keeper/keeper.h"

void tg_refresh_ask(struct tg_keeper *keeper);

#endif
