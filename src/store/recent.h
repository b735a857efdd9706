/*
 * recent.h - the last outcomes told, by request id: so that a SETTLE asked again on a new link gets its answer.
 *
 * Promises: bounded (262,144 outcomes, 6 MB, some ten seconds at the highest
 * rate we build for; settlements that left an answer are found for ever
 * through the index besides). The oldest of four leaves first.
 * Does not: stand on disk; a start fills it from the newest rows.
 */
#ifndef TG_STORE_RECENT_H
#define TG_STORE_RECENT_H

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#define TG_RECENT_SETS 65536u
#define TG_RECENT_WAYS 4u

struct tg_recent_set {
    uint8_t request_id[TG_RECENT_WAYS][TG_REQUEST_ID_BYTES];
    uint8_t outcome[TG_RECENT_WAYS]; /* 0: empty */
    uint8_t next;
};

struct tg_recent {
    struct tg_recent_set *sets;
};

TG_MUST_CHECK enum tg_err tg_recent_init(struct tg_recent *recent);
void tg_recent_free(struct tg_recent *recent);
void tg_recent_put(struct tg_recent *recent, const uint8_t *request_id, uint8_t outcome);
/* Before a put: its place comes into the cache. */
void tg_recent_near(const struct tg_recent *recent, const uint8_t *request_id);
/* The outcome, or 0. */
uint8_t tg_recent_get(const struct tg_recent *recent, const uint8_t *request_id);

#endif
