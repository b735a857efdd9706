/*
 * serve.h - the loop of the sealer: its keepers (mostly one), one frame after the other.
 *
 * Promises: a peer of another uid is closed on at once; while as many keepers are there as there may be, one more is
 * closed on; bytes that break wire/frame.h or wire/seal.h close the link; texts are wiped from the buffers when their frame is done.
 * Does not: return before SIGTERM or SIGINT, unless the loop itself fails.
 */
#ifndef TG_SEALER_SERVE_H
#define TG_SEALER_SERVE_H

#include <sys/types.h>

#include "sealer/work.h"

/* Keepers that share one database and this sealer. Each has two frames of memory. */
#define TG_SERVE_KEEPERS_MAX 8

struct tg_serve_link {
    int fd; /* -1: nobody is there */
    struct tg_secret in;
    struct tg_secret out;
    size_t sent; /* bytes of out that have left */
};

struct tg_serve {
    struct tg_sealer *sealer;
    uid_t keeper_uid;
    int listener;
    struct tg_serve_link links[TG_SERVE_KEEPERS_MAX];
    size_t keepers;           /* links that may be used */
    struct tg_secret scratch; /* one work's output */
    enum tg_secret_kind kind; /* the weakest of the buffers */
};

/* Blocks the signals that the loop waits for, and makes its buffers. */
TG_MUST_CHECK enum tg_err tg_serve_prepare(struct tg_serve *serve, struct tg_sealer *sealer, int listener,
                                           uid_t keeper_uid, size_t keepers);

/* Runs until SIGTERM; TG_ERR_DOWN when no link is left and the ring is broken. SIGHUP opens the log again. */
TG_MUST_CHECK enum tg_err tg_serve_run(struct tg_serve *serve);

/* Answers one SEAL frame into out (appended). TG_ERR_*: the link is to be closed. */
TG_MUST_CHECK enum tg_err tg_serve_frame(struct tg_sealer *sealer, const struct tg_frame *frame, struct tg_buf *out,
                                         uint8_t *scratch, size_t scratch_cap);

void tg_serve_free(struct tg_serve *serve);

#endif
