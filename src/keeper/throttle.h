/*
 * throttle.h - how often something may fail or be written down before it has to wait.
 *
 * Promises: fixed memory whatever is thrown at it; each name (an address, a key prefix)
 * has a budget of its own, so that a flood from many names cannot spend another's; names
 * are hashed under a seed of the process, so that nobody can choose whom to collide with.
 * Does not: read a clock (callers say the time), lock, or judge keys: a key that is
 * right is never asked about here.
 *
 * One budget is a generic cell rate (ITU-T I.371): a single time, "full again at". A
 * budget that is full again may be forgotten, so the table needs no sweeping.
 */
#ifndef TG_KEEPER_THROTTLE_H
#define TG_KEEPER_THROTTLE_H

#include "base/span.h"

/* Ten wrong keys a minute: more than any person or broken deployment needs to see the error. */
#define TG_THROTTLE_FAILURES 10
#define TG_THROTTLE_WINDOW_MS 60000

/* 8192 sets of four names: 512 KiB, and an attacker needs that many addresses to be forgotten. */
#define TG_THROTTLE_SETS 8192
#define TG_THROTTLE_WAYS 4

struct tg_bucket {
    int64_t empty_until_ms; /* the time at which all spent tokens are back */
};

/* Milliseconds until a token is there; 0: now. */
int64_t tg_bucket_wait(const struct tg_bucket *bucket, int64_t tokens, int64_t window_ms, int64_t now_ms);

/* Spends one token, whether it was there or not; a bucket never owes more than one window. */
void tg_bucket_spend(struct tg_bucket *bucket, int64_t tokens, int64_t window_ms, int64_t now_ms);

struct tg_throttle_cell {
    uint64_t tag;
    struct tg_bucket bucket;
};

struct tg_throttle {
    uint64_t seed;
    struct tg_throttle_cell cells[TG_THROTTLE_SETS][TG_THROTTLE_WAYS];
};

/* Whole seconds until `name` of this kind may fail again, rounded up; 0: now. */
uint16_t tg_throttle_wait_s(const struct tg_throttle *throttle, uint8_t kind, struct tg_span name, int64_t now_ms);

/* Counts one failure. */
void tg_throttle_fail(struct tg_throttle *throttle, uint8_t kind, struct tg_span name, int64_t now_ms);

/* The part of a 16-byte address that one caller cannot vary: all of an IPv4-mapped one, /64 of IPv6 (RFC 4291 2.5.4). */
struct tg_span tg_throttle_address(const uint8_t address[16]);

#endif
