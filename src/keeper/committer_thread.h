/*
 * committer_thread.h - the one thread that owns the store, and a second that checkpoints it.
 *
 * Promises: no lock is held while the store works; a job's done() is called on the loop's thread.
 * Does not: know what a job is for.
 */
#ifndef TG_KEEPER_COMMITTER_THREAD_H
#define TG_KEEPER_COMMITTER_THREAD_H

#include <pthread.h>
#include <uv.h>

#include "keeper/committer.h"

struct tg_committer_thread {
    struct tg_committer *committer;
    pthread_t thread;
    pthread_t checkpointer;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t committed;
    struct tg_job_queue waiting;
    struct tg_job_queue finished;
    int news_fd; /* an eventfd: readable while the loop's thread has finished jobs to take */
    uv_poll_t news;
    bool stop;
    unsigned unseen; /* batches since the checkpointer looked */
    bool started;
};

/* Becomes the committer's port. */
TG_MUST_CHECK enum tg_err tg_committer_start(struct tg_committer_thread *thread, struct tg_committer *committer,
                                             uv_loop_t *loop);

/* Runs what is posted, ends both threads, calls the done() of all that ran. */
void tg_committer_stop(struct tg_committer_thread *thread);

#endif
