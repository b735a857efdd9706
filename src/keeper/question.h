/*
 * question.h - one thing that waits for its turn: a question of a gate, or something that must be recorded.
 *
 * Promises: owns a copy of its frame's body, from which all its spans borrow, until it is freed;
 * freeing wipes whatever could be secret.
 * Does not: answer (batch.c does) or know the store.
 */
#ifndef TG_KEEPER_QUESTION_H
#define TG_KEEPER_QUESTION_H

#include "core/policy/reason.h"
#include "store/store.h"
#include "wire/message.h"

struct tg_keeper;
struct tg_link;

enum tg_question_kind {
    TG_QUESTION_ADMIT = 1,
    TG_QUESTION_SETTLE = 2,
    TG_QUESTION_REFUSAL = 3, /* a NOTE, or a key that was refused: recorded, never answered */
    TG_QUESTION_LOST = 4,
    TG_QUESTION_RESOLVE = 5
};

/* A route's upstream credential, opened for one batch. */
struct tg_opened {
    char route[TG_NAME_BYTES_MAX + 1];
    uint8_t status; /* enum tg_seal_status, or TG_SEALER_LOST */
    uint8_t *plain;
    size_t len;
};

struct tg_question {
    struct tg_question *next;
    struct tg_link *link; /* who waits; NULL: nobody */
    void (*done)(struct tg_question *question); /* RESOLVE: who waits inside; it frees the question */
    void *user;
    uint8_t kind;
    uint16_t slot;
    uint32_t turn;
    uint16_t reason;      /* set before the store is asked: refused, and the work is a REFUSAL */
    int64_t received_us;  /* monotonic */
    int64_t deadline_us;  /* monotonic; ADMIT is refused, not claimed, after it */
    struct tg_opened *opened; /* ADMIT: the batch's copy of the route's credential */
    uint8_t *sealed;      /* SETTLE, RESOLVE: the sealed answer that the work points to */
    union {
        struct tg_admit admit;
        struct tg_settle settle;
    };
    struct tg_work work;
    size_t body_len;
    uint8_t body[];
};

/* A zeroed question with a copy of body; NULL: no memory. */
struct tg_question *tg_question_make(uint8_t kind, struct tg_span body);

/* Wipes and frees; the link is told that one question fewer waits for it. NULL is fine. */
void tg_question_free(struct tg_question *question);

/* First in, first out. */
struct tg_question_queue {
    struct tg_question *head;
    struct tg_question **tail; /* NULL stands for &head */
    size_t count;
};
void tg_question_push(struct tg_question_queue *queue, struct tg_question *question);
/* Takes out what *at points to and returns it; *at then points to the one behind it. */
struct tg_question *tg_question_take(struct tg_question_queue *queue, struct tg_question **at);

#endif
