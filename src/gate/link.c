/*
 * link.c - the connection: made, greeted, written, read, lost and made again.
 */
#include "gate/link.h"

#include "crypto/crypto.h"
#include "gate/auth.h"
#include "gate/late.h"
#include "gate/slot.h"
#include "gate/zone.h"

/* Between two tries to connect while something waits: doubled from the first to the second. */
#define TG_LINK_RETRY_MIN_MS 5
#define TG_LINK_RETRY_MAX_MS 50

/* Frames that go out in one send, beside the largest one. */
#define TG_LINK_OUTPUT_BYTES (64u * 1024u)

/* Input begins small; a replayed answer makes it grow up to the largest frame. */
#define TG_LINK_INPUT_BYTES (16u * 1024u)

struct tg_link {
    const ngx_addr_t *keeper;
    ngx_connection_t *connection; /* NULL: no link */
    struct tg_buf out;
    size_t sent; /* of out */
    uint8_t *in;
    size_t in_bytes;
    size_t in_cap;
    ngx_event_t retry;
    ngx_msec_t retry_ms;
    ngx_msec_t tried_ms; /* when the last try to connect failed */
    bool failed;         /* the last try failed: said once in the log */
    bool greeted;        /* the keeper has answered HELLO on this connection */
    bool reading;        /* frames are being delivered: the link is not closed under them */
    bool broken;         /* to be closed when delivery ends */
    bool late;           /* made anew: late outcomes are to be said once more (late.h) */
    uint8_t boot_id[16];
};

static struct tg_link tg_link;

static void tg_link_write(void);

static void tg_link_close(void)
{
    ngx_connection_t *connection = tg_link.connection;

    tg_link.connection = NULL;
    tg_wipe(tg_link.in, tg_link.in_bytes);
    tg_link.in_bytes = 0;
    tg_link.out.len = 0;
    tg_link.out.over = false;
    tg_link.sent = 0;
    tg_gate_auth_flush();
    if (connection != NULL) {
        ngx_close_connection(connection);
    }
}

/* Something is to be said to a keeper that is not there. */
static bool tg_link_waited_for(void)
{
    return tg_gate_slot_next() != NULL || tg_gate_late_first().len > 0;
}

static void tg_link_retry_later(void)
{
    if (!tg_link.retry.timer_set) {
        ngx_add_timer(&tg_link.retry, tg_link.retry_ms);
        tg_link.retry_ms = ngx_min(tg_link.retry_ms * 2, TG_LINK_RETRY_MAX_MS);
    }
}

static void tg_link_lost(const char *why)
{
    ngx_uint_t waiting;

    if (tg_link.connection == NULL) {
        return;
    }
    if (tg_link.reading) {
        tg_link.broken = true;
        return;
    }
    tg_link_close();
    tg_gate_count(TG_METRIC_LINK_DOWN);
    waiting = tg_gate_slot_requeue_all();
    if (tg_link.greeted || !tg_link.failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "tollgate: link to the keeper lost: %s; %ui questions wait", why,
                      waiting);
    }
    tg_link.failed = true;
    tg_link.tried_ms = ngx_current_msec;
    if (waiting > 0 || tg_link_waited_for()) {
        tg_link_retry_later();
    }
}

/* ---- reading ---- */

static bool tg_link_deliver(const struct tg_frame *frame)
{
    struct tg_gate_slot *slot;
    struct tg_gate_question question;
    struct tg_hello hello;
    ngx_msec_t deadline;
    ngx_msec_int_t left;
    bool bad;

    if (frame->type == TG_FRAME_HELLO_ANSWER) {
        tg_link.greeted = tg_hello_read(frame->body, &hello) == TG_OK && hello.protocol == TG_FRAME_VERSION;
        tg_link.failed = !tg_link.greeted;
        tg_link.retry_ms = TG_LINK_RETRY_MIN_MS;
        return tg_link.greeted;
    }
    if (frame->type == TG_FRAME_FLUSH) {
        tg_gate_auth_flush();
        tg_gate_count(TG_METRIC_AUTH_FLUSHED);
        return true;
    }
    slot = tg_gate_slot_find(frame, &bad);
    if (slot == NULL) {
        if (!bad) {
            tg_gate_count(TG_METRIC_LATE_ANSWER);
        }
        return !bad;
    }
    question = slot->question;
    deadline = slot->deadline.timer.key;
    tg_gate_slot_rest(slot);
    if (slot->answered(slot, frame)) {
        return true;
    }
    /* Not understood: the same question again on another link, with what is left of its time. */
    left = (ngx_msec_int_t)(deadline - ngx_current_msec);
    slot->question = question;
    tg_gate_slot_ask(slot, left > 0 ? (ngx_msec_t)left : 1, slot->answered);
    return false;
}

/* Reads whole frames from the front of the input; false: the keeper broke the protocol. */
static bool tg_link_frames(void)
{
    size_t used_all = 0;
    bool ok = true;

    while (ok && !tg_link.broken) {
        struct tg_frame frame;
        size_t used;
        enum tg_err err =
            tg_frame_read(TG_ROLE_KEEPER, tg_span(tg_link.in + used_all, tg_link.in_bytes - used_all), &frame, &used);

        if (err == TG_ERR_ROOM) {
            break;
        }
        ok = err == TG_OK && tg_link_deliver(&frame);
        if (err == TG_OK) {
            tg_wipe(tg_link.in + used_all, used);
            used_all += used;
        }
    }
    if (used_all > 0) {
        size_t left = tg_link.in_bytes - used_all;

        ngx_memmove(tg_link.in, tg_link.in + used_all, left);
        tg_wipe(tg_link.in + left, used_all);
        tg_link.in_bytes = left;
    }
    return ok;
}

/* Room for at least one more byte; more when a frame is known to be larger. */
static bool tg_link_input_room(void)
{
    struct tg_frame frame;
    size_t need = 0;
    uint8_t *larger;

    if (tg_link.in_bytes < tg_link.in_cap) {
        return true;
    }
    (void)(tg_frame_read(TG_ROLE_KEEPER, tg_span(tg_link.in, tg_link.in_bytes), &frame, &need) == TG_OK);
    if (need <= tg_link.in_cap) {
        need = tg_link.in_cap + TG_LINK_INPUT_BYTES;
    }
    if (need > TG_FRAME_BODY_BYTES_MAX + TG_FRAME_HEADER_BYTES) {
        return false;
    }
    larger = ngx_alloc(need, ngx_cycle->log);
    if (larger == NULL) {
        return false;
    }
    ngx_memcpy(larger, tg_link.in, tg_link.in_bytes);
    tg_wipe(tg_link.in, tg_link.in_cap);
    ngx_free(tg_link.in);
    tg_link.in = larger;
    tg_link.in_cap = need;
    return true;
}

static void tg_link_read(ngx_event_t *event)
{
    ngx_connection_t *connection = event->data;
    const char *why = NULL;

    if (connection->close) {
        /* ngx_close_idle_connections: this worker leaves, and nobody waits. */
        tg_link_close();
        return;
    }
    tg_link.reading = true;
    tg_link.broken = false;
    while (why == NULL) {
        ssize_t n;

        if (!tg_link_input_room()) {
            why = "no room for an answer";
            break;
        }
        n = connection->recv(connection, tg_link.in + tg_link.in_bytes, tg_link.in_cap - tg_link.in_bytes);
        if (n == NGX_AGAIN) {
            break;
        }
        if (n <= 0) {
            why = n == 0 ? "the keeper closed it" : "read error";
            break;
        }
        tg_link.in_bytes += (size_t)n;
        if (!tg_link_frames() || tg_link.broken) {
            why = "an answer breaks the protocol";
        }
    }
    tg_link.reading = false;
    if (why == NULL && ngx_handle_read_event(event, 0) != NGX_OK) {
        why = "event error";
    }
    if (why != NULL) {
        tg_link_lost(why);
        return;
    }
    tg_link_write();
    if (tg_gate_slots_used() == 0) {
        tg_gate_link_idle();
    }
}

/* ---- writing ---- */

/* After the questions: callers wait for those. */
static void tg_link_fill_late(void)
{
    struct tg_span frame;

    while (tg_link.late && tg_link.out.cap - tg_link.out.len >= (frame = tg_gate_late_first()).len) {
        tg_link.late = frame.len > 0;
        tg_buf_put(&tg_link.out, frame);
        tg_gate_late_drop();
    }
}

/* Encodes what waits while there is room. */
static void tg_link_fill(void)
{
    struct tg_gate_slot *slot;

    while ((slot = tg_gate_slot_next()) != NULL) {
        size_t start = tg_link.out.len;

        if (tg_link.out.cap - start < tg_gate_slot_size(slot)) {
            if (start > 0) {
                return;
            }
        }
        tg_gate_slot_write(slot, &tg_link.out);
        tg_gate_slot_written(slot);
        if (tg_buf_done(&tg_link.out) != TG_OK) {
            /* Cannot be, by the sizes above: the question will meet its deadline, closed. */
            tg_link.out.len = start;
            tg_link.out.over = false;
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "tollgate: a question does not fit the link's output");
        }
    }
}

/*
 * Room to write is asked for while something waits to leave, and only then. nginx asks for it from the connect on, and
 * then the kernel wakes an idle worker each time that the keeper reads, only to say that there is room.
 */
static bool tg_link_watch(ngx_event_t *event)
{
    if ((ngx_event_flags & NGX_USE_CLEAR_EVENT) && event->active && event->ready) {
        return ngx_del_event(event, NGX_WRITE_EVENT, NGX_CLEAR_EVENT) == NGX_OK;
    }
    return ngx_handle_write_event(event, 0) == NGX_OK;
}

static void tg_link_write(void)
{
    ngx_connection_t *connection = tg_link.connection;

    while (connection != NULL) {
        ssize_t n;

        tg_link_fill();
        tg_link_fill_late();
        if (tg_link.out.len == tg_link.sent) {
            break;
        }
        n = connection->send(connection, tg_link.out.ptr + tg_link.sent, tg_link.out.len - tg_link.sent);
        if (n == NGX_ERROR) {
            tg_link_lost("write error");
            return;
        }
        if (n == NGX_AGAIN) {
            break;
        }
        tg_link.sent += (size_t)n;
        if (tg_link.sent == tg_link.out.len) {
            tg_link.out.len = 0;
            tg_link.sent = 0;
        }
    }
    if (tg_link.sent > 0) {
        tg_link.out.len -= tg_link.sent;
        ngx_memmove(tg_link.out.ptr, tg_link.out.ptr + tg_link.sent, tg_link.out.len);
        tg_link.sent = 0;
    }
    if (connection != NULL && !tg_link_watch(connection->write)) {
        tg_link_lost("event error");
    }
}

static void tg_link_write_event(ngx_event_t *event)
{
    (void)event;
    tg_link_write();
}

/* ---- connecting ---- */

static void tg_link_begin(ngx_connection_t *connection)
{
    struct tg_hello hello = {.protocol = TG_FRAME_VERSION, .pid = (uint32_t)ngx_pid};

    ngx_memcpy(hello.boot_id, tg_link.boot_id, sizeof(hello.boot_id));
    connection->data = connection;
    connection->log = ngx_cycle->log;
    connection->read->log = ngx_cycle->log;
    connection->write->log = ngx_cycle->log;
    connection->log_error = NGX_ERROR_ERR;
    connection->read->handler = tg_link_read;
    connection->write->handler = tg_link_write_event;
    connection->idle = tg_gate_slots_used() == 0;
    tg_link.connection = connection;
    tg_link.greeted = false;
    tg_link.late = true;
    tg_hello_write(&tg_link.out, TG_FRAME_HELLO, &hello);
    (void)tg_gate_slot_requeue_all();
    tg_gate_count(TG_METRIC_LINK_UP);
}

static bool tg_link_connect(void)
{
    /* A keeper that is down would fill the error log at every try: the connector's own lines are silenced. */
    ngx_log_t quiet = *ngx_cycle->log;
    ngx_peer_connection_t peer;
    ngx_int_t rc;

    quiet.log_level = NGX_LOG_EMERG;
    ngx_memzero(&peer, sizeof(peer));
    peer.sockaddr = tg_link.keeper->sockaddr;
    peer.socklen = tg_link.keeper->socklen;
    peer.name = (ngx_str_t *)&tg_link.keeper->name;
    peer.get = ngx_event_get_peer;
    peer.log = &quiet;
    peer.log_error = NGX_ERROR_ERR;
    rc = ngx_event_connect_peer(&peer);
    if (rc == NGX_OK) {
        tg_link_begin(peer.connection);
        return true;
    }
    if (peer.connection != NULL) {
        /* A connect that is under way: unix sockets do not do that. */
        ngx_close_connection(peer.connection);
    }
    if (!tg_link.failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "tollgate: the keeper at %V cannot be reached",
                      &tg_link.keeper->name);
    }
    tg_link.failed = true;
    tg_link.tried_ms = ngx_current_msec;
    return false;
}

static void tg_link_retry(ngx_event_t *event)
{
    (void)event;
    if (tg_link.connection != NULL || !tg_link_waited_for()) {
        return;
    }
    if (tg_link_connect()) {
        tg_link_write();
        return;
    }
    tg_link_retry_later();
}

bool tg_gate_link_ready(void)
{
    if (tg_link.connection != NULL) {
        return true;
    }
    if (tg_link.keeper == NULL || (tg_link.failed && ngx_current_msec - tg_link.tried_ms < TG_LINK_RETRY_MIN_MS)) {
        return false;
    }
    if (!tg_link_connect()) {
        return false;
    }
    tg_gate_link_push();
    return true;
}

void tg_gate_link_push(void)
{
    if (tg_link.connection == NULL) {
        tg_link_retry_later();
        return;
    }
    /* All questions of one turn of the event loop leave in one send. */
    ngx_post_event(tg_link.connection->write, &ngx_posted_events);
}

void tg_gate_link_busy(void)
{
    if (tg_link.connection != NULL) {
        tg_link.connection->idle = 0;
    }
}

void tg_gate_link_idle(void)
{
    if (tg_link.connection == NULL) {
        return;
    }
    tg_link.connection->idle = 1;
    if (ngx_exiting && !tg_link.reading) {
        tg_link_write();
        tg_link_close();
    }
}

bool tg_gate_link_note(const struct tg_note *note)
{
    size_t start = tg_link.out.len;

    if (!tg_gate_link_ready() || tg_link.out.cap - start < TG_SMALL_FRAME_BYTES_MAX) {
        tg_gate_count(TG_METRIC_NOTE_LOST);
        return false;
    }
    tg_note_write(&tg_link.out, note);
    if (tg_buf_done(&tg_link.out) != TG_OK) {
        tg_link.out.len = start;
        tg_link.out.over = false;
        tg_gate_count(TG_METRIC_NOTE_LOST);
        return false;
    }
    tg_gate_link_push();
    return true;
}

bool tg_gate_link_up(void)
{
    return tg_link.connection != NULL;
}

ngx_uint_t tg_gate_link_slots_used(void)
{
    return tg_gate_slots_used();
}

ngx_int_t tg_gate_link_init(ngx_cycle_t *cycle, const ngx_addr_t *keeper, size_t bytes)
{
    size_t cap = bytes + TG_LINK_OUTPUT_BYTES;

    tg_link.keeper = keeper;
    tg_link.out = tg_buf(ngx_palloc(cycle->pool, cap), cap);
    tg_link.in = ngx_alloc(TG_LINK_INPUT_BYTES, cycle->log);
    tg_link.in_cap = TG_LINK_INPUT_BYTES;
    tg_link.retry_ms = TG_LINK_RETRY_MIN_MS;
    tg_link.retry.handler = tg_link_retry;
    tg_link.retry.data = &tg_link.retry;
    tg_link.retry.log = cycle->log;
    /* The slots' deadlines keep a leaving worker; this timer serves only them. */
    tg_link.retry.cancelable = 1;
    if (tg_link.out.ptr == NULL || tg_link.in == NULL || tg_random(tg_link.boot_id, sizeof(tg_link.boot_id)) != TG_OK) {
        return NGX_ERROR;
    }
    return NGX_OK;
}

void tg_gate_link_exit(void)
{
    if (tg_link.connection != NULL) {
        tg_link_write();
        tg_link_close();
    }
}
