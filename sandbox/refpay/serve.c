/*
 * serve.c - the order of things: rights and files, the book, the sockets, the loop; then back.
 *
 * Promises: see serve.h.
 */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "control.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

#define PATH_BYTES_MAX 4096

struct house {
    uv_loop_t loop;
    struct tg_service service;
    struct tg_server server;
    struct tg_control control;
    struct tg_webhook webhook;
    bool has_webhook;
    uv_signal_t term, interrupt, hangup;
    int lock;
};

static bool join_path(char ret[PATH_BYTES_MAX], const char *path, const char *ending)
{
    int len = snprintf(ret, PATH_BYTES_MAX, "%s%s", path, ending);
    return len > 0 && len < PATH_BYTES_MAX;
}

static void on_stop(uv_signal_t *signal, int number)
{
    struct house *house = signal->data;
    (void)number;
    tg_log_say(TG_LOG_INFO, "stopping", "asked to");
    tg_control_stop(&house->control);
    tg_server_stop(&house->server);
    if (house->has_webhook) {
        tg_webhook_close(&house->webhook);
    }
    uv_close((uv_handle_t *)&house->term, NULL);
    uv_close((uv_handle_t *)&house->interrupt, NULL);
    uv_close((uv_handle_t *)&house->hangup, NULL);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    (void)signal;
    (void)number;
    if (tg_log_reopen() != TG_OK) {
        tg_log_say(TG_LOG_ERROR, "log_not_reopened", "the old file is written on");
    }
}

static void watch(struct house *house, uv_signal_t *signal, uv_signal_cb call, int number)
{
    uv_signal_init(&house->loop, signal);
    signal->data = house;
    uv_signal_start(signal, call, number);
}

/* A reason that the log may hold: paths and words of the command line. */
static enum tg_err say(enum tg_err err, const char *event, const char *what)
{
    if (err != TG_OK) {
        struct tg_log line;
        tg_log_begin(&line, TG_LOG_ERROR, event);
        tg_log_string(&line, "what", what);
        tg_log_string(&line, "error", tg_err_name(err));
        tg_log_end(&line);
    }
    return err;
}

/* Lock, control socket, credential; then the user that serves. */
static enum tg_err take_place(struct house *house, const struct tg_serve_options *options, int *control)
{
    char lock[PATH_BYTES_MAX];
    enum tg_err err =
        join_path(lock, options->pid != NULL ? options->pid : options->control, options->pid != NULL ? "" : ".lock")
            ? TG_OK
            : TG_ERR_LIMIT;
    if (err == TG_OK) {
        err = tg_daemon_pid_lock(lock, &house->lock);
    }
    if (err == TG_OK) {
        err = tg_daemon_listen(options->control, TG_DAEMON_UID_NONE, control);
    }
    if (err == TG_OK) {
        err = say(tg_credential_open(&house->service.credential, options->credential_file), "credential_not_read",
                  options->credential_file);
    }
    struct tg_daemon_user user;
    if (err == TG_OK && options->user != NULL) {
        err = tg_daemon_user_find(options->user, &user);
        if (err == TG_OK) {
            err = tg_daemon_drop(&user);
        }
    }
    if (err == TG_OK) {
        err = tg_daemon_harden();
    }
    return err;
}

static enum tg_err open_book(struct tg_service *service, const char *path)
{
    enum tg_err err = say(tg_database_open(&service->database, path), "ledger_not_opened", path);
    if (err != TG_OK) {
        return err;
    }
    tg_ledger_open(&service->ledger, &service->database);
    err = say(tg_payments_open(&service->payments, &service->database, &service->ledger), "ledger_not_opened", path);
    tg_credential_attach(&service->credential, &service->database);
    return err;
}

static enum tg_err open_webhook(struct house *house, const char *url, const char *ledger)
{
    char secret[PATH_BYTES_MAX];
    if (url == NULL) {
        return TG_OK;
    }
    if (!join_path(secret, ledger, ".webhook-secret")) {
        return TG_ERR_LIMIT;
    }
    enum tg_err err = say(tg_webhook_open(&house->webhook, &house->loop, url, secret), "webhook_not_opened",
                          "only http://127.0.0.1:PORT/path and http://[::1]:PORT/path");
    if (err == TG_OK) {
        house->has_webhook = true;
        house->service.payments.event = tg_webhook_tell;
        house->service.payments.event_context = &house->webhook;
    }
    return err;
}

static enum tg_err start(struct house *house, const struct tg_serve_options *options)
{
    struct sockaddr_storage address;
    char ledger[PATH_BYTES_MAX];
    int control = -1;
    uid_t starter = getuid();
    enum tg_err err =
        say(tg_address_read(tg_span_string(options->listen), &address), "address_not_read", options->listen);
    if (err == TG_OK && !join_path(ledger, options->ledger != NULL ? options->ledger : options->control,
                                   options->ledger != NULL ? "" : ".ledger")) {
        err = TG_ERR_LIMIT;
    }
    if (err == TG_OK) {
        err = take_place(house, options, &control);
    }
    if (err == TG_OK) {
        err = open_book(&house->service, ledger);
    }
    if (err == TG_OK) {
        err = open_webhook(house, options->webhook, ledger);
    }
    if (err == TG_OK) {
        err = say(tg_server_start(&house->server, &house->loop, &house->service, &address), "not_listening",
                  options->listen);
    }
    if (err == TG_OK) {
        err = say(tg_control_start(&house->control, &house->loop, control, starter, &house->server,
                                   house->has_webhook ? &house->webhook : NULL),
                  "not_listening", options->control);
    }
    return err;
}

int tg_serve(const struct tg_serve_options *options)
{
    if (tg_log_open("refpay", options->log) != TG_OK) {
        return 1;
    }
    struct house *house = calloc(1, sizeof(*house));
    if (house == NULL || uv_loop_init(&house->loop) != 0) {
        free(house);
        return 1;
    }
    house->lock = -1;
    if (start(house, options) != TG_OK) {
        return 1; /* the process ends here: the kernel takes the rest back */
    }
    watch(house, &house->term, on_stop, SIGTERM);
    watch(house, &house->interrupt, on_stop, SIGINT);
    watch(house, &house->hangup, on_hangup, SIGHUP);
    tg_log_ready(options->listen);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    uv_loop_close(&house->loop);
    tg_payments_close(&house->service.payments);
    tg_ledger_close(&house->service.ledger);
    tg_credential_close(&house->service.credential);
    tg_database_close(&house->service.database);
    tg_log_say(TG_LOG_INFO, "stopped", "cleanly");
    tg_daemon_pid_unlock(house->lock);
    free(house);
    return 0;
}
