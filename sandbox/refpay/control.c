/*
 * control.c - commands in, JSON out.
 *
 * Promises: see control.h.
 */
#include "control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "generic.h"

struct tg_control_peer {
    uv_pipe_t pipe;
    uv_write_t write;
    struct tg_control *control;
    struct tg_control_peer *before, *after;
    char line[TG_CONTROL_LINE_BYTES_MAX];
    size_t len;
    char *reply; /* on its way */
    bool closing;
};

static void advance(struct tg_control_peer *peer);

static void on_closed(uv_handle_t *handle)
{
    struct tg_control_peer *peer = handle->data;
    free(peer->reply);
    free(peer);
}

static void drop(struct tg_control_peer *peer)
{
    if (peer->closing) {
        return;
    }
    peer->closing = true;
    if (peer->after != NULL) {
        peer->after->before = peer->before;
    }
    if (peer->before != NULL) {
        peer->before->after = peer->after;
    } else {
        peer->control->peers = peer->after;
    }
    peer->control->count--;
    uv_close((uv_handle_t *)&peer->pipe, on_closed);
}

static json_t *failed(const char *error)
{
    return json_pack("{s:b, s:s}", "ok", 0, "error", error);
}

static json_t *done(json_t *result)
{
    return json_pack("{s:b, s:o}", "ok", 1, "result", result);
}

static int64_t number_of(const json_t *question, const char *name, int64_t absent)
{
    const json_t *value = json_object_get(question, name);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

/* The first page carries the sums, later pages only postings. */
static json_t *ledger(struct tg_control *control, const json_t *question)
{
    struct tg_service *service = control->server->service;
    int64_t after = number_of(question, "after", 0), next = 0;
    json_t *result = json_object();
    if (after == 0) {
        json_object_set_new(result, "sum_is_zero", json_boolean(tg_ledger_balanced(&service->ledger)));
        json_object_set_new(result, "balances", tg_ledger_balances(&service->ledger));
        json_object_set_new(result, "counts", tg_payments_counts(&service->payments));
        json_object_set_new(result, "credentials", tg_credential_show(&service->credential));
        json_object_set_new(result, "faults", tg_fault_show(&service->faults));
        json_object_set_new(result, "requests", json_integer(control->server->requests));
        if (control->webhook != NULL) {
            json_object_set_new(result, "webhooks", tg_webhook_show(control->webhook));
        }
    }
    if (!json_is_true(json_object_get(question, "summary"))) {
        json_object_set_new(result, "postings", tg_ledger_postings(&service->ledger, after, TG_CONTROL_PAGE, &next));
    }
    json_object_set_new(result, "next", json_integer(next));
    return done(result);
}

struct page {
    json_t *rows;
    int64_t last;
};

static void append(void *context, const struct tg_payment *payment)
{
    struct page *page = context;
    json_t *row = tg_generic_show(payment);
    json_object_set_new(row, "dialect", json_string(payment->dialect == TG_DIALECT_STRIPE ? "stripe" : "generic"));
    json_array_append_new(page->rows, row);
    page->last = payment->number;
}

static json_t *payments(struct tg_control *control, const json_t *question)
{
    struct page page = {json_array(), 0};
    bool more = tg_payments_list(&control->server->service->payments, -1, "", number_of(question, "before", 0),
                                 TG_CONTROL_PAGE, append, &page);
    return done(json_pack("{s:o, s:I}", "payments", page.rows, "next", (json_int_t)(more ? page.last : 0)));
}

static json_t *arm(struct tg_control *control, const json_t *question)
{
    const char *kind = json_string_value(json_object_get(question, "kind"));
    const char *operation = json_string_value(json_object_get(question, "operation"));
    struct tg_fault fault = {.kind = kind == NULL ? TG_FAULT_NONE : tg_fault_kind(tg_span_string(kind)),
                             .left = number_of(question, "count", 1),
                             .delay_ms = number_of(question, "delay_ms", 0)};
    if (fault.kind == TG_FAULT_NONE) {
        return failed("unknown kind");
    }
    size_t len = operation == NULL ? 0 : strlen(operation);
    if (len > TG_FAULT_OPERATION_BYTES_MAX || fault.delay_ms < 0 || fault.delay_ms > TG_FAULT_DELAY_MS_MAX) {
        return failed("operation or delay_ms out of range");
    }
    if (len > 0) {
        memcpy(fault.operation, operation, len);
    }
    if (fault.kind == TG_FAULT_REFUSE_CONNECT) {
        tg_server_refuse(control->server, (uint64_t)fault.delay_ms);
        return done(json_string("refusing"));
    }
    if (tg_fault_arm(&control->server->service->faults, &fault) != TG_OK) {
        return failed("count out of range, or too many faults armed");
    }
    return done(tg_fault_show(&control->server->service->faults));
}

static json_t *answer(struct tg_control *control, const char *line, size_t len)
{
    json_t *question = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *command = json_string_value(json_object_get(question, "command"));
    struct tg_span word = command == NULL ? tg_span(NULL, 0) : tg_span_string(command);
    struct tg_faults *faults = &control->server->service->faults;
    json_t *reply;
    /* Whoever reads the book must not see what a kill could still undo. */
    tg_database_commit(&control->server->service->database);
    if (tg_span_equal(word, TG_SPAN("ledger"))) {
        reply = ledger(control, question);
    } else if (tg_span_equal(word, TG_SPAN("payments"))) {
        reply = payments(control, question);
    } else if (tg_span_equal(word, TG_SPAN("fault"))) {
        reply = arm(control, question);
    } else if (tg_span_equal(word, TG_SPAN("faults"))) {
        reply = done(tg_fault_show(faults));
    } else if (tg_span_equal(word, TG_SPAN("clear"))) {
        tg_fault_clear(faults);
        reply = done(tg_fault_show(faults));
    } else {
        reply = failed("unknown command");
    }
    json_decref(question);
    return reply;
}

static void on_written(uv_write_t *write, int status)
{
    struct tg_control_peer *peer = write->data;
    free(peer->reply);
    peer->reply = NULL;
    if (status != 0) {
        drop(peer);
    } else if (!peer->closing) {
        advance(peer);
    }
}

static void advance(struct tg_control_peer *peer)
{
    size_t end = tg_span_find(tg_span(peer->line, peer->len), '\n');
    if (peer->reply != NULL || end == peer->len) {
        if (end == sizeof(peer->line)) {
            drop(peer);
        }
        return;
    }
    json_t *reply = answer(peer->control, peer->line, end);
    peer->len -= end + 1;
    memmove(peer->line, peer->line + end + 1, peer->len);
    peer->reply = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    if (peer->reply == NULL) {
        drop(peer);
        return;
    }
    uv_buf_t bufs[2] = {uv_buf_init(peer->reply, (unsigned int)strlen(peer->reply)), uv_buf_init((char *)"\n", 1)};
    peer->write.data = peer;
    if (uv_write(&peer->write, (uv_stream_t *)&peer->pipe, bufs, 2, on_written) != 0) {
        drop(peer);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tg_control_peer *peer = handle->data;
    (void)suggested;
    *buf = uv_buf_init(peer->line + peer->len, (unsigned int)(sizeof(peer->line) - peer->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct tg_control_peer *peer = stream->data;
    (void)buf;
    if (got < 0) {
        drop(peer);
    } else if (got > 0) {
        peer->len += (size_t)got;
        advance(peer);
    }
}

static bool may_speak(struct tg_control *control, uv_pipe_t *pipe)
{
    uv_os_fd_t fd;
    uid_t uid;
    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0 || tg_daemon_peer(fd, &uid, NULL) != TG_OK) {
        return false;
    }
    return uid == 0 || uid == control->starter || uid == geteuid();
}

static void on_accept(uv_stream_t *listener, int status)
{
    struct tg_control *control = listener->data;
    struct tg_control_peer *peer = status == 0 ? calloc(1, sizeof(*peer)) : NULL;
    if (peer == NULL) {
        return;
    }
    peer->control = control;
    peer->pipe.data = peer;
    uv_pipe_init(control->loop, &peer->pipe, 0);
    peer->after = control->peers;
    if (peer->after != NULL) {
        peer->after->before = peer;
    }
    control->peers = peer;
    control->count++;
    if (uv_accept(listener, (uv_stream_t *)&peer->pipe) != 0 || control->count > TG_CONTROL_CONNECTIONS_MAX ||
        !may_speak(control, &peer->pipe) || uv_read_start((uv_stream_t *)&peer->pipe, on_alloc, on_read) != 0) {
        drop(peer);
    }
}

enum tg_err tg_control_start(struct tg_control *ret, uv_loop_t *loop, int fd, uid_t starter, struct tg_server *server,
                             struct tg_webhook *webhook)
{
    *ret = (struct tg_control){.loop = loop, .server = server, .webhook = webhook, .starter = starter};
    ret->listener.data = ret;
    if (uv_pipe_init(loop, &ret->listener, 0) != 0 || uv_pipe_open(&ret->listener, fd) != 0 ||
        uv_listen((uv_stream_t *)&ret->listener, TG_CONTROL_CONNECTIONS_MAX, on_accept) != 0) {
        return TG_ERR_DOWN;
    }
    return TG_OK;
}

void tg_control_stop(struct tg_control *control)
{
    uv_close((uv_handle_t *)&control->listener, NULL);
    while (control->peers != NULL) {
        drop(control->peers);
    }
}
