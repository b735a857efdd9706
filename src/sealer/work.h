/*
 * work.h - one work of a SEAL frame: which key, which operation, which result.
 *
 * Promises: each key serves one use (wire/seal.h); a work that fails gives no output at all.
 * Does not: know frames or sockets.
 */
#ifndef TG_SEALER_WORK_H
#define TG_SEALER_WORK_H

#include "sealer/keys.h"
#include "sealer/ring.h"

#define TG_SEALER_GUARD_BYTES_MAX 160

struct tg_sealer {
    struct tg_keys keys;
    struct tg_ring ring;
    char guard[TG_SEALER_GUARD_BYTES_MAX]; /* what TG_SEAL_GUARD answers; "" until the sandbox is closed */
};

/* Does the work into out, which holds cap bytes. Returns a tg_seal_status; *len is 0 unless that is TG_SEAL_DONE. */
uint8_t tg_work_do(struct tg_sealer *sealer, const struct tg_seal_work *work, uint8_t *out, size_t cap, size_t *len);

/* Each operation once, before the sandbox closes: the answers are known, and the library has loaded all it needs. */
TG_MUST_CHECK enum tg_err tg_work_self_test(void);

#endif
