/*
 * link_pipe.h - a link over a libuv pipe: who may come, and its bytes.
 *
 * Promises: a peer of another user, or one too many, is closed at once.
 * Does not: read frames (link.h).
 */
#ifndef TG_KEEPER_LINK_PIPE_H
#define TG_KEEPER_LINK_PIPE_H

#include <uv.h>

#include "keeper/link.h"

/* Takes the next connection from a listening pipe. NULL: refused, and already closed. */
struct tg_link *tg_link_accept(struct tg_keeper *keeper, uv_stream_t *server, enum tg_role role, uid_t allowed);

#endif
