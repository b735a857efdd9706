/*
 * server.c - one loop, many connections, one transaction a turn.
 *
 * Promises: see server.h.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"
#include "reply.h"

#define INPUT_BYTES_FIRST 4096
#define INPUT_BYTES_MAX (TG_HTTP_HEAD_BYTES_MAX + TG_HTTP_BODY_BYTES_MAX)
#define BACKLOG 511
#define SWEEP_MS 500
#define RELISTEN_MS 50 /* between tries when the port cannot be had back */

enum state {
    READING,  /* wants a request */
    WAITING,  /* slow_before: the request lies in the input, nothing done yet */
    ACTED,    /* in the batch: the reply waits for the commit */
    DELAYED,  /* slow: committed, the reply waits */
    STALLED,  /* committed, never answered */
    WRITING,  /* the reply is on its way */
    LINGERING /* all said; waits for the peer's end */
};

struct tg_connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct tg_server *server;
    struct tg_connection *before, *after;
    struct tg_connection *batch_next;
    enum state state;
    bool closing;
    bool waited; /* slow_before has had its wait */
    bool in_batch;
    bool ended;      /* nothing more is read: close after the reply */
    uint8_t handles; /* not closed yet */
    struct tg_fault fault;
    struct tg_reply reply;
    uint64_t deadline_ms;
    uint8_t *input;
    size_t len, cap;
};

static void advance(struct tg_connection *connection);

static void on_closed(uv_handle_t *handle)
{
    struct tg_connection *connection = handle->data;
    if (--connection->handles > 0) {
        return;
    }
    tg_reply_free(&connection->reply);
    free(connection->input);
    free(connection);
}

/* Leaves lists and closes. reset: the peer sees RST instead of FIN. */
static void drop(struct tg_connection *connection, bool reset)
{
    struct tg_server *server = connection->server;
    if (connection->closing) {
        return;
    }
    connection->closing = true;
    if (connection->after != NULL) {
        connection->after->before = connection->before;
    }
    if (connection->before != NULL) {
        connection->before->after = connection->after;
    } else {
        server->connections = connection->after;
    }
    server->count--;
    uv_close((uv_handle_t *)&connection->timer, on_closed);
    if (!reset || uv_tcp_close_reset(&connection->tcp, on_closed) != 0) {
        if (!uv_is_closing((uv_handle_t *)&connection->tcp)) {
            uv_close((uv_handle_t *)&connection->tcp, on_closed);
        }
    }
}

static void linger(struct tg_connection *connection)
{
    connection->state = LINGERING;
    connection->len = 0;
    connection->deadline_ms = uv_now(connection->server->loop) + TG_SERVER_LINGER_MS;
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, NULL) != 0) {
        drop(connection, false);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct tg_connection *connection = write->data;
    bool close = connection->reply.close || connection->ended;
    tg_reply_free(&connection->reply);
    if (connection->closing) {
        return;
    }
    if (status != 0) {
        drop(connection, false);
    } else if (close) {
        linger(connection);
    } else {
        connection->state = READING;
        connection->deadline_ms = uv_now(connection->server->loop) + TG_SERVER_IDLE_MS;
        advance(connection);
    }
}

static void send_reply(struct tg_connection *connection)
{
    uv_buf_t buf = uv_buf_init(connection->reply.bytes, (unsigned int)connection->reply.len);
    connection->state = WRITING;
    connection->deadline_ms = uv_now(connection->server->loop) + TG_SERVER_REQUEST_MS;
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buf, 1, on_written) != 0) {
        drop(connection, false);
    }
}

static void on_delay(uv_timer_t *timer)
{
    struct tg_connection *connection = timer->data;
    if (connection->closing) {
        return;
    }
    if (connection->state == DELAYED) {
        send_reply(connection);
    } else if (connection->state == WAITING) {
        connection->waited = true;
        connection->state = READING;
        advance(connection);
    }
}

/* After the commit: the reply, or what a fault makes of it. */
static void deliver(struct tg_connection *connection)
{
    if (connection->closing) {
        return;
    }
    switch (connection->fault.kind) {
    case TG_FAULT_RESET_AFTER_COMMIT:
        drop(connection, true);
        break;
    case TG_FAULT_STALL:
        connection->state = STALLED;
        break;
    case TG_FAULT_SLOW:
        connection->state = DELAYED;
        uv_timer_start(&connection->timer, on_delay, (uint64_t)connection->fault.delay_ms, 0);
        break;
    default:
        send_reply(connection);
        break;
    }
}

/* Answers may bring the next pipelined request, and so a next batch: until none is left. */
static void flush(struct tg_server *server)
{
    do {
        struct tg_connection *connection = server->batch_first;
        server->batch_first = NULL;
        server->batch_end = &server->batch_first;
        tg_database_commit(&server->service->database);
        while (connection != NULL) {
            struct tg_connection *next = connection->batch_next;
            connection->batch_next = NULL;
            connection->in_batch = false;
            deliver(connection);
            connection = next;
        }
    } while (server->batch_first != NULL);
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush(prepare->data);
}

static void on_check(uv_check_t *check)
{
    flush(check->data);
}

static void join_batch(struct tg_connection *connection)
{
    struct tg_server *server = connection->server;
    connection->state = ACTED;
    connection->in_batch = true;
    connection->batch_next = NULL;
    *server->batch_end = connection;
    server->batch_end = &connection->batch_next;
}

static void consume(struct tg_connection *connection, size_t size)
{
    connection->len -= size;
    memmove(connection->input, connection->input + size, connection->len);
}

/* One whole request lies at the start of the input. */
static void act(struct tg_connection *connection, const struct tg_http_request *http, size_t size)
{
    struct tg_server *server = connection->server;
    struct tg_call call;
    bool routed = tg_request_route(server->service, http, (int64_t)time(NULL), &call);
    bool waited = connection->waited;
    connection->waited = false;
    connection->fault = (struct tg_fault){.kind = TG_FAULT_NONE};
    if (routed && !waited) {
        connection->fault = tg_fault_take(&server->service->faults, call.operation);
    }
    enum tg_fault_kind kind = connection->fault.kind;
    if (kind != TG_FAULT_NONE) {
        tg_log_say(TG_LOG_WARNING, "fault", tg_fault_name(kind));
    }
    if (kind == TG_FAULT_SLOW_BEFORE) {
        connection->state = WAITING;
        uv_timer_start(&connection->timer, on_delay, (uint64_t)connection->fault.delay_ms, 0);
        tg_request_free(&call);
        return;
    }
    if (kind == TG_FAULT_RESET_BEFORE) {
        tg_request_free(&call);
        drop(connection, true);
        return;
    }
    server->requests++;
    if (tg_fault_is_before(kind)) {
        int status = kind == TG_FAULT_STATUS_500 ? 500 : kind == TG_FAULT_STATUS_503 ? 503 : 429;
        tg_request_fail(&call, status, "fault", "This was asked for by the control socket.");
    } else if (routed) {
        call.act(&call);
    }
    enum tg_err err = tg_reply_make(&call, kind, http->close || connection->ended, &connection->reply);
    tg_request_free(&call);
    consume(connection, size);
    if (err != TG_OK) {
        drop(connection, true);
        return;
    }
    join_batch(connection);
}

static void refuse(struct tg_connection *connection, int status)
{
    connection->len = 0;
    connection->fault = (struct tg_fault){.kind = TG_FAULT_NONE};
    if (tg_reply_refuse(status, &connection->reply) != TG_OK) {
        drop(connection, true);
        return;
    }
    send_reply(connection);
}

static void advance(struct tg_connection *connection)
{
    struct tg_http_request http;
    size_t size;
    int status;
    if (connection->state != READING || connection->len == 0) {
        return;
    }
    switch (tg_http_read(tg_span(connection->input, connection->len), &http, &size, &status)) {
    case TG_HTTP_MORE:
        if (connection->deadline_ms > uv_now(connection->server->loop) + TG_SERVER_REQUEST_MS) {
            connection->deadline_ms = uv_now(connection->server->loop) + TG_SERVER_REQUEST_MS;
        }
        break;
    case TG_HTTP_BAD:
        refuse(connection, status);
        break;
    case TG_HTTP_DONE:
        act(connection, &http, size);
        break;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tg_connection *connection = handle->data;
    (void)suggested;
    *buf = uv_buf_init(NULL, 0);
    if (connection->state == LINGERING) {
        connection->len = 0; /* read and thrown away */
    }
    if (connection->len == connection->cap && connection->cap < INPUT_BYTES_MAX) {
        size_t cap = connection->cap == 0 ? INPUT_BYTES_FIRST : connection->cap * 4;
        cap = cap > INPUT_BYTES_MAX ? INPUT_BYTES_MAX : cap;
        uint8_t *input = realloc(connection->input, cap);
        if (input == NULL) {
            return;
        }
        connection->input = input;
        connection->cap = cap;
    }
    *buf = uv_buf_init((char *)connection->input + connection->len, (unsigned int)(connection->cap - connection->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct tg_connection *connection = stream->data;
    (void)buf;
    if (connection->closing || got == 0) {
        return;
    }
    if (got < 0) {
        /* A peer that goes away while slow_before waits is charged all the same: that is the case that a gateway
           must survive. UV_ENOBUFS: more pipelined bytes than one request may have. */
        bool needed = connection->in_batch || connection->state == WRITING || connection->state == WAITING;
        connection->ended = true;
        uv_read_stop(stream);
        if (!needed) {
            drop(connection, false);
        }
        return;
    }
    connection->len += (size_t)got;
    advance(connection);
}

static void on_accept(uv_stream_t *listener, int status)
{
    struct tg_server *server = listener->data;
    struct tg_connection *connection = status == 0 ? calloc(1, sizeof(*connection)) : NULL;
    if (connection == NULL) {
        return;
    }
    connection->server = server;
    connection->handles = 2;
    connection->tcp.data = connection->timer.data = connection;
    uv_tcp_init(server->loop, &connection->tcp);
    uv_timer_init(server->loop, &connection->timer);
    connection->deadline_ms = uv_now(server->loop) + TG_SERVER_IDLE_MS;
    connection->after = server->connections;
    if (connection->after != NULL) {
        connection->after->before = connection;
    }
    server->connections = connection;
    server->count++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 || server->count > TG_SERVER_CONNECTIONS_MAX ||
        uv_tcp_nodelay(&connection->tcp, 1) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) != 0) {
        drop(connection, false);
    }
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static enum tg_err listen_now(struct tg_server *server)
{
    uv_tcp_t *listener = calloc(1, sizeof(*listener));
    if (listener == NULL || uv_tcp_init(server->loop, listener) != 0) {
        free(listener);
        return TG_ERR_DOWN;
    }
    listener->data = server;
    if (uv_tcp_bind(listener, (const struct sockaddr *)&server->address, 0) != 0 ||
        uv_listen((uv_stream_t *)listener, BACKLOG, on_accept) != 0) {
        uv_close((uv_handle_t *)listener, free_handle);
        return TG_ERR_DENIED;
    }
    server->listener = listener;
    return TG_OK;
}

static void on_relisten(uv_timer_t *timer)
{
    struct tg_server *server = timer->data;
    if (listen_now(server) != TG_OK) {
        uv_timer_start(timer, on_relisten, RELISTEN_MS, 0);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct tg_server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    struct tg_connection *next;
    for (struct tg_connection *connection = server->connections; connection != NULL; connection = next) {
        next = connection->after;
        bool timed = connection->state == READING || connection->state == WRITING || connection->state == LINGERING;
        if (timed && now_ms > connection->deadline_ms) {
            drop(connection, false);
        }
    }
}

enum tg_err tg_server_start(struct tg_server *ret, uv_loop_t *loop, struct tg_service *service,
                            const struct sockaddr_storage *address)
{
    *ret = (struct tg_server){.loop = loop, .service = service, .address = *address};
    ret->batch_end = &ret->batch_first;
    ret->prepare.data = ret->check.data = ret->sweep.data = ret->relisten.data = ret;
    uv_prepare_init(loop, &ret->prepare);
    uv_check_init(loop, &ret->check);
    uv_timer_init(loop, &ret->sweep);
    uv_timer_init(loop, &ret->relisten);
    enum tg_err err = listen_now(ret);
    if (err == TG_OK) {
        uv_prepare_start(&ret->prepare, on_prepare);
        uv_check_start(&ret->check, on_check);
        uv_timer_start(&ret->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
    return err;
}

static void stop_listening(struct tg_server *server)
{
    if (server->listener != NULL) {
        uv_close((uv_handle_t *)server->listener, free_handle);
        server->listener = NULL;
    }
}

void tg_server_refuse(struct tg_server *server, uint64_t delay_ms)
{
    struct tg_connection *next;
    stop_listening(server);
    for (struct tg_connection *connection = server->connections; connection != NULL; connection = next) {
        next = connection->after;
        if (connection->state == READING && connection->len == 0) {
            drop(connection, false);
        } else {
            connection->ended = true;
        }
    }
    uv_timer_start(&server->relisten, on_relisten, delay_ms == 0 ? TG_SERVER_REFUSE_MS : delay_ms, 0);
}

void tg_server_stop(struct tg_server *server)
{
    flush(server);
    stop_listening(server);
    while (server->connections != NULL) {
        drop(server->connections, false);
    }
    uv_close((uv_handle_t *)&server->prepare, NULL);
    uv_close((uv_handle_t *)&server->check, NULL);
    uv_close((uv_handle_t *)&server->sweep, NULL);
    uv_close((uv_handle_t *)&server->relisten, NULL);
}
