/*
 * batch.h - questions become batches; a batch is MACed, committed, answered.
 *
 * Promises: questions are taken in the order in which they came; while one batch commits the next
 * gathers, and is MACed then if it is large; one frame to the sealer carries all its MACs, seals and opens;
 * an answer is given only after the batch is durable. A route's credential is opened before its claim is
 * taken, so that no claim is left behind by a sealer that went.
 * Does not: wait for more questions when nothing is under way.
 */
#ifndef TG_KEEPER_BATCH_H
#define TG_KEEPER_BATCH_H

#include "keeper/committer.h"
#include "keeper/question.h"
#include "store/store.h"

/* Works in one transaction: beyond it nothing more is gained by sharing an fsync. */
#define TG_BATCH_WORKS_MAX 512
/* Distinct routes whose credentials one batch opens. */
#define TG_BATCH_ROUTES_MAX 32
/* One commits; one is MACed or waits, when it is large. */
#define TG_BATCHES 2
/*
 * So many questions are MACed while the batch before them commits. Fewer wait until it is done: they are MACed in less
 * time than a sync takes, and a batch that was closed early only waits, while what comes after it needs a batch, a
 * sync and all the switches between processes of its own.
 */
#define TG_BATCH_OVERLAP_WORKS 128

struct tg_batch {
    struct tg_job job;
    struct tg_keeper *keeper;
    bool busy;
    size_t count;
    struct tg_question *questions[TG_BATCH_WORKS_MAX];
    struct tg_opened opened[TG_BATCH_ROUTES_MAX];
    size_t opened_count;
    struct tg_arena arena; /* sealed answers of replays; its pages are given back after use */
    uint64_t commit_us;
};

struct tg_batcher {
    struct tg_question_queue queue;
    size_t admits; /* in the queue */
    size_t notes;
    struct tg_batch batches[TG_BATCHES];
    size_t replays; /* stored answers that are being opened */
    bool quiet;     /* no gate asked for a key (AUTH) between the last two beginnings of a batch */
    uint64_t authentications; /* counted at the last one */
};

TG_MUST_CHECK enum tg_err tg_batch_start(struct tg_keeper *keeper);
void tg_batch_stop(struct tg_keeper *keeper);

/* Puts a question at the end of the queue. */
void tg_batch_ask(struct tg_keeper *keeper, struct tg_question *question);

/* Begins what can be begun; once a turn of the loop, and when the sealer or the committer is free again. */
void tg_batch_pump(struct tg_keeper *keeper);

/* Answers ADMITs in the queue whose gates no longer wait, also while nothing moves. */
void tg_batch_expire(struct tg_keeper *keeper);

/* Works that are being MACed or committed. */
size_t tg_batch_underway(const struct tg_batcher *batcher);

/* Nothing waits, commits or is being opened. */
bool tg_batch_idle(const struct tg_keeper *keeper);

#endif
