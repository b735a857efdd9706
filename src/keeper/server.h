/*
 * server.h - the keeper's life: everything opened in order, served, and closed in order.
 *
 * Promises: ready is said only when both sockets are served; the end finishes what is pending for
 * at most TG_KEEPER_END_MS and closes the store.
 * Does not: read the command line.
 */
#ifndef TG_KEEPER_SERVER_H
#define TG_KEEPER_SERVER_H

#include "keeper/keeper.h"

/* The exit status of the process. */
int tg_server_run(const struct tg_keeper_options *options);

#endif
