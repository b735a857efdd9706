/*
 * committer.h - the one thread that owns the store, and a second that checkpoints it.
 *
 * Promises: jobs run in the order they were posted; each one's done() is called on the loop's
 * thread afterwards. When a commit fails the process ends at once with TG_COMMITTER_EXIT and
 * nothing more is answered: what is not known to be durable may not be told.
 * Does not: know questions or links.
 */
#ifndef TG_KEEPER_COMMITTER_H
#define TG_KEEPER_COMMITTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "store/store.h"

/* The exit status by which a supervisor knows that the store failed. */
#define TG_COMMITTER_EXIT 3
/* Segments whose keys are destroyed in one go. */
#define TG_COMMITTER_DESTROY_MAX 16
/* How often it is looked whether a segment is due; a segment lasts minutes at least. */
#define TG_COMMITTER_ROTATE_US 100000

struct tg_job {
    struct tg_job *next;
    void (*run)(struct tg_job *job, struct tg_store *store); /* committer's thread; may be NULL */
    void (*done)(struct tg_job *job);                        /* loop's thread; owns the job again */
};

/* What a rotation asks of the sealer. */
struct tg_rotation {
    struct tg_job job;
    void *user;
    uint32_t new_segment; /* 0: none */
    uint32_t destroy[TG_COMMITTER_DESTROY_MAX];
    size_t destroy_count;
};

struct tg_job_queue {
    struct tg_job *head;
    struct tg_job **tail;
};

struct tg_committer {
    struct tg_store *store;
    void (*rotated)(struct tg_job *job); /* done() of a struct tg_rotation; it frees it */
    void *user;
    pthread_t thread;
    pthread_t checkpointer;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t committed;
    struct tg_job_queue waiting;
    struct tg_job_queue finished;
    uv_async_t async;
    bool stop;
    unsigned unseen; /* batches since the checkpointer looked */
    bool started;
    int64_t rotated_us;
    _Atomic uint64_t cpu_us; /* of the committer's thread */
};

TG_MUST_CHECK enum tg_err tg_committer_start(struct tg_committer *committer, uv_loop_t *loop);

/* Runs what is posted, ends both threads, calls the done() of all that ran. */
void tg_committer_stop(struct tg_committer *committer);

void tg_committer_post(struct tg_committer *committer, struct tg_job *job);

/* One log line, then the end of the process. Any thread. */
_Noreturn void tg_committer_fail(const char *what, enum tg_err err);

#endif
