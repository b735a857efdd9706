/*
 * question.c - making, queueing and wiping questions.
 *
 * Promises: as question.h.
 * Does not: bound the queue; who pushes does (gate_link.c).
 */
#include "keeper/question.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "keeper/link.h"

#include "base/banned.h"

struct tg_question *tg_question_make(uint8_t kind, struct tg_span body)
{
    struct tg_question *question = calloc(1, sizeof(*question) + body.len);
    if (question == NULL) {
        return NULL;
    }
    question->kind = kind;
    question->body_len = body.len;
    if (body.len > 0) {
        memcpy(question->body, body.ptr, body.len);
    }
    return question;
}

void tg_question_free(struct tg_question *question)
{
    if (question == NULL) {
        return;
    }
    if (question->link != NULL) {
        tg_link_release(question->link, question);
    }
    free(question->sealed);
    tg_wipe(question, sizeof(*question) + question->body_len);
    free(question);
}

void tg_question_push(struct tg_question_queue *queue, struct tg_question *question)
{
    question->next = NULL;
    if (queue->tail == NULL) {
        queue->tail = &queue->head;
    }
    *queue->tail = question;
    queue->tail = &question->next;
    queue->count++;
}

struct tg_question *tg_question_take(struct tg_question_queue *queue, struct tg_question **at)
{
    struct tg_question *question = *at;
    *at = question->next;
    if (question->next == NULL) {
        queue->tail = at;
    }
    question->next = NULL;
    queue->count--;
    return question;
}
