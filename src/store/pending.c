/*
 * pending.c - three chained maps over one pool of claims; see pending.h.
 *
 * Promises: memory comes in slabs and is used again; the maps double when as
 * many claims as buckets are there. Does not: give memory back before the end.
 */
#include "store/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define BUCKETS_MIN 16384u /* four links with every slot in use: no growth in the common case */
#define SLAB_CLAIMS 1024u  /* some 200 KB a slab */

struct tg_pending_slab {
    struct tg_pending_slab *next;
    struct tg_pending_claim claims[SLAB_CLAIMS];
};

/* Tickets are sequential, so their low bits spread well; the ids are random or MACs. */
static size_t ticket_bucket(const struct tg_pending *pending, uint64_t ticket)
{
    return (size_t)ticket & (pending->buckets - 1);
}

static size_t bytes_bucket(const struct tg_pending *pending, const uint8_t *bytes)
{
    return (size_t)(tg_be64_read(bytes) ^ tg_be64_read(bytes + 8)) & (pending->buckets - 1);
}

static void link_in(struct tg_pending *pending, struct tg_pending_claim *claim)
{
    struct tg_pending_claim **bucket = &pending->by_ticket[ticket_bucket(pending, claim->ticket)];
    claim->next_ticket = *bucket;
    *bucket = claim;
    bucket = &pending->by_request[bytes_bucket(pending, claim->request_id)];
    claim->next_request = *bucket;
    *bucket = claim;
    bucket = &pending->by_key[bytes_bucket(pending, claim->claim_key)];
    claim->next_key = *bucket;
    *bucket = claim;
}

static enum tg_err set_buckets(struct tg_pending *pending, size_t buckets)
{
    struct tg_pending_claim **maps = calloc(3 * buckets, sizeof(*maps));
    if (maps == NULL)
        return TG_ERR_DOWN;
    struct tg_pending_claim **old = pending->by_ticket;
    size_t old_buckets = pending->buckets;
    pending->by_ticket = maps;
    pending->by_request = maps + buckets;
    pending->by_key = maps + 2 * buckets;
    pending->buckets = buckets;
    for (size_t i = 0; i < old_buckets; i++)
        for (struct tg_pending_claim *claim = old[i], *next; claim != NULL; claim = next) {
            next = claim->next_ticket;
            link_in(pending, claim);
        }
    free(old);
    return TG_OK;
}

enum tg_err tg_pending_init(struct tg_pending *pending)
{
    memset(pending, 0, sizeof(*pending));
    return set_buckets(pending, BUCKETS_MIN);
}

void tg_pending_free(struct tg_pending *pending)
{
    for (struct tg_pending_slab *slab = pending->slabs, *next; slab != NULL; slab = next) {
        next = slab->next;
        free(slab);
    }
    free(pending->by_ticket); /* the three maps are one block */
    memset(pending, 0, sizeof(*pending));
}

static struct tg_pending_claim *take(struct tg_pending *pending)
{
    if (pending->free == NULL) {
        struct tg_pending_slab *slab = calloc(1, sizeof(*slab));
        if (slab == NULL)
            return NULL;
        slab->next = pending->slabs;
        pending->slabs = slab;
        for (size_t i = 0; i < SLAB_CLAIMS; i++) {
            slab->claims[i].next_ticket = pending->free;
            pending->free = &slab->claims[i];
        }
    }
    struct tg_pending_claim *claim = pending->free;
    pending->free = claim->next_ticket;
    return claim;
}

struct tg_pending_claim *tg_pending_add(struct tg_pending *pending, const struct tg_row *row)
{
    if (pending->count >= pending->buckets && set_buckets(pending, pending->buckets * 2) != TG_OK)
        return NULL;
    struct tg_pending_claim *claim = take(pending);
    if (claim == NULL)
        return NULL;
    const struct tg_verdict_row *verdict = &row->verdict;
    *claim = (struct tg_pending_claim){
        .ticket = row->ticket, .row = row->sequence, .state = TG_CLAIM_STATE_LOST, .at_us = verdict->at_us,
        .expires_us = row->expires_us, .amount_minor = verdict->amount_minor, .partner = verdict->partner,
        .credential = verdict->credential, .quota_day = row->quota_day, .environment = verdict->environment,
        .flags = verdict->flags, .has_quota = row->has_quota};
    memcpy(claim->currency, verdict->currency, sizeof(claim->currency));
    memcpy(claim->request_id, verdict->request_id, sizeof(claim->request_id));
    memcpy(claim->claim_key, row->claim_key, sizeof(claim->claim_key));
    memcpy(claim->fingerprint, row->fingerprint, sizeof(claim->fingerprint));
    if (row->kind == TG_ROW_CARRY_OPEN && row->outcome != 0) {
        claim->state = TG_CLAIM_STATE_UNKNOWN;
        claim->upstream_status = row->upstream_status;
        claim->reason = verdict->reason;
    }
    link_in(pending, claim);
    pending->count++;
    pending->unknown++;
    return claim;
}

void tg_pending_state(struct tg_pending *pending, struct tg_pending_claim *claim, enum tg_claim_state state)
{
    if (claim->state != TG_CLAIM_STATE_IN_FLIGHT)
        pending->unknown--;
    claim->state = state;
    if (claim->state != TG_CLAIM_STATE_IN_FLIGHT)
        pending->unknown++;
}

void tg_pending_remove(struct tg_pending *pending, struct tg_pending_claim *claim)
{
    struct tg_pending_claim **at = &pending->by_ticket[ticket_bucket(pending, claim->ticket)];
    while (*at != claim)
        at = &(*at)->next_ticket;
    *at = claim->next_ticket;
    at = &pending->by_request[bytes_bucket(pending, claim->request_id)];
    while (*at != claim)
        at = &(*at)->next_request;
    *at = claim->next_request;
    at = &pending->by_key[bytes_bucket(pending, claim->claim_key)];
    while (*at != claim)
        at = &(*at)->next_key;
    *at = claim->next_key;
    tg_pending_state(pending, claim, TG_CLAIM_STATE_IN_FLIGHT);
    pending->count--;
    claim->next_ticket = pending->free;
    pending->free = claim;
}

struct tg_pending_claim *tg_pending_ticket(const struct tg_pending *pending, uint64_t ticket)
{
    struct tg_pending_claim *claim = pending->by_ticket[ticket_bucket(pending, ticket)];
    while (claim != NULL && claim->ticket != ticket)
        claim = claim->next_ticket;
    return claim;
}

struct tg_pending_claim *tg_pending_request(const struct tg_pending *pending, const uint8_t *request_id)
{
    struct tg_pending_claim *claim = pending->by_request[bytes_bucket(pending, request_id)];
    while (claim != NULL && memcmp(claim->request_id, request_id, TG_REQUEST_ID_BYTES) != 0)
        claim = claim->next_request;
    return claim;
}

struct tg_pending_claim *tg_pending_key(const struct tg_pending *pending, const uint8_t *claim_key)
{
    struct tg_pending_claim *claim = pending->by_key[bytes_bucket(pending, claim_key)];
    while (claim != NULL && memcmp(claim->claim_key, claim_key, TG_CLAIM_KEY_BYTES) != 0)
        claim = claim->next_key;
    return claim;
}

enum tg_err tg_pending_each(struct tg_pending *pending,
                            enum tg_err (*each)(void *user, struct tg_pending_claim *claim), void *user)
{
    for (size_t i = 0; i < pending->buckets; i++)
        for (struct tg_pending_claim *claim = pending->by_ticket[i]; claim != NULL; claim = claim->next_ticket) {
            enum tg_err err = each(user, claim);
            if (err != TG_OK)
                return err;
        }
    return TG_OK;
}

struct tg_row tg_pending_row(const struct tg_pending_claim *claim, enum tg_row_kind kind, int64_t at_us)
{
    struct tg_row row = {.kind = kind, .ticket = claim->ticket, .expires_us = claim->expires_us};
    struct tg_verdict_row *verdict = &row.verdict;
    verdict->at_us = at_us;
    verdict->flags = claim->flags;
    verdict->environment = claim->environment;
    verdict->partner = claim->partner;
    verdict->credential = claim->credential;
    verdict->amount_minor = claim->amount_minor;
    memcpy(verdict->currency, claim->currency, sizeof(verdict->currency));
    memcpy(verdict->request_id, claim->request_id, sizeof(verdict->request_id));
    memcpy(row.claim_key, claim->claim_key, sizeof(row.claim_key));
    memcpy(row.fingerprint, claim->fingerprint, sizeof(row.fingerprint));
    if (at_us >= row.expires_us) /* only an unknown or a very long call gets here */
        row.expires_us = at_us + (claim->expires_us > claim->at_us ? claim->expires_us - claim->at_us : 1);
    return row;
}

void tg_pending_near_new(const struct tg_pending *pending, const uint8_t *request_id, const uint8_t *claim_key)
{
    __builtin_prefetch(&pending->by_request[bytes_bucket(pending, request_id)], 1);
    __builtin_prefetch(&pending->by_key[bytes_bucket(pending, claim_key)], 1);
}

void tg_pending_near_old(const struct tg_pending *pending, uint64_t ticket)
{
    __builtin_prefetch(&pending->by_ticket[ticket_bucket(pending, ticket)], 1);
}

void tg_pending_nearer_old(const struct tg_pending *pending, uint64_t ticket)
{
    const struct tg_pending_claim *claim = pending->by_ticket[ticket_bucket(pending, ticket)];
    if (claim == NULL)
        return;
    const char *at = (const char *)claim;
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
    __builtin_prefetch(at + 128);
}
