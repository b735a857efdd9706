/*
 * move.h - a store in a folder becomes a store on a server, and both are compared.
 *
 * Promises: the copy is one transaction into an empty database: it is whole or nothing is there. Numbers of events,
 * tickets, segments and everything that operators set up stay what they are. A comparison reads both sides to the end.
 * The folder is marked by a file: from then on it is not served from, for what the server has taken since is not in it,
 * nor is on the server what the folder would take.
 * Does not: run beside a keeper (both stores are held), or change the folder's store beyond what any start does: what
 * was in flight is unknown.
 */
#ifndef TG_STORE_MOVE_H
#define TG_STORE_MOVE_H

#include "store/store.h"

/* In the store's folder; an operator removes it to go back. */
#define TG_MOVE_MARK "moved"

/* Told now and then, and at the end: what is being counted, and how many. */
typedef void tg_move_progress(void *user, const char *what, uint64_t count);

/* TG_ERR_DENIED: the database holds something already. */
TG_MUST_CHECK enum tg_err tg_move_copy(struct tg_store *from, struct tg_store *to, int64_t now_us,
                                       tg_move_progress *progress, void *user);

/* What a store holds, in two numbers of each kind: how many, and a digest that does not depend on where it is kept. */
struct tg_move_sum {
    uint64_t events, claims;
    uint8_t event_digest[TG_DIGEST_BYTES];
    uint8_t claim_digest[TG_DIGEST_BYTES];
};
/* Claims that are settled and expired at now_us do not count. */
TG_MUST_CHECK enum tg_err tg_move_sum_folder(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret);
TG_MUST_CHECK enum tg_err tg_move_sum_server(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret);

#endif
