/*
 * host.h - one keeper under simulated ports: its store, its committer, its sealer, its links.
 *
 * Promises: runs the keeper's own code from bytes to answers; may end at any step, losing what was not committed, and
 * begin again on what is durable.
 * Does not: decide anything.
 */
#ifndef TG_SIM_HOST_H
#define TG_SIM_HOST_H

#include "keeper/keeper.h"

#define HOST_PARTNERS 6

struct host_options {
    const char *folder; /* NULL: the store in memory; else SQLite there */
    int64_t day_minor[HOST_PARTNERS];
    bool lies; /* now and then the store says durable of what is not: the referee must see it */
};

/* NULL while it is down. */
extern struct tg_keeper *host_keeper;

void host_begin(const struct host_options *options);
void host_end(void);
/* The keeper's process dies here and now. */
void host_crash(void);
/* The next batch never becomes durable, or does and nobody hears of it. */
void host_fail_next_commit(void);
/* Commits take this much longer until then. */
void host_stall(int64_t wait_us, int64_t until_us);
/* After each event: what the daemon's loop does at the end of a turn. */
void host_turn(void);
/* The store counts what the model knows. */
void host_compare(void);

/* sealer.c: the port, its death, its start after a while; keys survive. */
extern const struct tg_sealer_port sealer_port;
void sealer_begin(void);
void sealer_die(void);
void sealer_slow(int64_t until_us);
void sealer_forget(void); /* the keeper is gone: nothing of it may be called any more */
struct tg_span sealer_seal(uint32_t key, struct tg_span aad, struct tg_span plain, struct tg_buf *out);

#endif
