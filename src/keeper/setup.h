/*
 * setup.h - what operators set up (partners, keys, limits, certificates, routes), in memory.
 *
 * Promises: holds the same rows as the store: filled at start, changed only after the store
 * said that the change is durable. Finding a key by its hash compares in constant time.
 * Does not: read or write the store, decide anything, or open a route's credential.
 */
#ifndef TG_KEEPER_SETUP_H
#define TG_KEEPER_SETUP_H

#include "store/store.h"

/* The few bytes of a credential that a decision needs; operations is a string of its own. */
struct tg_setup_key {
    uint32_t id;
    uint32_t partner;
    uint8_t environment;
    uint8_t hash[TG_DIGEST_BYTES];
    char prefix[TG_API_KEY_PREFIX_CHARS + 1];
    char *operations;
    int64_t created_us;
    int64_t expires_us;
    int64_t revoked_us;
};

struct tg_setup_route {
    char name[TG_NAME_BYTES_MAX + 1];
    uint8_t *sealed;
    size_t sealed_len;
};

struct tg_setup_table {
    void *rows;
    size_t count;
    size_t room;
};

struct tg_setup {
    struct tg_setup_table partners;     /* struct tg_partner, ascending id */
    struct tg_setup_table keys;         /* struct tg_setup_key, ascending id */
    struct tg_setup_table limits;       /* struct tg_limit, ascending partner, environment, currency */
    struct tg_setup_table certificates; /* struct tg_partner_certificate, ascending partner, sha256 */
    struct tg_setup_table routes;       /* struct tg_setup_route */
    uint32_t *by_hash;                  /* open addressing over keys: index + 1, 0 is empty */
    size_t by_hash_room;                /* a power of two, at least twice the keys */
};

void tg_setup_free(struct tg_setup *setup);

/* Adding an existing id, limit, certificate or route replaces it. TG_ERR_ROOM: no memory. */
TG_MUST_CHECK enum tg_err tg_setup_add_partner(struct tg_setup *setup, const struct tg_partner *row);
TG_MUST_CHECK enum tg_err tg_setup_add_key(struct tg_setup *setup, const struct tg_credential *row);
TG_MUST_CHECK enum tg_err tg_setup_add_limit(struct tg_setup *setup, const struct tg_limit *row);
TG_MUST_CHECK enum tg_err tg_setup_add_certificate(struct tg_setup *setup, const struct tg_partner_certificate *row);
TG_MUST_CHECK enum tg_err tg_setup_add_route(struct tg_setup *setup, const struct tg_route_credential *row);

/* NULL when there is none. Valid until the next add. */
const struct tg_partner *tg_setup_partner(const struct tg_setup *setup, uint32_t id);
const struct tg_partner *tg_setup_partner_named(const struct tg_setup *setup, struct tg_span name);
struct tg_setup_key *tg_setup_key(const struct tg_setup *setup, uint32_t id);
const struct tg_setup_key *tg_setup_key_hashed(const struct tg_setup *setup, const uint8_t hash[TG_DIGEST_BYTES]);
const struct tg_limit *tg_setup_limit(const struct tg_setup *setup, uint32_t partner, uint8_t environment,
                                      const uint8_t currency[3]);
const struct tg_setup_route *tg_setup_route(const struct tg_setup *setup, struct tg_span name);

/* True when the partner has registered any certificate; *match when this one is among them and not over. */
bool tg_setup_certificates(const struct tg_setup *setup, uint32_t partner, const uint8_t sha256[TG_DIGEST_BYTES],
                           int64_t now_us, bool *match);

/* True when `name` is among the names of a key's operations, or those are "*". */
bool tg_setup_operation_allowed(const char *operations, struct tg_span name);

#endif
