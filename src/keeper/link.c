/*
 * link.c - streams of frames.
 *
 * Promises: as link.h.
 * Does not: keep a closed link's questions from being decided: the truth of a SETTLE outlives its asker.
 */
#include "keeper/link.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "daemon/log.h"
#include "keeper/keeper.h"

#include "base/banned.h"

#define INPUT_BYTES 65536
#define OUTPUT_BYTES 16384
/* A buffer that grew beyond this for a slow reader is given back. */
#define OUTPUT_KEPT_BYTES (1024u * 1024u)

static void read_frames(struct tg_link *link);

static void free_buf(struct tg_buf *buf)
{
    tg_wipe(buf->ptr, buf->len);
    free(buf->ptr);
    *buf = (struct tg_buf){0};
}

static void free_when_done(struct tg_link *link)
{
    if (!link->closed || link->waiting > 0) {
        return;
    }
    *(link->role == TG_ROLE_GATE ? &link->keeper->gate_links : &link->keeper->admin_links) -= 1;
    tg_wipe(link->in, link->in_len);
    free(link->in);
    free_buf(&link->out);
    free_buf(&link->sending);
    free(link);
}

void tg_link_closed(struct tg_link *link)
{
    link->closed = true;
    free_when_done(link);
}

void tg_link_close(struct tg_link *link)
{
    if (link->closing) {
        return;
    }
    link->closing = true;
    *link->previous = link->next;
    if (link->next != NULL) {
        link->next->previous = link->previous;
    }
    if (link->dirty) {
        struct tg_link **at = &link->keeper->dirty;
        while (*at != link) {
            at = &(*at)->dirty_next;
        }
        *at = link->dirty_next;
        link->dirty = false;
    }
    if (link->on_gone != NULL) {
        link->on_gone(link);
    }
    link->port->close(link);
}

/* Makes room for `need` bytes of input in all; the old copy is wiped. */
static bool grow_input(struct tg_link *link, size_t need)
{
    if (need <= link->in_cap) {
        return true;
    }
    uint8_t *in = malloc(need);
    if (in == NULL) {
        return false;
    }
    if (link->in_len > 0) {
        memcpy(in, link->in, link->in_len);
        tg_wipe(link->in, link->in_len);
    }
    free(link->in);
    link->in = in;
    link->in_cap = need;
    return true;
}

uint8_t *tg_link_room_in(struct tg_link *link, size_t *room)
{
    *room = link->in_cap - link->in_len;
    return link->in + link->in_len;
}

void tg_link_received(struct tg_link *link, size_t count)
{
    link->in_len += count;
    read_frames(link);
}

/* Forgets the first `used` bytes of input. */
static void drop_input(struct tg_link *link, size_t used)
{
    size_t rest = link->in_len - used;
    memmove(link->in, link->in + used, rest);
    tg_wipe(link->in + rest, used);
    link->in_len = rest;
}

static void read_frames(struct tg_link *link)
{
    size_t at = 0;
    size_t need = 0;
    link->reading = true;
    while (!link->paused && !link->closing) {
        struct tg_frame frame;
        size_t used;
        enum tg_err err =
            tg_frame_read((enum tg_role)link->role, tg_span(link->in + at, link->in_len - at), &frame, &used);
        if (err == TG_ERR_ROOM) {
            need = used;
            break;
        }
        if (err != TG_OK || !link->on_frame(link, &frame)) {
            link->keeper->metrics.frames_bad++;
            tg_link_close(link);
            break;
        }
        at += used;
    }
    link->reading = false;
    if (link->closing) {
        return;
    }
    drop_input(link, at);
    if (need < INPUT_BYTES && link->in_cap > INPUT_BYTES && link->in_len == 0) {
        free(link->in);
        link->in = malloc(INPUT_BYTES);
        link->in_cap = link->in == NULL ? 0 : INPUT_BYTES;
    }
    if (!grow_input(link, need > INPUT_BYTES ? need : INPUT_BYTES)) {
        tg_link_close(link);
    }
}

void tg_link_pause(struct tg_link *link)
{
    if (!link->paused && !link->closing) {
        link->paused = true;
        (void)link->port->listen(link, false);
    }
}

void tg_link_resume(struct tg_link *link)
{
    if (link->paused && !link->closing) {
        link->paused = false;
        if (!link->reading) {
            read_frames(link);
        }
        if (!link->paused && !link->closing && link->keeper->ending_since_us == 0) {
            (void)link->port->listen(link, true);
        }
    }
}

void tg_link_bind(struct tg_link *link, struct tg_question *question)
{
    question->link = link;
    link->waiting++;
    if (question->kind == TG_QUESTION_SETTLE) {
        link->settles++;
        link->settle_bytes += question->body_len;
        if (link->settle_bytes > TG_LINK_SETTLE_BYTES_MAX) {
            tg_link_pause(link);
        }
    }
}

void tg_link_release(struct tg_link *link, struct tg_question *question)
{
    bool resume = false;
    question->link = NULL;
    link->waiting--;
    if (question->kind == TG_QUESTION_SETTLE) {
        link->settles--;
        resume = link->settle_bytes > TG_LINK_SETTLE_BYTES_MAX &&
                 link->settle_bytes - question->body_len <= TG_LINK_SETTLE_BYTES_MAX;
        link->settle_bytes -= question->body_len;
    }
    if (link->closed) {
        free_when_done(link);
    } else if (resume) {
        tg_link_resume(link);
    }
}

void tg_link_hold(struct tg_link *link)
{
    link->waiting++;
}

void tg_link_drop(struct tg_link *link)
{
    link->waiting--;
    free_when_done(link);
}

struct tg_buf *tg_link_room(struct tg_link *link, size_t size)
{
    if (link->closing) {
        return NULL;
    }
    if (link->out.len + link->sending.len + size > TG_LINK_OUTPUT_BYTES_MAX) {
        tg_log_say(TG_LOG_WARNING, "link_closed", "its peer does not read");
        tg_link_close(link);
        return NULL;
    }
    if (link->out.cap - link->out.len < size) {
        size_t cap = link->out.cap == 0 ? OUTPUT_BYTES : link->out.cap;
        while (cap - link->out.len < size) {
            cap *= 2;
        }
        struct tg_buf grown = tg_buf(malloc(cap), cap);
        if (grown.ptr == NULL) {
            tg_link_close(link);
            return NULL;
        }
        tg_buf_put(&grown, tg_buf_span(&link->out));
        free_buf(&link->out);
        link->out = grown;
    }
    if (!link->dirty) {
        link->dirty = true;
        link->dirty_next = link->keeper->dirty;
        link->keeper->dirty = link;
    }
    return &link->out;
}

static void send_out(struct tg_link *link);

void tg_link_written(struct tg_link *link, bool sent)
{
    tg_wipe(link->sending.ptr, link->sending.len);
    link->sending.len = 0;
    link->writing = false;
    if (link->sending.cap > OUTPUT_KEPT_BYTES) {
        free_buf(&link->sending);
    }
    if (!sent) {
        tg_link_close(link);
    } else if (!link->closing) {
        send_out(link);
    }
}

static void send_out(struct tg_link *link)
{
    if (link->writing || link->out.len == 0) {
        return;
    }
    if (link->out.over) {
        /* An encoder wrote more than it said. */
        tg_log_say(TG_LOG_ERROR, "link_closed", "an answer did not fit");
        tg_link_close(link);
        return;
    }
    struct tg_buf full = link->out;
    link->out = link->sending;
    link->sending = full;
    link->writing = true;
    enum tg_link_sent sent = link->port->send(link, tg_buf_span(&full));
    if (sent == TG_LINK_SENDING) {
        return;
    }
    link->writing = false;
    if (sent == TG_LINK_NOT_SENT) {
        tg_link_close(link);
        return;
    }
    tg_wipe(full.ptr, full.len);
    link->sending.len = 0;
}

void tg_link_flush_all(struct tg_keeper *keeper)
{
    while (keeper->dirty != NULL) {
        struct tg_link *link = keeper->dirty;
        keeper->dirty = link->dirty_next;
        link->dirty = false;
        send_out(link);
    }
}

struct tg_link *tg_link_make(struct tg_keeper *keeper, size_t size, enum tg_role role, const struct tg_link_port *port)
{
    struct tg_link *link = calloc(1, size);
    if (link == NULL) {
        return NULL;
    }
    link->keeper = keeper;
    link->role = (uint8_t)role;
    link->port = port;
    if (!grow_input(link, INPUT_BYTES)) {
        free(link);
        return NULL;
    }
    *(role == TG_ROLE_GATE ? &keeper->gate_links : &keeper->admin_links) += 1;
    return link;
}

void tg_link_begin(struct tg_link *link)
{
    struct tg_keeper *keeper = link->keeper;
    link->next = keeper->links;
    link->previous = &keeper->links;
    if (link->next != NULL) {
        link->next->previous = &link->next;
    }
    keeper->links = link;
}

void tg_link_refused(struct tg_link *link, const char *why)
{
    link->keeper->metrics.links_refused++;
    tg_log_say(TG_LOG_WARNING, "link_refused", why);
    link->closing = true;
    link->port->close(link);
}
