/*
 * load.h - from the store's rows to the tables in memory.
 *
 * Promises: all rows or an error.
 * Does not: look at claims.
 */
#ifndef TG_KEEPER_LOAD_H
#define TG_KEEPER_LOAD_H

#include "keeper/keeper.h"

/* Reads it into `setup`, which is empty. On the thread that owns the store. */
TG_MUST_CHECK enum tg_err tg_load_setup_into(struct tg_store *store, struct tg_setup *setup);
TG_MUST_CHECK enum tg_err tg_load_setup(struct tg_keeper *keeper);

#endif
