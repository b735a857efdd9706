/*
 * serve.c - accept, read, answer, write.
 *
 * Promises: as serve.h. Nothing is read while an answer waits to leave: the keeper's own unread answers are what
 * holds it back, and the sealer's memory stays two frames.
 * Does not: time out: the keeper is the only peer, and its end closes the link.
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

enum tg_err tg_serve_prepare(struct tg_serve *serve, struct tg_sealer *sealer, int listener, uid_t keeper_uid)
{
    *serve = (struct tg_serve){.sealer = sealer, .keeper_uid = keeper_uid, .listener = listener, .link = -1};
    struct tg_secret *buffers[] = {&serve->in, &serve->out, &serve->scratch};
    serve->kind = TG_SECRET_MEMFD;
    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        enum tg_secret_kind kind = TG_SECRET_UNLOCKED;
        enum tg_err err = tg_secret_make(buffers[i], FRAME_BYTES_MAX, &kind);
        if (err != TG_OK) {
            return err;
        }
        serve->kind = kind > serve->kind ? kind : serve->kind;
    }
    return block_signals();
}

void tg_serve_free(struct tg_serve *serve)
{
    tg_secret_free(&serve->in);
    tg_secret_free(&serve->out);
    tg_secret_free(&serve->scratch);
}

static void link_close(struct tg_serve *serve, const char *why)
{
    if (serve->link >= 0) {
        close(serve->link);
        tg_log_say(TG_LOG_INFO, "keeper_gone", why);
    }
    tg_wipe(serve->in.ptr, serve->in.len);
    tg_wipe(serve->out.ptr, serve->out.len);
    serve->in.len = 0;
    serve->out.len = 0;
    serve->sent = 0;
    serve->link = -1;
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
    if (serve->link >= 0) {
        tg_log_say(TG_LOG_WARNING, "peer_refused", "a keeper is connected already");
        close(fd);
        return;
    }
    serve->link = fd;
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

static enum tg_err output_send(struct tg_serve *serve)
{
    while (serve->sent < serve->out.len) {
        ssize_t wrote = send(serve->link, serve->out.ptr + serve->sent, serve->out.len - serve->sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return errno == EAGAIN ? TG_OK : TG_ERR_DOWN;
        }
        serve->sent += (size_t)wrote;
    }
    tg_wipe(serve->out.ptr, serve->out.len);
    serve->out.len = 0;
    serve->sent = 0;
    return TG_OK;
}

/* Answers whole frames, one at a time, as long as each answer leaves at once. */
static enum tg_err input_answer(struct tg_serve *serve)
{
    while (serve->out.len == 0) {
        struct tg_frame frame;
        size_t used = 0;
        struct tg_buf out = tg_buf(serve->out.ptr, serve->out.cap);
        struct tg_span input = tg_span(serve->in.ptr, serve->in.len);
        enum tg_err err = tg_frame_read(TG_ROLE_KEEPER, input, &frame, &used);
        if (err == TG_ERR_ROOM) {
            return TG_OK;
        }
        if (err != TG_OK || frame.type != TG_FRAME_SEAL) {
            return TG_ERR_INPUT;
        }
        err = tg_serve_frame(serve->sealer, &frame, &out, serve->scratch.ptr, serve->scratch.cap);
        serve->out.len = out.len; /* also on failure: what was written is wiped by link_close */
        if (err != TG_OK) {
            return err;
        }
        input_drop(&serve->in, used);
        err = output_send(serve);
        if (err != TG_OK) {
            return err;
        }
    }
    return TG_OK;
}

/* One read; TG_ERR_ABSENT at the end of the stream. */
static enum tg_err input_read(struct tg_serve *serve)
{
    ssize_t got = recv(serve->link, serve->in.ptr + serve->in.len, serve->in.cap - serve->in.len, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR ? TG_OK : TG_ERR_DOWN;
    }
    if (got == 0) {
        return TG_ERR_ABSENT;
    }
    serve->in.len += (size_t)got;
    return input_answer(serve);
}

static void link_step(struct tg_serve *serve, short events)
{
    enum tg_err err = TG_OK;
    if ((events & (POLLOUT | POLLERR)) != 0 && serve->out.len > 0) {
        err = output_send(serve);
        if (err == TG_OK) {
            err = input_answer(serve);
        }
    } else if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
        err = serve->out.len > 0 ? TG_ERR_ABSENT : input_read(serve);
    }
    if (err != TG_OK) {
        link_close(serve, err == TG_ERR_ABSENT ? "the link ended" : tg_err_name(err));
    }
}

enum tg_err tg_serve_run(struct tg_serve *serve)
{
    sigset_t none;
    sigemptyset(&none);
    while (!stop_asked) {
        short wish = serve->out.len > 0 ? POLLOUT : POLLIN;
        struct pollfd polled[2] = {
            {.fd = serve->listener, .events = POLLIN},
            {.fd = serve->link, .events = wish}, /* -1 is passed over by poll */
        };
        int ready = ppoll(polled, 2, NULL, &none);
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
        if (serve->link >= 0 && polled[1].revents != 0) {
            link_step(serve, polled[1].revents);
        }
        /* What lives is served to the end of the link; the next one needs keys, which only a new start can make. */
        if (serve->link < 0 && serve->sealer->ring.broken) {
            return TG_ERR_DOWN;
        }
        if ((polled[0].revents & POLLIN) != 0) {
            link_accept(serve);
        }
    }
    link_close(serve, "the sealer ends");
    return TG_OK;
}
