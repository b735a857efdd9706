/*
 * server.c - start, loop and end of the keeper.
 *
 * Promises: as server.h. Sockets are bound and rights dropped before the store or any byte of a
 * peer is read.
 * Does not: serve questions.
 */
#include "keeper/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "keeper/clock.h"
#include "keeper/load.h"
#include "keeper/rotation.h"
#include "keeper/sandbox.h"

#include "base/banned.h"

#define TICK_MS 20
#define BACKLOG 128
/* The store is looked at once a second even when nobody asks anything. */
#define IDLE_TICKS (1000 / TICK_MS)

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
    struct tg_link *link = status == 0 ? tg_link_accept(keeper, server, TG_ROLE_ADMIN, keeper->options.admin_uid)
                                       : NULL;
    if (link != NULL) {
        link->on_frame = tg_admin_frame;
    }
}

static enum tg_err serve(struct tg_keeper *keeper, uv_pipe_t *server, int fd, uv_connection_cb on_connection)
{
    server->data = keeper;
    if (uv_pipe_init(&keeper->loop, server, 0) != 0 || uv_pipe_open(server, fd) != 0 ||
        uv_listen((uv_stream_t *)server, BACKLOG, on_connection) != 0) {
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

static void end_now(struct tg_keeper *keeper)
{
    uv_check_stop(&keeper->check);
    while (keeper->links != NULL) {
        tg_link_close(keeper->links);
    }
    tg_sealer_stop(&keeper->sealer);
    tg_committer_stop(&keeper->committer);
    uv_walk(&keeper->loop, close_any, NULL);
}

static bool output_pending(const struct tg_keeper *keeper)
{
    for (const struct tg_link *link = keeper->links; link != NULL; link = link->next) {
        if (link->writing || link->out.len > 0) {
            return true;
        }
    }
    return false;
}

static void on_check(uv_check_t *check)
{
    struct tg_keeper *keeper = check->data;
    tg_batch_pump(keeper);
    tg_link_flush_all(keeper);
    if (keeper->ending_since_us != 0 && tg_batch_idle(keeper) && !output_pending(keeper)) {
        end_now(keeper);
    }
}

static void nothing_to_do(struct tg_job *job)
{
    free(job);
}

static void on_tick(uv_timer_t *timer)
{
    struct tg_keeper *keeper = timer->data;
    int64_t now_us = tg_clock_monotonic_us();
    if (keeper->ending_since_us != 0) {
        if (now_us - keeper->ending_since_us > TG_KEEPER_END_MS * 1000) {
            tg_log_say(TG_LOG_WARNING, "ending", "something was still pending");
            keeper->exit_status = 1;
            end_now(keeper);
        }
        return;
    }
    tg_batch_expire(keeper);
    tg_sealer_tick(&keeper->sealer, now_us);
    if (++keeper->ticks % IDLE_TICKS == 0) {
        tg_note_suppressed(keeper);
        tg_rotation_tick(keeper);
        struct tg_job *job = calloc(1, sizeof(*job));
        if (job != NULL) {
            job->done = nothing_to_do;
            tg_committer_post(&keeper->committer, job);
        }
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct tg_keeper *keeper = handle->data;
    if (number == SIGHUP) {
        if (tg_log_reopen() != TG_OK) {
            tg_log_say(TG_LOG_WARNING, "log_not_reopened", "the old file is kept");
        }
        return;
    }
    if (keeper->ending_since_us != 0) {
        return;
    }
    tg_log_say(TG_LOG_INFO, "ending", number == SIGTERM ? "SIGTERM" : "SIGINT");
    keeper->ending_since_us = tg_clock_monotonic_us();
    uv_close((uv_handle_t *)&keeper->gate_server, NULL);
    uv_close((uv_handle_t *)&keeper->admin_server, NULL);
    for (struct tg_link *link = keeper->links; link != NULL; link = link->next) {
        tg_link_pause(link);
    }
}

static enum tg_err start_handles(struct tg_keeper *keeper)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        keeper->signals[i].data = keeper;
        if (uv_signal_init(&keeper->loop, &keeper->signals[i]) != 0 ||
            uv_signal_start(&keeper->signals[i], on_signal, numbers[i]) != 0) {
            return TG_ERR_DOWN;
        }
    }
    keeper->check.data = keeper;
    keeper->tick.data = keeper;
    if (uv_check_init(&keeper->loop, &keeper->check) != 0 || uv_check_start(&keeper->check, on_check) != 0 ||
        uv_timer_init(&keeper->loop, &keeper->tick) != 0 ||
        uv_timer_start(&keeper->tick, on_tick, TICK_MS, TICK_MS) != 0) {
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
    enum tg_err err = tg_store_open(&wish, tg_clock_utc_us(), &keeper->committer.store);
    if (err != TG_OK) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_ERROR, "store_not_opened");
        tg_log_string(&line, "error", tg_err_name(err));
        tg_log_end(&line);
        return err;
    }
    keeper->segment = tg_store_segment(keeper->committer.store);
    return tg_load_setup(keeper);
}

/* An owner is a link of this process at this time: never met again, while the clock only goes forward. */
static enum tg_err name_process(struct tg_keeper *keeper)
{
    keeper->owner_next = (uint64_t)tg_clock_utc_us() << 12;
    keeper->started_us = tg_clock_monotonic_us();
    enum tg_err err = tg_random(keeper->boot_id, sizeof(keeper->boot_id));
    if (err != TG_OK) {
        return err;
    }
    keeper->throttle = calloc(1, sizeof(*keeper->throttle));
    if (keeper->throttle == NULL) {
        return TG_ERR_ROOM;
    }
    return tg_random(&keeper->throttle->seed, sizeof(keeper->throttle->seed));
}

static enum tg_err start(struct tg_keeper *keeper, int gate_fd, int admin_fd)
{
    tg_metrics_start(&keeper->metrics);
    tg_admin_start();
    enum tg_err err = name_process(keeper);
    if (err == TG_OK) {
        err = open_store(keeper);
    }
    if (err == TG_OK) {
        err = tg_batch_start(keeper);
    }
    if (err != TG_OK) {
        return err;
    }
    if (uv_loop_init(&keeper->loop) != 0) {
        return TG_ERR_DOWN;
    }
    tg_rotation_bind(keeper);
    err = tg_sandbox_paths(keeper->options.store, keeper->options.log);
    if (err != TG_OK) {
        return err;
    }
    err = tg_committer_start(&keeper->committer, &keeper->loop);
    if (err == TG_OK) {
        err = tg_sandbox_enter();
    }
    if (err == TG_OK) {
        err = start_handles(keeper);
    }
    if (err == TG_OK) {
        err = tg_sealer_start(&keeper->sealer);
    }
    if (err == TG_OK) {
        err = serve(keeper, &keeper->gate_server, gate_fd, on_gate);
    }
    if (err == TG_OK) {
        err = serve(keeper, &keeper->admin_server, admin_fd, on_admin);
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
    struct tg_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) {
        return 1;
    }
    keeper->options = *options;
    enum tg_err err = start(keeper, gate_fd, admin_fd);
    if (err != TG_OK) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_ERROR, "not_started");
        tg_log_string(&line, "error", tg_err_name(err));
        tg_log_end(&line);
        return 1;
    }
    tg_log_ready("serving");
    uv_run(&keeper->loop, UV_RUN_DEFAULT);
    uv_loop_close(&keeper->loop);
    tg_batch_stop(keeper);
    tg_store_close(keeper->committer.store);
    tg_setup_free(&keeper->setup);
    int status = keeper->exit_status;
    free(keeper->sealer.in);
    free(keeper->sealer.out.ptr);
    free(keeper->throttle);
    free(keeper);
    if (pid_fd >= 0) {
        tg_daemon_pid_unlock(pid_fd);
    }
    tg_log_say(TG_LOG_INFO, "ended", "");
    return status;
}
