/*
 * link.h - one connected peer: bytes in, frames out to a service, answers gathered and sent.
 *
 * Promises: a frame over its limit, or one that its role may not send, closes the link; input and
 * output have bounds; what was sent and read is wiped; a link lives until the last question that
 * names it is answered.
 * Does not: understand bodies, or know what carries the bytes: that is behind the port (link_pipe.h).
 */
#ifndef TG_KEEPER_LINK_H
#define TG_KEEPER_LINK_H

#include <sys/types.h>

#include "keeper/question.h"
#include "wire/frame.h"

/* Output that a peer may leave unread before the link is closed: every slot's small answer and some large ones. */
#define TG_LINK_OUTPUT_BYTES_MAX (64u * 1024u * 1024u)
/* Above this a replay is refused as busy, so that settlements still find room. */
#define TG_LINK_OUTPUT_BYTES_BUSY (32u * 1024u * 1024u)
/* Answers that wait to be settled on one link; above it the link is not read. */
#define TG_LINK_SETTLE_BYTES_MAX (16u * 1024u * 1024u)
/* Gate workers of one nginx and their successors during a reload, with room. */
#define TG_LINKS_GATE_MAX 256
/* Operators at work at the same time. */
#define TG_LINKS_ADMIN_MAX 32
/* "uid=4294967295 login=" and a name of at most 32 characters (useradd(8)). */
#define TG_LINK_ACTOR_BYTES 64

enum tg_link_sent { TG_LINK_SENT = 0, TG_LINK_SENDING = 1, TG_LINK_NOT_SENT = 2 };

/* What carries a link's bytes. It calls back: tg_link_room_in, tg_link_received, tg_link_written, tg_link_closed. */
struct tg_link_port {
    void (*close)(struct tg_link *link); /* tg_link_closed follows */
    bool (*listen)(struct tg_link *link, bool on);
    enum tg_link_sent (*send)(struct tg_link *link, struct tg_span bytes); /* SENDING: tg_link_written follows */
};

struct tg_link {
    struct tg_link *next;
    struct tg_link **previous;
    struct tg_link *dirty_next;
    struct tg_keeper *keeper;
    const struct tg_link_port *port;
    uint8_t role; /* enum tg_role */
    bool (*on_frame)(struct tg_link *link, const struct tg_frame *frame); /* false: close */
    void (*on_gone)(struct tg_link *link); /* once, when it begins to close; may be NULL */
    bool greeted;
    bool closing;
    bool closed;
    bool dirty;
    bool paused;
    bool reading; /* frames are being handed out */
    bool writing;
    uint64_t owner;
    char actor[TG_LINK_ACTOR_BYTES];
    size_t waiting; /* questions that name this link */
    size_t settles;
    size_t settle_bytes;
    uint8_t *in;
    size_t in_len;
    size_t in_cap;
    struct tg_buf out;
    struct tg_buf sending;
};

/* A link in `size` bytes that begin with it; its port begins to carry. NULL: no memory. */
struct tg_link *tg_link_make(struct tg_keeper *keeper, size_t size, enum tg_role role,
                             const struct tg_link_port *port);
/* It was accepted: it is among the keeper's links from now on. Else tg_link_refused, and the port closes it. */
void tg_link_begin(struct tg_link *link);
void tg_link_refused(struct tg_link *link, const char *why);

/* For the port: where the next bytes go; how many came (the link may be closing afterwards); what became of a send. */
uint8_t *tg_link_room_in(struct tg_link *link, size_t *room);
void tg_link_received(struct tg_link *link, size_t count);
void tg_link_written(struct tg_link *link, bool sent);
void tg_link_closed(struct tg_link *link);

/* Begins to close; safe to call again. */
void tg_link_close(struct tg_link *link);

/* Binds a question to its link, and unbinds it (tg_question_free does). */
void tg_link_bind(struct tg_link *link, struct tg_question *question);
void tg_link_release(struct tg_link *link, struct tg_question *question);

/* Something other than a question waits for this link, and does no longer. */
void tg_link_hold(struct tg_link *link);
void tg_link_drop(struct tg_link *link);

/* No further frames are handed out until resumed. */
void tg_link_pause(struct tg_link *link);
void tg_link_resume(struct tg_link *link);

/* Room for a frame of at most `size` bytes, to be filled by an encoder at once; NULL: closing, or over its bound. */
struct tg_buf *tg_link_room(struct tg_link *link, size_t size);

/* Sends what was gathered on all links; once a turn of the loop. */
void tg_link_flush_all(struct tg_keeper *keeper);

#endif
