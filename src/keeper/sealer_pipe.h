/*
 * sealer_pipe.h - the link to the sealer over a libuv pipe.
 *
 * Promises: is the port of a tg_sealer_link until the loop ends.
 * Does not: read frames (sealer_link.h).
 */
#ifndef TG_KEEPER_SEALER_PIPE_H
#define TG_KEEPER_SEALER_PIPE_H

#include <uv.h>

#include "keeper/sealer_link.h"

struct tg_sealer_pipe {
    struct tg_sealer_link *sealer;
    const char *path;
    uv_loop_t *loop;
    uv_pipe_t *pipe; /* NULL: not connected */
    uv_connect_t connect;
    uv_write_t write;
    uv_timer_t timer; /* again, or given up on */
};

/* Becomes the port of `sealer`. */
TG_MUST_CHECK enum tg_err tg_sealer_pipe_start(struct tg_sealer_pipe *pipe, struct tg_sealer_link *sealer,
                                               uv_loop_t *loop, const char *path);
/* Readable when the sealer has answered or gone; -1: no link. */
int tg_sealer_pipe_fd(const struct tg_sealer_pipe *pipe);
/* After tg_sealer_stop. */
void tg_sealer_pipe_stop(struct tg_sealer_pipe *pipe);

#endif
