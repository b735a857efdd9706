/*
 * sealer_link.h - the keeper's one connection to the sealer: one frame on its way at a time.
 *
 * Promises: every work that was added or asked gets exactly one result, TG_SEALER_LOST when the
 * link goes first; connects again every TG_SEALER_RETRY_MS; is ready only after the key of the
 * open segment is made and its user has accepted who is there; plaintexts that passed through are wiped.
 * Does not: decide what to seal, or know what carries the bytes: that is behind the port (sealer_pipe.h).
 */
#ifndef TG_KEEPER_SEALER_LINK_H
#define TG_KEEPER_SEALER_LINK_H

#include <sys/types.h>

#include "wire/seal.h"

#define TG_SEALER_RETRY_MS 50
/* What the sealer says of its guards; longer is cut. */
#define TG_SEALER_GUARD_BYTES_MAX 256
/* A sealer that does not answer a frame of memory work for so long hangs; the link is made anew. */
#define TG_SEALER_ANSWER_MS 5000
/* A status of our own beside enum tg_seal_status: the link went before the result came. */
#define TG_SEALER_LOST 255
/* Answers that wait to be opened; above it no new batch is begun. */
#define TG_SEALER_ASK_BYTES_MAX (64u * 1024u * 1024u)

typedef void tg_sealer_take(void *user, uint8_t status, struct tg_span output);

struct tg_sealer_sink {
    tg_sealer_take *take;
    void *user;
};

/* A single work that waits for the next frame. */
struct tg_sealer_ask {
    struct tg_sealer_ask *next;
    struct tg_sealer_sink sink;
    int64_t patient_until_us; /* 0: lost with the link; else it waits for the next one until then */
    uint8_t operation;
    uint32_t key;
    size_t aad_len;
    size_t input_len;
    uint8_t bytes[]; /* aad, then input */
};

struct tg_sealer_link;

enum tg_sealer_sent { TG_SEALER_SENT = 0, TG_SEALER_SENDING = 1, TG_SEALER_NOT_SENT = 2 };

/* What carries the bytes. It calls back: tg_sealer_connected, _room_in, _received, _written, _gone, _timeout. */
struct tg_sealer_port {
    bool (*connect)(struct tg_sealer_link *sealer);
    void (*close)(struct tg_sealer_link *sealer);
    enum tg_sealer_sent (*send)(struct tg_sealer_link *sealer, struct tg_span bytes); /* SENDING: written follows */
    void (*timer)(struct tg_sealer_link *sealer, uint64_t wait_ms);    /* 0: no more */
    uid_t (*peer)(const struct tg_sealer_link *sealer);                /* TG_DAEMON_UID_NONE: nobody is known */
};

struct tg_sealer_link {
    const struct tg_sealer_port *port;
    void *port_user;
    uint32_t (*segment)(void *user); /* whose key must be there before the link is ready */
    void (*met)(void *user);         /* tg_sealer_accept or tg_sealer_refuse follows, now or later */
    void (*changed)(void *user);     /* ready, or lost */
    void *user;
    bool open; /* the port connects, or is connected */
    bool connected;
    bool ready;
    bool keyed;     /* the first frame: the segment's key is made, */
    bool named;     /* and who it is stands in public_key */
    bool met_waits; /* for its user's word */
    bool foreign;   /* it was refused; said until it goes */
    uint8_t public_key[TG_DIGEST_BYTES]; /* of its record key: the sealer's name */
    uint32_t made; /* the segment whose key this connection asked for first: there when it is ready */
    bool asked;   /* a frame is on its way */
    bool writing; /* its bytes are still ours */
    bool ending;
    bool complained; /* that no key could be made; said once until it can */
    uint32_t turn;
    struct tg_buf out;
    struct tg_seal_writer writer;
    struct tg_sealer_sink sinks[TG_SEAL_WORKS_MAX];
    size_t sink_count;
    void (*after)(void *user); /* once all results of the frame are taken */
    void *after_user;
    uint8_t *in;
    size_t in_len;
    size_t in_cap;
    struct tg_sealer_ask *asks;
    struct tg_sealer_ask **asks_tail;
    size_t ask_bytes;
    char guard[TG_SEALER_GUARD_BYTES_MAX]; /* wire/seal.h, TG_SEAL_GUARD: of the sealer that was last there */
};

TG_MUST_CHECK enum tg_err tg_sealer_start(struct tg_sealer_link *sealer);
void tg_sealer_stop(struct tg_sealer_link *sealer);

/* For the port. Written: also when the link went meanwhile (`here` is false). */
void tg_sealer_connected(struct tg_sealer_link *sealer, bool connected);
uint8_t *tg_sealer_room_in(struct tg_sealer_link *sealer, size_t *room);
void tg_sealer_received(struct tg_sealer_link *sealer, size_t count);
void tg_sealer_written(struct tg_sealer_link *sealer, bool sent, bool here);
void tg_sealer_gone(struct tg_sealer_link *sealer, const char *why);
void tg_sealer_timeout(struct tg_sealer_link *sealer);

/* The user's word on a sealer that was met. A refused one is asked nothing as long as it is there. */
void tg_sealer_accept(struct tg_sealer_link *sealer);
void tg_sealer_refuse(struct tg_sealer_link *sealer);

/* A frame can be begun now. */
bool tg_sealer_idle(const struct tg_sealer_link *sealer);

/* Begins a frame; single asks go in first. */
void tg_sealer_begin(struct tg_sealer_link *sealer);
/* Is there room for `works` more with `bytes` of body in all? */
bool tg_sealer_room(const struct tg_sealer_link *sealer, size_t works, size_t bytes);
void tg_sealer_add(struct tg_sealer_link *sealer, const struct tg_seal_work *work, tg_sealer_take *take, void *user);
/* Sends it; a frame without works is forgotten and after() is not called. */
void tg_sealer_send(struct tg_sealer_link *sealer, void (*after)(void *user), void *user);

/*
 * Asks one work in the next frame; aad and input are copied. When the link is not there: TG_SEALER_LOST at once, or,
 * where patient_until_us is not 0, only when it is not there by then (monotonic).
 */
void tg_sealer_ask(struct tg_sealer_link *sealer, const struct tg_seal_work *work, int64_t patient_until_us,
                   tg_sealer_take *take, void *user);
/* Gives up what waited too long. */
void tg_sealer_tick(struct tg_sealer_link *sealer, int64_t now_us);

#endif
