/*
 * sealer_link.c - connect, ask, take, connect again.
 *
 * Promises: as sealer_link.h. A frame that the sealer's side of the wire would not write ends the link.
 * Does not: hold more than one frame in each direction.
 */
#include "keeper/sealer_link.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "daemon/log.h"

#include "base/banned.h"

#define FRAME_BYTES_MAX (TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX)
/* Results of sealing are longer than their works by a tag and a nonce: their frame must fit too. */
#define REQUEST_BYTES_MAX (FRAME_BYTES_MAX - TG_SEAL_WORKS_MAX * 64u)
/* Single asks leave room for the largest work of a batch in the same frame. */
#define ASKS_BYTES_MAX (2u * 1024u * 1024u)

static void connect_now(struct tg_sealer_link *sealer);

static void give_all(struct tg_sealer_link *sealer, uint8_t status)
{
    size_t count = sealer->sink_count;
    sealer->sink_count = 0;
    sealer->asked = false;
    for (size_t i = 0; i < count; i++) {
        sealer->sinks[i].take(sealer->sinks[i].user, status, tg_span(NULL, 0));
    }
    void (*after)(void *) = sealer->after;
    sealer->after = NULL;
    if (after != NULL) {
        after(sealer->after_user);
    }
}

static void free_ask(struct tg_sealer_link *sealer, struct tg_sealer_ask *ask)
{
    sealer->ask_bytes -= ask->input_len;
    tg_wipe(ask->bytes, ask->aad_len + ask->input_len);
    free(ask);
}

/* Ends the asks that may not wait any longer; at now_us 0 all that are not patient. */
static void lose_asks(struct tg_sealer_link *sealer, int64_t now_us, bool all)
{
    struct tg_sealer_ask *ask = sealer->asks;
    sealer->asks = NULL;
    sealer->asks_tail = &sealer->asks;
    struct tg_sealer_ask *lost = NULL;
    while (ask != NULL) {
        struct tg_sealer_ask *next = ask->next;
        bool waits =
            now_us == 0 ? ask->patient_until_us != 0 : ask->patient_until_us == 0 || ask->patient_until_us > now_us;
        if (waits && !all) {
            ask->next = NULL;
            *sealer->asks_tail = ask;
            sealer->asks_tail = &ask->next;
        } else {
            ask->next = lost;
            lost = ask;
        }
        ask = next;
    }
    while (lost != NULL) {
        ask = lost;
        lost = ask->next;
        ask->sink.take(ask->sink.user, TG_SEALER_LOST, tg_span(NULL, 0));
        free_ask(sealer, ask);
    }
}

void tg_sealer_tick(struct tg_sealer_link *sealer, int64_t now_us)
{
    if (sealer->asks != NULL && !sealer->ready) {
        lose_asks(sealer, now_us, false);
    }
}

void tg_sealer_gone(struct tg_sealer_link *sealer, const char *why)
{
    if (!sealer->open) {
        return;
    }
    if (sealer->ready && !sealer->ending) {
        tg_log_say(TG_LOG_WARNING, "sealer_lost", why);
    }
    sealer->open = false;
    sealer->port->close(sealer);
    sealer->connected = sealer->ready = false;
    sealer->keyed = sealer->named = sealer->met_waits = sealer->foreign = false;
    tg_wipe(sealer->in, sealer->in_len);
    sealer->in_len = 0;
    give_all(sealer, TG_SEALER_LOST);
    lose_asks(sealer, 0, sealer->ending);
    if (!sealer->ending) {
        sealer->port->timer(sealer, TG_SEALER_RETRY_MS);
        sealer->changed(sealer->user);
    }
}

void tg_sealer_timeout(struct tg_sealer_link *sealer)
{
    if (!sealer->open) {
        connect_now(sealer);
    } else if (sealer->asked || !sealer->connected) {
        tg_sealer_gone(sealer, "no answer in time");
    }
}

/* Hands each result of an answer to its sink. */
static enum tg_err take_answer(struct tg_sealer_link *sealer, const struct tg_frame *frame)
{
    struct tg_cursor cursor = tg_cursor(frame->body);
    uint16_t count = 0;
    if (!sealer->asked || frame->type != TG_FRAME_SEAL_ANSWER || frame->turn != sealer->turn ||
        tg_seal_read_count(&cursor, &count) != TG_OK || count != sealer->sink_count) {
        return TG_ERR_INPUT;
    }
    /* All of it is read once before any of it is believed. */
    struct tg_cursor rehearsal = cursor;
    for (size_t i = 0; i < count; i++) {
        struct tg_seal_result result;
        enum tg_err err = tg_seal_read_result(&rehearsal, &result);
        if (err != TG_OK) {
            return err;
        }
    }
    enum tg_err err = tg_cursor_done(&rehearsal);
    if (err != TG_OK) {
        return err;
    }
    sealer->sink_count = 0;
    sealer->port->timer(sealer, 0);
    for (size_t i = 0; i < count; i++) {
        struct tg_seal_result result;
        if (tg_seal_read_result(&cursor, &result) == TG_OK) {
            sealer->sinks[i].take(sealer->sinks[i].user, result.status, result.output);
        }
    }
    sealer->asked = false;
    void (*after)(void *) = sealer->after;
    sealer->after = NULL;
    if (after != NULL) {
        after(sealer->after_user);
    }
    return TG_OK;
}

uint8_t *tg_sealer_room_in(struct tg_sealer_link *sealer, size_t *room)
{
    *room = sealer->in_cap - sealer->in_len;
    return sealer->in + sealer->in_len;
}

void tg_sealer_received(struct tg_sealer_link *sealer, size_t count)
{
    sealer->in_len += count;
    struct tg_frame frame;
    size_t used;
    enum tg_err err = tg_frame_read(TG_ROLE_SEALER, tg_span(sealer->in, sealer->in_len), &frame, &used);
    if (err == TG_ERR_ROOM) {
        return;
    }
    /* One frame on its way: nothing may stand behind its answer. */
    if (err != TG_OK || used != sealer->in_len || take_answer(sealer, &frame) != TG_OK) {
        tg_sealer_gone(sealer, "broken frame");
        return;
    }
    tg_wipe(sealer->in, sealer->in_len);
    sealer->in_len = 0;
    if (sealer->ready) {
        sealer->changed(sealer->user);
    } else if (sealer->keyed && sealer->named) {
        sealer->met_waits = true;
        sealer->met(sealer->user);
    } else {
        tg_sealer_gone(sealer, "not ready");
    }
}

void tg_sealer_accept(struct tg_sealer_link *sealer)
{
    sealer->met_waits = false;
    sealer->ready = true;
    tg_log_say(TG_LOG_INFO, "sealer_ready", "connected");
    sealer->changed(sealer->user);
}

void tg_sealer_refuse(struct tg_sealer_link *sealer)
{
    sealer->met_waits = false;
    sealer->foreign = true;
    tg_log_say(TG_LOG_ERROR, "sealer_foreign",
               "this store belongs to another sealer: with these keys its claims would not be known again");
}

static void take_segment_key(void *user, uint8_t status, struct tg_span output)
{
    (void)output;
    struct tg_sealer_link *sealer = user;
    if (status == TG_SEALER_LOST) {
        return;
    }
    if (status != TG_SEAL_DONE) {
        if (!sealer->complained) {
            tg_log_say(TG_LOG_ERROR, "sealer_refuses", "the open segment's key could not be made");
        }
        sealer->complained = true;
        return;
    }
    sealer->complained = false;
    sealer->keyed = true;
}

static void take_public(void *user, uint8_t status, struct tg_span output)
{
    struct tg_sealer_link *sealer = user;
    if (status == TG_SEAL_DONE && output.len == sizeof(sealer->public_key)) {
        memcpy(sealer->public_key, output.ptr, output.len);
        sealer->named = true;
    }
}

static void take_guard(void *user, uint8_t status, struct tg_span output)
{
    struct tg_sealer_link *sealer = user;
    struct tg_buf guard = tg_buf(sealer->guard, sizeof(sealer->guard) - 1);
    tg_buf_put(&guard, tg_span_sub(output, 0, status == TG_SEAL_DONE ? guard.cap : 0));
    sealer->guard[guard.len] = '\0';
}

/* A frame without the asks that wait. */
static void begin_frame(struct tg_sealer_link *sealer)
{
    sealer->out.len = 0;
    sealer->out.over = false;
    sealer->sink_count = 0;
    sealer->turn++;
    tg_seal_begin(&sealer->writer, &sealer->out, TG_FRAME_SEAL, 0, sealer->turn);
}

void tg_sealer_connected(struct tg_sealer_link *sealer, bool connected)
{
    if (!connected) {
        tg_sealer_gone(sealer, "no connection");
        return;
    }
    sealer->connected = true;
    sealer->port->timer(sealer, 0);
    sealer->made = sealer->segment(sealer->user);
    struct tg_seal_work make = {.operation = TG_SEAL_KEY_MAKE, .key = TG_SEAL_KEY_SEGMENT + sealer->made};
    begin_frame(sealer); /* who it is comes first: what waits is for the store's own sealer alone */
    struct tg_seal_work name = {.operation = TG_SEAL_PUBLIC, .key = TG_SEAL_KEY_RECORD};
    struct tg_seal_work guard = {.operation = TG_SEAL_GUARD};
    tg_sealer_add(sealer, &make, take_segment_key, sealer);
    tg_sealer_add(sealer, &name, take_public, sealer);
    tg_sealer_add(sealer, &guard, take_guard, sealer);
    tg_sealer_send(sealer, NULL, NULL);
}

static void connect_now(struct tg_sealer_link *sealer)
{
    sealer->open = true;
    sealer->port->timer(sealer, TG_SEALER_ANSWER_MS);
    if (!sealer->port->connect(sealer)) {
        sealer->open = false;
        sealer->port->timer(sealer, TG_SEALER_RETRY_MS);
    }
}

enum tg_err tg_sealer_start(struct tg_sealer_link *sealer)
{
    sealer->out = tg_buf(malloc(FRAME_BYTES_MAX), FRAME_BYTES_MAX);
    sealer->in_cap = FRAME_BYTES_MAX;
    sealer->in = malloc(sealer->in_cap);
    sealer->asks_tail = &sealer->asks;
    if (sealer->out.ptr == NULL || sealer->in == NULL) {
        return TG_ERR_ROOM;
    }
    connect_now(sealer);
    return TG_OK;
}

void tg_sealer_stop(struct tg_sealer_link *sealer)
{
    sealer->ending = true;
    tg_sealer_gone(sealer, "ending");
    lose_asks(sealer, 0, true);
    sealer->port->timer(sealer, 0);
}

bool tg_sealer_idle(const struct tg_sealer_link *sealer)
{
    return sealer->ready && !sealer->asked && !sealer->writing;
}

bool tg_sealer_room(const struct tg_sealer_link *sealer, size_t works, size_t bytes)
{
    return sealer->sink_count + works <= TG_SEAL_WORKS_MAX && sealer->out.len + bytes <= REQUEST_BYTES_MAX;
}

void tg_sealer_add(struct tg_sealer_link *sealer, const struct tg_seal_work *work, tg_sealer_take *take, void *user)
{
    tg_seal_add_work(&sealer->writer, work);
    sealer->sinks[sealer->sink_count++] = (struct tg_sealer_sink){take, user};
}

void tg_sealer_begin(struct tg_sealer_link *sealer)
{
    begin_frame(sealer);
    while (sealer->asks != NULL) {
        struct tg_sealer_ask *ask = sealer->asks;
        struct tg_seal_work work = {ask->operation, ask->key, tg_span(ask->bytes, ask->aad_len),
                                    tg_span(ask->bytes + ask->aad_len, ask->input_len)};
        size_t size = tg_seal_work_size(&work);
        if (sealer->sink_count > 0 && (sealer->out.len + size > ASKS_BYTES_MAX || !tg_sealer_room(sealer, 1, size))) {
            break;
        }
        tg_sealer_add(sealer, &work, ask->sink.take, ask->sink.user);
        sealer->asks = ask->next;
        if (sealer->asks == NULL) {
            sealer->asks_tail = &sealer->asks;
        }
        free_ask(sealer, ask);
    }
}

void tg_sealer_written(struct tg_sealer_link *sealer, bool sent, bool here)
{
    tg_wipe(sealer->out.ptr, sealer->out.len);
    sealer->writing = false;
    if (!sent && here) {
        tg_sealer_gone(sealer, "not written");
    } else if (!sealer->ending) {
        sealer->changed(sealer->user);
    }
}

void tg_sealer_send(struct tg_sealer_link *sealer, void (*after)(void *user), void *user)
{
    if (sealer->sink_count == 0) {
        return;
    }
    tg_seal_end(&sealer->writer);
    sealer->after = after;
    sealer->after_user = user;
    sealer->asked = true;
    sealer->writing = true;
    enum tg_sealer_sent sent = TG_SEALER_NOT_SENT;
    if (tg_buf_done(&sealer->out) == TG_OK) {
        sent = sealer->port->send(sealer, tg_buf_span(&sealer->out));
    }
    if (sent == TG_SEALER_NOT_SENT) {
        sealer->writing = false;
        tg_sealer_gone(sealer, "not sent");
        return;
    }
    if (sent == TG_SEALER_SENT) {
        tg_wipe(sealer->out.ptr, sealer->out.len);
        sealer->writing = false;
    }
    sealer->port->timer(sealer, TG_SEALER_ANSWER_MS);
}

void tg_sealer_ask(struct tg_sealer_link *sealer, const struct tg_seal_work *work, int64_t patient_until_us,
                   tg_sealer_take *take, void *user)
{
    struct tg_sealer_ask *ask = NULL;
    if (!sealer->ending && (sealer->ready || patient_until_us != 0)) {
        ask = malloc(sizeof(*ask) + work->aad.len + work->input.len);
    }
    if (ask == NULL) {
        take(user, TG_SEALER_LOST, tg_span(NULL, 0));
        return;
    }
    *ask = (struct tg_sealer_ask){.sink = {take, user},
                                  .patient_until_us = patient_until_us,
                                  .operation = work->operation,
                                  .key = work->key,
                                  .aad_len = work->aad.len,
                                  .input_len = work->input.len};
    if (work->aad.len > 0) {
        memcpy(ask->bytes, work->aad.ptr, work->aad.len);
    }
    if (work->input.len > 0) {
        memcpy(ask->bytes + work->aad.len, work->input.ptr, work->input.len);
    }
    *sealer->asks_tail = ask;
    sealer->asks_tail = &ask->next;
    sealer->ask_bytes += work->input.len;
}
