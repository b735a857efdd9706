/*
 * keys.h - the side file of a sealed segment: its settled claims by tag, so that a start reads keys, not rows.
 *
 * Promises: carries the tag, row and expiry of every claim that is final in
 * the segment, sorted by tag, and the rows of all claims that were not settled
 * when it was sealed (in this or older segments). Ends in a SHA-256 over all
 * of it. Written beside, synced, then renamed: it is whole or not there.
 * Does not: hold anything that the rows do not; without it the rows are read.
 */
#ifndef TG_STORE_KEYS_H
#define TG_STORE_KEYS_H

#include "base/err.h"
#include "base/span.h"

struct tg_key_entry {
    uint64_t tag;
    uint64_t sequence;
    int64_t expires_us;
};

/* An unsettled claim: its row, and what was told of it since. */
struct tg_key_open {
    uint64_t row;
    uint16_t upstream_status, reason;
    uint32_t told; /* 1: an outcome was told, and it was "unknown" */
};

struct tg_keys {
    struct tg_key_open *open;
    size_t open_count;
    struct tg_key_entry *entries;
    size_t count;
    void *block;      /* one block, from tg_keys_read; NULL otherwise */
};

/* Sorts entries, then writes. */
TG_MUST_CHECK enum tg_err tg_keys_write(const char *path, uint32_t segment, struct tg_keys *keys);

/* TG_ERR_ABSENT: no file; TG_ERR_CORRUPT: not whole, not of this segment. */
TG_MUST_CHECK enum tg_err tg_keys_read(const char *path, uint32_t segment, struct tg_keys *ret);
void tg_keys_free(struct tg_keys *keys); /* what tg_keys_read gave */

#endif
