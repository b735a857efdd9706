/*
 * serve.c - accept, read, answer, write.
 *
 * Promises: as serve.h. Nothing is read while an answer waits to leave: the keeper's own unread answers are what
 * holds it back, and the sealer's memory stays two frames.
 * Does not: time out: keepers are the only peers, and its end closes the link.
 */
#include "sealer/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

#include "base/banned.h"

#define FRAME_BYTES_MAX (TG_FRAME_HEADER_BYTES + (size_t)TG_FRAME_BODY_BYTES_MAX)

static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t reopen_asked;

static void on_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void on_reopen(int number)
{
    (void)number;
    reopen_asked = 1;
}

/* Signals are delivered inside ppoll only, so that none is lost between a look and a sleep. */
static enum tg_err block_signals(void)
{
    sigset_t set;
    struct sigaction stop = {.sa_handler = on_stop};
    struct sigaction reopen = {.sa_handler = on_reopen};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGTERM, &stop, NULL) != 0 ||
        sigaction(SIGINT, &stop, NULL) != 0 || sigaction(SIGHUP, &reopen, NULL) != 0) {
        return TG_ERR_BUG;
    }
    return TG_OK;
}

static enum tg_err buffer_make(struct tg_serve *serve, struct tg_secret *buffer)
{
    enum tg_secret_kind kind = TG_SECRET_UNLOCKED;
    enum tg_err err = tg_secret_make(buffer, FRAME_BYTES_MAX, &kind);
    serve->kind = kind > serve->kind ? kind : serve->kind;
    return err;
}

enum tg_err tg_serve_prepare(struct tg_serve *serve, struct tg_sealer *sealer, int listener, uid_t keeper_uid,
                             size_t keepers)
{
    *serve = (struct tg_serve){.sealer = sealer, .keeper_uid = keeper_uid, .listener = listener, .keepers = keepers};
    serve->kind = TG_SECRET_MEMFD;
    enum tg_err err = buffer_make(serve, &serve->scratch);
    for (size_t i = 0; i < TG_SERVE_KEEPERS_MAX; i++) {
        serve->links[i].fd = -1;
        if (err == TG_OK && i < keepers) {
            err = buffer_make(serve, &serve->links[i].in);
        }
        if (err == TG_OK && i < keepers) {
            err = buffer_make(serve, &serve->links[i].out);
        }
    }
    return err == TG_OK ? block_signals() : err;
}

void tg_serve_free(struct tg_serve *serve)
{
    for (size_t i = 0; i < serve->keepers; i++) {
        tg_secret_free(&serve->links[i].in);
        tg_secret_free(&serve->links[i].out);
    }
    tg_secret_free(&serve->scratch);
}

static void link_close(struct tg_serve_link *link, const char *why)
{
    if (link->fd >= 0) {
        close(link->fd);
        tg_log_say(TG_LOG_INFO, "keeper_gone", why);
    }
    tg_wipe(link->in.ptr, link->in.len);
    tg_wipe(link->out.ptr, link->out.len);
    link->in.len = 0;
    link->out.len = 0;
    link->sent = 0;
    link->fd = -1;
}

/* A link that nobody uses; NULL when all keepers are there. */
static struct tg_serve_link *link_free(struct tg_serve *serve)
{
    for (size_t i = 0; i < serve->keepers; i++) {
        if (serve->links[i].fd < 0) {
            return &serve->links[i];
        }
    }
    return NULL;
}

static void link_accept(struct tg_serve *serve)
{
    uid_t uid = TG_DAEMON_UID_NONE;
    int fd = accept4(serve->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (tg_daemon_peer(fd, &uid, NULL) != TG_OK || uid != serve->keeper_uid) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_WARNING, "peer_refused");
        tg_log_number(&line, "uid", (int64_t)uid);
        tg_log_end(&line);
        close(fd);
        return;
    }
    struct tg_serve_link *link = link_free(serve);
    if (link == NULL) {
        tg_log_say(TG_LOG_WARNING, "peer_refused", "a keeper is connected already");
        close(fd);
        return;
    }
    link->fd = fd;
    tg_log_say(TG_LOG_INFO, "keeper_here", "the keeper has connected");
}

/* Lets go of the first `used` bytes of the input and wipes where they and their followers stood. */
static void input_drop(struct tg_secret *in, size_t used)
{
    size_t left = in->len - used;
    memmove(in->ptr, in->ptr + used, left);
    tg_wipe(in->ptr + left, used);
    in->len = left;
}

static enum tg_err output_send(struct tg_serve_link *link)
{
    while (link->sent < link->out.len) {
        ssize_t wrote = send(link->fd, link->out.ptr + link->sent, link->out.len - link->sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return errno == EAGAIN ? TG_OK : TG_ERR_DOWN;
        }
        link->sent += (size_t)wrote;
    }
    tg_wipe(link->out.ptr, link->out.len);
    link->out.len = 0;
    link->sent = 0;
    return TG_OK;
}

/* Answers whole frames, one at a time, as long as each answer leaves at once. */
static enum tg_err input_answer(struct tg_serve *serve, struct tg_serve_link *link)
{
    while (link->out.len == 0) {
        struct tg_frame frame;
        size_t used = 0;
        struct tg_buf out = tg_buf(link->out.ptr, link->out.cap);
        struct tg_span input = tg_span(link->in.ptr, link->in.len);
        enum tg_err err = tg_frame_read(TG_ROLE_KEEPER, input, &frame, &used);
        if (err == TG_ERR_ROOM) {
            return TG_OK;
        }
        if (err != TG_OK || frame.type != TG_FRAME_SEAL) {
            return TG_ERR_INPUT;
        }
        err = tg_serve_frame(serve->sealer, &frame, &out, serve->scratch.ptr, serve->scratch.cap);
        link->out.len = out.len; /* also on failure: what was written is wiped by link_close */
        if (err != TG_OK) {
            return err;
        }
        input_drop(&link->in, used);
        err = output_send(link);
        if (err != TG_OK) {
            return err;
        }
    }
    return TG_OK;
}

/* One read; TG_ERR_ABSENT at the end of the stream. */
static enum tg_err input_read(struct tg_serve *serve, struct tg_serve_link *link)
{
    ssize_t got = recv(link->fd, link->in.ptr + link->in.len, link->in.cap - link->in.len, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? TG_OK : TG_ERR_DOWN;
    }
    if (got == 0) {
        return TG_ERR_ABSENT;
    }
    link->in.len += (size_t)got;
    return input_answer(serve, link);
}

static void link_step(struct tg_serve *serve, struct tg_serve_link *link, short events)
{
    enum tg_err err = TG_OK;
    if ((events & (POLLOUT | POLLERR)) != 0 && link->out.len > 0) {
        err = output_send(link);
        if (err == TG_OK) {
            err = input_answer(serve, link);
        }
    } else if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
        err = link->out.len > 0 ? TG_ERR_ABSENT : input_read(serve, link);
    }
    if (err != TG_OK) {
        link_close(link, err == TG_ERR_ABSENT ? "the link ended" : tg_err_name(err));
    }
}

enum tg_err tg_serve_run(struct tg_serve *serve)
{
    sigset_t none;
    sigemptyset(&none);
    while (!stop_asked) {
        struct pollfd polled[TG_SERVE_KEEPERS_MAX + 1] = {{.fd = serve->listener, .events = POLLIN}};
        for (size_t i = 0; i < serve->keepers; i++) { /* -1 is passed over by poll */
            short wish = serve->links[i].out.len > 0 ? POLLOUT : POLLIN;
            polled[i + 1] = (struct pollfd){.fd = serve->links[i].fd, .events = wish};
        }
        int ready = ppoll(polled, serve->keepers + 1, NULL, &none);
        if (ready < 0 && errno != EINTR) {
            tg_log_errno("loop_failed", "ppoll", errno);
            return TG_ERR_BUG;
        }
        if (reopen_asked) {
            reopen_asked = 0;
            tg_log_say(TG_LOG_INFO, "log_reopened",
                       tg_log_reopen() == TG_OK ? "log opened again" : "the old log stays open");
        }
        if (ready <= 0) {
            continue;
        }
        size_t living = 0;
        for (size_t i = 0; i < serve->keepers; i++) {
            if (serve->links[i].fd >= 0 && polled[i + 1].revents != 0) {
                link_step(serve, &serve->links[i], polled[i + 1].revents);
            }
            living += serve->links[i].fd >= 0;
        }
        /* What lives is served to the end of the link; the next one needs keys, which only a new start can make. */
        if (living == 0 && serve->sealer->ring.broken) {
            return TG_ERR_DOWN;
        }
        if ((polled[0].revents & POLLIN) != 0) {
            link_accept(serve);
        }
    }
    for (size_t i = 0; i < serve->keepers; i++) {
        link_close(&serve->links[i], "the sealer ends");
    }
    return TG_OK;
}
