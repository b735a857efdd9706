/*
 * move_claim.h - every living claim of a store in a folder, as a server keeps it; for move.c and move_sum.c.
 *
 * Does not: show claims that are settled and expired.
 */
#ifndef TG_STORE_MOVE_CLAIM_H
#define TG_STORE_MOVE_CLAIM_H

#include "store/state.h"

struct tg_move_claim {
    struct tg_row admit;  /* as the row that admitted it; of a settled one what its settlement carried on */
    enum tg_claim_state state; /* LOST, UNKNOWN or FINAL */
    uint16_t upstream_status, caller_status, reason;
    uint32_t seal_segment;
    int64_t expires_us;
    struct tg_span sealed;
};

TG_MUST_CHECK enum tg_err tg_move_claims(struct tg_store *from, int64_t now_us,
                                         enum tg_err (*each)(void *user, const struct tg_move_claim *claim),
                                         void *user);

#endif
