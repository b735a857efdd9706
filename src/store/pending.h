/*
 * pending.h - the claims that are admitted and not settled: in flight or unknown.
 *
 * Promises: found by ticket, by request id and by claim key without a read
 * from disk; there are as many as calls are under way plus unknowns, so whole
 * claims are kept, not slots.
 * Does not: expire anything. An unknown stays until it is ended, and what is
 * in flight may still charge.
 */
#ifndef TG_STORE_PENDING_H
#define TG_STORE_PENDING_H

#include "store/row.h"

struct tg_pending_claim {
    struct tg_pending_claim *next_ticket, *next_request, *next_key; /* chains of the three maps; next_ticket: free list */
    uint64_t ticket;
    uint64_t row;   /* where the admit stands now: the ticket, or the row that carried it on */
    uint64_t owner; /* the link, when in flight */
    enum tg_claim_state state; /* IN_FLIGHT, LOST or UNKNOWN */
    int64_t at_us;
    int64_t expires_us;
    int64_t amount_minor;
    uint32_t partner, credential;
    int32_t quota_day;
    uint16_t upstream_status, reason; /* of an outcome that was told as unknown */
    uint8_t environment, flags;
    bool has_quota;
    uint8_t currency[3];
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t claim_key[TG_CLAIM_KEY_BYTES];
    uint8_t fingerprint[TG_DIGEST_BYTES];
};

struct tg_pending_slab;
struct tg_pending {
    struct tg_pending_claim **by_ticket, **by_request, **by_key;
    size_t buckets; /* a power of two */
    size_t count, unknown;
    struct tg_pending_slab *slabs;
    struct tg_pending_claim *free;
};

TG_MUST_CHECK enum tg_err tg_pending_init(struct tg_pending *pending);
void tg_pending_free(struct tg_pending *pending);

/* Adds what an ADMIT or CARRY_OPEN row says, as LOST or UNKNOWN; NULL without memory. A claim of the same ticket must
 * not be there. */
struct tg_pending_claim *tg_pending_add(struct tg_pending *pending, const struct tg_row *row);
void tg_pending_remove(struct tg_pending *pending, struct tg_pending_claim *claim);
void tg_pending_state(struct tg_pending *pending, struct tg_pending_claim *claim, enum tg_claim_state state);

struct tg_pending_claim *tg_pending_ticket(const struct tg_pending *pending, uint64_t ticket);
struct tg_pending_claim *tg_pending_request(const struct tg_pending *pending, const uint8_t *request_id);
struct tg_pending_claim *tg_pending_key(const struct tg_pending *pending, const uint8_t *claim_key);

/* Before looks at a claim that is not there, and, in two steps, at one that is: their places come into the cache. */
void tg_pending_near_new(const struct tg_pending *pending, const uint8_t *request_id, const uint8_t *claim_key);
void tg_pending_near_old(const struct tg_pending *pending, uint64_t ticket);
void tg_pending_nearer_old(const struct tg_pending *pending, uint64_t ticket);

/* The row that ends (or names) a claim: who and how much come from the claim, not from who tells. */
struct tg_row tg_pending_row(const struct tg_pending_claim *claim, enum tg_row_kind kind, int64_t at_us);

/* Every claim, in no order; `each` may change a claim's state and row but neither add nor remove. */
TG_MUST_CHECK enum tg_err tg_pending_each(struct tg_pending *pending,
                                          enum tg_err (*each)(void *user, struct tg_pending_claim *claim), void *user);

#endif
