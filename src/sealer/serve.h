/*
 * serve.h - the loop of the sealer: one keeper, one frame after the other.
 *
 * Promises: a peer of another uid is closed on at once; while one keeper is there a second is closed on; bytes
 * that break wire/frame.h or wire/seal.h close the link; texts are wiped from the buffers when their frame is done.
 * Does not: return before SIGTERM or SIGINT, unless the loop itself fails.
 */
#ifndef TG_SEALER_SERVE_H
#define TG_SEALER_SERVE_H

#include <sys/types.h>

#include "sealer/work.h"

struct tg_serve {
    struct tg_sealer *sealer;
    uid_t keeper_uid;
    int listener;
    int link; /* -1: nobody is there */
    struct tg_secret in;
    struct tg_secret out;
    struct tg_secret scratch; /* one work's output */
    size_t sent;              /* bytes of out that have left */
    enum tg_secret_kind kind; /* the weakest of the three buffers */
};

/* Blocks the signals that the loop waits for, and makes its buffers. */
TG_MUST_CHECK enum tg_err tg_serve_prepare(struct tg_serve *serve, struct tg_sealer *sealer, int listener,
                                           uid_t keeper_uid);

/* Runs until SIGTERM; TG_ERR_DOWN when the link has ended and the ring is broken. SIGHUP opens the log again. */
TG_MUST_CHECK enum tg_err tg_serve_run(struct tg_serve *serve);

/* Answers one SEAL frame into out (appended). TG_ERR_*: the link is to be closed. */
TG_MUST_CHECK enum tg_err tg_serve_frame(struct tg_sealer *sealer, const struct tg_frame *frame, struct tg_buf *out,
                                         uint8_t *scratch, size_t scratch_cap);

void tg_serve_free(struct tg_serve *serve);

#endif
