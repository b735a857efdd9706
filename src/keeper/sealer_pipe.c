/*
 * sealer_pipe.c - libuv's side of the link to the sealer.
 *
 * Promises: as sealer_pipe.h. A pipe that was closed is never mistaken for the one after it.
 * Does not: hold bytes; they are the link's.
 */
#include "keeper/sealer_pipe.h"

#include <stdlib.h>

#include "daemon/daemon.h"

#include "base/banned.h"

static void on_freed(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    const struct tg_sealer_pipe *pipe = handle->data;
    size_t room = 0;
    uint8_t *in = tg_sealer_room_in(pipe->sealer, &room);
    *buf = uv_buf_init((char *)in, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    (void)buf;
    const struct tg_sealer_pipe *pipe = stream->data;
    if (got < 0) {
        tg_sealer_gone(pipe->sealer, "closed");
        return;
    }
    tg_sealer_received(pipe->sealer, (size_t)got);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct tg_sealer_pipe *pipe = request->data;
    if (request->handle != (uv_stream_t *)pipe->pipe || status == UV_ECANCELED) {
        return;
    }
    tg_sealer_connected(pipe->sealer, status == 0 && uv_read_start(request->handle, on_alloc, on_read) == 0);
}

static bool connect_pipe(struct tg_sealer_link *sealer)
{
    struct tg_sealer_pipe *pipe = sealer->port_user;
    pipe->pipe = calloc(1, sizeof(*pipe->pipe));
    if (pipe->pipe == NULL || uv_pipe_init(pipe->loop, pipe->pipe, 0) != 0) {
        free(pipe->pipe);
        pipe->pipe = NULL;
        return false;
    }
    pipe->pipe->data = pipe;
    pipe->connect.data = pipe;
    uv_pipe_connect(&pipe->connect, pipe->pipe, pipe->path, on_connect);
    return true;
}

static void close_pipe(struct tg_sealer_link *sealer)
{
    struct tg_sealer_pipe *pipe = sealer->port_user;
    uv_close((uv_handle_t *)pipe->pipe, on_freed);
    pipe->pipe = NULL;
}

static void on_written(uv_write_t *request, int status)
{
    const struct tg_sealer_pipe *pipe = request->data;
    bool here = status != UV_ECANCELED && request->handle == (uv_stream_t *)pipe->pipe;
    tg_sealer_written(pipe->sealer, status == 0, here);
}

/* At once where the socket has room, which is nearly always: then there is no request to wait for. */
static enum tg_sealer_sent send_pipe(struct tg_sealer_link *sealer, struct tg_span bytes)
{
    struct tg_sealer_pipe *pipe = sealer->port_user;
    uv_buf_t all = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int sent = uv_try_write((uv_stream_t *)pipe->pipe, &all, 1);
    if (sent == (int)bytes.len) {
        return TG_SEALER_SENT;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        return TG_SEALER_NOT_SENT;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    uv_buf_t rest = uv_buf_init(all.base + done, (unsigned)(bytes.len - done));
    pipe->write.data = pipe;
    return uv_write(&pipe->write, (uv_stream_t *)pipe->pipe, &rest, 1, on_written) == 0 ? TG_SEALER_SENDING
                                                                                        : TG_SEALER_NOT_SENT;
}

static void on_timer(uv_timer_t *timer)
{
    const struct tg_sealer_pipe *pipe = timer->data;
    tg_sealer_timeout(pipe->sealer);
}

static void set_timer(struct tg_sealer_link *sealer, uint64_t wait_ms)
{
    struct tg_sealer_pipe *pipe = sealer->port_user;
    if (wait_ms == 0) {
        uv_timer_stop(&pipe->timer);
    } else {
        uv_timer_start(&pipe->timer, on_timer, wait_ms, 0);
    }
}

int tg_sealer_pipe_fd(const struct tg_sealer_pipe *pipe)
{
    uv_os_fd_t fd = -1;
    return pipe->pipe != NULL && uv_fileno((const uv_handle_t *)pipe->pipe, &fd) == 0 ? fd : -1;
}

static uid_t peer(const struct tg_sealer_link *sealer)
{
    const struct tg_sealer_pipe *pipe = sealer->port_user;
    uid_t uid = TG_DAEMON_UID_NONE;
    int fd = tg_sealer_pipe_fd(pipe);
    return fd >= 0 && tg_daemon_peer(fd, &uid, NULL) == TG_OK ? uid : TG_DAEMON_UID_NONE;
}

static const struct tg_sealer_port port = {connect_pipe, close_pipe, send_pipe, set_timer, peer};

enum tg_err tg_sealer_pipe_start(struct tg_sealer_pipe *pipe, struct tg_sealer_link *sealer, uv_loop_t *loop,
                                 const char *path)
{
    *pipe = (struct tg_sealer_pipe){.sealer = sealer, .path = path, .loop = loop};
    if (uv_timer_init(loop, &pipe->timer) != 0) {
        return TG_ERR_DOWN;
    }
    pipe->timer.data = pipe;
    sealer->port = &port;
    sealer->port_user = pipe;
    return TG_OK;
}

void tg_sealer_pipe_stop(struct tg_sealer_pipe *pipe)
{
    uv_close((uv_handle_t *)&pipe->timer, NULL);
}
