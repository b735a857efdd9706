/*
 * link_pipe.c - libuv's side of a link.
 *
 * Promises: as link_pipe.h.
 * Does not: outlive its link: both are one piece of memory.
 */
#include "keeper/link_pipe.h"

#include "daemon/daemon.h"
#include "keeper/keeper.h"

#include "base/banned.h"

struct tg_link_pipe {
    struct tg_link link; /* first: the link frees both */
    uv_pipe_t pipe;
    uv_write_t write;
};

static struct tg_link_pipe *pipe_of(struct tg_link *link)
{
    return (struct tg_link_pipe *)link;
}

static void on_closed(uv_handle_t *handle)
{
    tg_link_closed(handle->data);
}

static void close_pipe(struct tg_link *link)
{
    uv_close((uv_handle_t *)&pipe_of(link)->pipe, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    size_t room = 0;
    uint8_t *in = tg_link_room_in(handle->data, &room);
    *buf = uv_buf_init((char *)in, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    (void)buf;
    if (got < 0) {
        tg_link_close(stream->data);
        return;
    }
    tg_link_received(stream->data, (size_t)got);
}

static bool listen_pipe(struct tg_link *link, bool on)
{
    uv_stream_t *stream = (uv_stream_t *)&pipe_of(link)->pipe;
    return on ? uv_read_start(stream, on_alloc, on_read) == 0 : uv_read_stop(stream) == 0;
}

static void on_written(uv_write_t *request, int status)
{
    tg_link_written(request->data, status == 0);
}

static enum tg_link_sent send_pipe(struct tg_link *link, struct tg_span bytes)
{
    struct tg_link_pipe *pipe = pipe_of(link);
    uv_buf_t all = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int sent = uv_try_write((uv_stream_t *)&pipe->pipe, &all, 1);
    if (sent == (int)bytes.len) {
        return TG_LINK_SENT;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        return TG_LINK_NOT_SENT;
    }
    size_t done = sent > 0 ? (size_t)sent : 0;
    uv_buf_t rest = uv_buf_init(all.base + done, (unsigned)(bytes.len - done));
    pipe->write.data = link;
    return uv_write(&pipe->write, (uv_stream_t *)&pipe->pipe, &rest, 1, on_written) == 0 ? TG_LINK_SENDING
                                                                                         : TG_LINK_NOT_SENT;
}

static const struct tg_link_port port = {close_pipe, listen_pipe, send_pipe};

/* Which peers may come, and how many. */
static const char *judge_peer(struct tg_link_pipe *pipe, uid_t allowed)
{
    struct tg_link *link = &pipe->link;
    const struct tg_keeper *keeper = link->keeper;
    uv_os_fd_t fd = -1;
    uid_t uid = TG_DAEMON_UID_NONE;
    pid_t pid = 0;
    if (uv_fileno((uv_handle_t *)&pipe->pipe, &fd) != 0 || tg_daemon_peer(fd, &uid, &pid) != TG_OK) {
        return "no peer";
    }
    if (uid != allowed && !(link->role == TG_ROLE_ADMIN && uid == 0)) {
        return "another user";
    }
    bool gate = link->role == TG_ROLE_GATE;
    if (keeper->ending_since_us != 0 ||
        (gate ? keeper->gate_links > TG_LINKS_GATE_MAX : keeper->admin_links > TG_LINKS_ADMIN_MAX)) {
        return "too many";
    }
    if (!gate) {
        tg_admin_actor(uid, pid, link->actor);
    }
    return NULL;
}

struct tg_link *tg_link_accept(struct tg_keeper *keeper, uv_stream_t *server, enum tg_role role, uid_t allowed)
{
    struct tg_link *link = tg_link_make(keeper, sizeof(struct tg_link_pipe), role, &port);
    if (link == NULL) {
        return NULL;
    }
    struct tg_link_pipe *pipe = pipe_of(link);
    uv_pipe_init(server->loop, &pipe->pipe, 0);
    pipe->pipe.data = link;
    const char *why = "not accepted";
    if (uv_accept(server, (uv_stream_t *)&pipe->pipe) == 0) {
        why = judge_peer(pipe, allowed);
    }
    if (why == NULL && !listen_pipe(link, true)) {
        why = "no memory";
    }
    if (why != NULL) {
        tg_link_refused(link, why);
        return NULL;
    }
    tg_link_begin(link);
    return link;
}
