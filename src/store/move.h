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

/* Told each so many, and at the end: what is being counted, and how many. */
#define TG_MOVE_PROGRESS_STEP 100000u
typedef void tg_move_progress(void *user, const char *what, uint64_t count);

/* TG_ERR_DENIED: the database holds something already. */
TG_MUST_CHECK enum tg_err tg_move_copy(struct tg_store *from, struct tg_store *to, int64_t now_us,
                                       tg_move_progress *progress, void *user);

/* What a store holds, by kind; a copy loses none of them. */
enum tg_move_kind {
    TG_MOVE_EVENTS, TG_MOVE_CLAIMS, TG_MOVE_PARTNERS, TG_MOVE_CREDENTIALS, TG_MOVE_LIMITS, TG_MOVE_CERTIFICATES,
    TG_MOVE_ROUTES, TG_MOVE_SEALERS, TG_MOVE_COUNTERS, TG_MOVE_SEGMENTS, TG_MOVE_KINDS
};
const char *tg_move_kind_name(enum tg_move_kind kind); /* as operators read it */

/* Of each kind how many, and a digest that does not depend on where they are kept. */
struct tg_move_sum {
    uint64_t counts[TG_MOVE_KINDS];
    uint8_t digests[TG_MOVE_KINDS][TG_DIGEST_BYTES];
};
bool tg_move_sum_equal(const struct tg_move_sum *one, const struct tg_move_sum *two, enum tg_move_kind kind);
/* Claims that are settled and expired at now_us do not count, nor counters of days that nobody asks for any more. */
TG_MUST_CHECK enum tg_err tg_move_sum_folder(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret,
                                             tg_move_progress *progress, void *user);
TG_MUST_CHECK enum tg_err tg_move_sum_server(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret,
                                             tg_move_progress *progress, void *user);

#endif
