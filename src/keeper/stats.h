/*
 * stats.h - the keeper's counters as one text.
 *
 * Promises: Prometheus text of at most TG_STATS_BYTES_MAX bytes.
 * Does not: reach a socket.
 */
#ifndef TG_KEEPER_STATS_H
#define TG_KEEPER_STATS_H

#include "base/buf.h"

/* Some hundred lines of at most a hundred bytes, twice over. */
#define TG_STATS_BYTES_MAX 32768

struct tg_keeper;
void tg_stats_write(struct tg_keeper *keeper, struct tg_buf *out);

#endif
