/*
 * server.c - start, loop and end of the keeper.
 *
 * Promises: as server.h. Sockets are bound and rights dropped before the store or any byte of a
 * peer is read.
 * Does not: serve questions.
 */
#include "keeper/server.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "keeper/clock.h"
#include "keeper/committer_thread.h"
#include "keeper/connection.h"
#include "keeper/keeper.h"
#include "keeper/link_pipe.h"
#include "keeper/sandbox.h"
#include "keeper/sealer_pipe.h"

#include "base/banned.h"

#define BACKLOG 128

struct tg_server {
    struct tg_keeper keeper;
    uv_loop_t loop;
    struct tg_committer_thread committer;
    struct tg_sealer_pipe sealer;
    uv_pipe_t gate_server;
    uv_pipe_t admin_server;
    uv_signal_t signals[3];
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t tick;
};

/* ---- connections ---- */

static void on_gate(uv_stream_t *server, int status)
{
    struct tg_keeper *keeper = server->data;
    struct tg_link *link = status == 0 ? tg_link_accept(keeper, server, TG_ROLE_GATE, keeper->options.gate_uid) : NULL;
    if (link != NULL) {
        link->on_frame = tg_gate_frame;
        link->on_gone = tg_gate_gone;
    }
}

static void on_admin(uv_stream_t *server, int status)
{
    struct tg_keeper *keeper = server->data;
    struct tg_link *link =
        status == 0 ? tg_link_accept(keeper, server, TG_ROLE_ADMIN, keeper->options.admin_uid) : NULL;
    if (link != NULL) {
        link->on_frame = tg_admin_frame;
    }
}

static enum tg_err serve(struct tg_server *server, uv_pipe_t *pipe, int fd, uv_connection_cb on_connection)
{
    pipe->data = &server->keeper;
    if (uv_pipe_init(&server->loop, pipe, 0) != 0 || uv_pipe_open(pipe, fd) != 0 ||
        uv_listen((uv_stream_t *)pipe, BACKLOG, on_connection) != 0) {
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

/* ---- turns of the loop ---- */

static void close_any(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void end_now(struct tg_server *server)
{
    struct tg_keeper *keeper = &server->keeper;
    uv_prepare_stop(&server->prepare);
    uv_check_stop(&server->check);
    while (keeper->links != NULL) {
        tg_link_close(keeper->links);
    }
    tg_sealer_stop(&keeper->sealer);
    tg_sealer_pipe_stop(&server->sealer);
    tg_committer_stop(&server->committer);
    uv_walk(&server->loop, close_any, NULL);
}

/*
 * Before the loop sleeps for whatever may come: while a batch is under way it sleeps for what brings that on. Questions
 * that come meanwhile wait for the batch anyhow, and are read together when it moves; a wake for each cost more than
 * its work.
 */
static void on_prepare(uv_prepare_t *prepare)
{
    struct tg_server *server = prepare->data;
    int timer_ms = uv_backend_timeout(&server->loop);
    int wait_ms = timer_ms > 0 ? tg_engine_inward_ms(&server->keeper) : 0;
    if (wait_ms == 0) {
        return;
    }
    struct pollfd news[2] = {{.fd = server->committer.news_fd, .events = POLLIN},
                             {.fd = tg_sealer_pipe_fd(&server->sealer), .events = POLLIN}};
    /* Interrupted or not: the loop looks itself next. */
    (void)poll(news, 2, wait_ms < timer_ms ? wait_ms : timer_ms);
    uv_update_time(&server->loop);
}

static void on_check(uv_check_t *check)
{
    struct tg_server *server = check->data;
    tg_engine_turn(&server->keeper);
    if (server->keeper.ending_since_us != 0 && tg_engine_ended(&server->keeper)) {
        end_now(server);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct tg_server *server = timer->data;
    struct tg_keeper *keeper = &server->keeper;
    if (keeper->ending_since_us == 0) {
        tg_engine_tick(keeper);
    } else if (tg_clock_monotonic_us() - keeper->ending_since_us > TG_KEEPER_END_MS * 1000) {
        tg_log_say(TG_LOG_WARNING, "ending", "something was still pending");
        keeper->exit_status = 1;
        end_now(server);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct tg_server *server = handle->data;
    if (number == SIGHUP) {
        if (tg_log_reopen() != TG_OK) {
            tg_log_say(TG_LOG_WARNING, "log_not_reopened", "the old file is kept");
        }
        return;
    }
    if (server->keeper.ending_since_us != 0) {
        return;
    }
    tg_log_say(TG_LOG_INFO, "ending", number == SIGTERM ? "SIGTERM" : "SIGINT");
    uv_close((uv_handle_t *)&server->gate_server, NULL);
    uv_close((uv_handle_t *)&server->admin_server, NULL);
    tg_engine_end(&server->keeper);
}

static enum tg_err start_handles(struct tg_server *server)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        server->signals[i].data = server;
        if (uv_signal_init(&server->loop, &server->signals[i]) != 0 ||
            uv_signal_start(&server->signals[i], on_signal, numbers[i]) != 0) {
            return TG_ERR_DOWN;
        }
    }
    server->prepare.data = server;
    server->check.data = server;
    server->tick.data = server;
    if (uv_prepare_init(&server->loop, &server->prepare) != 0 || uv_prepare_start(&server->prepare, on_prepare) != 0 ||
        uv_check_init(&server->loop, &server->check) != 0 || uv_check_start(&server->check, on_check) != 0 ||
        uv_timer_init(&server->loop, &server->tick) != 0 ||
        uv_timer_start(&server->tick, on_tick, TG_ENGINE_TICK_MS, TG_ENGINE_TICK_MS) != 0) {
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

/* ---- start ---- */

static void on_store_log(void *user, const char *text)
{
    (void)user;
    tg_log_say(TG_LOG_INFO, "store", text);
}

static enum tg_err open_store(struct tg_keeper *keeper)
{
    const struct tg_keeper_options *options = &keeper->options;
    struct tg_store_options wish = {
        .path = options->store,
        .segment_rows_max = options->segment_rows,
        .segment_us_max = (int64_t)options->segment_seconds * 1000000,
        .retention_us = (int64_t)options->retention_days * 86400 * 1000000,
        .purge_grace_us = (int64_t)options->purge_grace_seconds * 1000000,
        .log = on_store_log,
    };
    char connection[TG_CONNECTION_BYTES_MAX];
    enum tg_err err = TG_OK;
    if (options->store_postgres_file != NULL) {
        err = tg_connection_read(options->store_postgres_file, connection);
        wish.connection = connection;
    }
    if (err == TG_OK) {
        err = tg_store_open(&wish, tg_clock_utc_us(), &keeper->committer.store);
    }
    tg_wipe(connection, sizeof(connection));
    if (err != TG_OK) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_ERROR, "store_not_opened");
        tg_log_string(&line, "error", tg_err_name(err));
        tg_log_end(&line);
        return err;
    }
    return TG_OK;
}

static enum tg_err start(struct tg_server *server, int gate_fd, int admin_fd)
{
    struct tg_keeper *keeper = &server->keeper;
    const struct tg_keeper_options *options = &keeper->options;
    tg_admin_start();
    enum tg_err err = open_store(keeper);
    if (err == TG_OK) {
        err = tg_engine_start(keeper);
    }
    if (err != TG_OK) {
        return err;
    }
    if (uv_loop_init(&server->loop) != 0) {
        return TG_ERR_DOWN;
    }
    err = tg_sandbox_paths(options->store, options->log);
    if (err != TG_OK) {
        return err;
    }
    err = tg_committer_start(&server->committer, &keeper->committer, &server->loop);
    if (err == TG_OK) {
        err = tg_sandbox_enter();
    }
    if (err == TG_OK) {
        err = start_handles(server);
    }
    if (err == TG_OK) {
        err = tg_sealer_pipe_start(&server->sealer, &keeper->sealer, &server->loop, options->sealer_socket);
    }
    if (err == TG_OK) {
        err = tg_sealer_start(&keeper->sealer);
    }
    if (err == TG_OK) {
        err = serve(server, &server->gate_server, gate_fd, on_gate);
    }
    if (err == TG_OK) {
        err = serve(server, &server->admin_server, admin_fd, on_admin);
    }
    return err;
}

/* Sockets while there may be rights to bind them, then none. */
static enum tg_err prepare_process(const struct tg_keeper_options *options, int *pid_fd, int *gate_fd, int *admin_fd)
{
    struct tg_daemon_user user = {geteuid(), getegid()};
    enum tg_err err = tg_log_open("keeper", options->log);
    if (err == TG_OK && options->pid != NULL) {
        err = tg_daemon_pid_lock(options->pid, pid_fd);
    }
    if (err == TG_OK && options->user != NULL) {
        err = tg_daemon_user_find(options->user, &user);
    }
    if (err == TG_OK) {
        err = tg_daemon_listen(options->gate_socket, options->gate_uid, gate_fd);
    }
    if (err == TG_OK) {
        err = tg_daemon_listen(options->admin_socket, options->admin_uid, admin_fd);
    }
    if (err == TG_OK && options->user != NULL) {
        err = tg_daemon_drop(&user);
    }
    if (err == TG_OK) {
        err = tg_daemon_harden();
    }
    /* A limit on file sizes shall be a failed write, which is answered by the end, not a signal. */
    if (err == TG_OK && signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        err = TG_ERR_DENIED;
    }
    return err;
}

int tg_server_run(const struct tg_keeper_options *options)
{
    int pid_fd = -1;
    int gate_fd = -1;
    int admin_fd = -1;
    if (prepare_process(options, &pid_fd, &gate_fd, &admin_fd) != TG_OK) {
        return 1;
    }
    static struct tg_server *server; /* the process's: a start that is refused leaves it as it stands */
    server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return 1;
    }
    struct tg_keeper *keeper = &server->keeper;
    keeper->options = *options;
    enum tg_err err = start(server, gate_fd, admin_fd);
    if (err != TG_OK) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_ERROR, "not_started");
        tg_log_string(&line, "error", tg_err_name(err));
        tg_log_end(&line);
        return 1;
    }
    tg_log_ready("serving");
    uv_run(&server->loop, UV_RUN_DEFAULT);
    uv_loop_close(&server->loop);
    int status = keeper->exit_status;
    tg_store_close(keeper->committer.store);
    tg_engine_free(keeper);
    free(server);
    if (pid_fd >= 0) {
        tg_daemon_pid_unlock(pid_fd);
    }
    tg_log_say(TG_LOG_INFO, "ended", "");
    return status;
}
