/*
 * committer_thread.c - the store's thread.
 *
 * Promises: as committer_thread.h.
 * Does not: decide what the store is asked.
 */
#include "keeper/committer_thread.h"

#include <sys/resource.h>
#include <time.h>

#include "base/banned.h"

/* How long the checkpointer sleeps without news. */
#define CHECKPOINT_WAIT_MS 200
/*
 * Batches after which it is woken sooner. It works in steps of 400 frames, which the smallest batches fill in a
 * hundred turns and the largest in four; waking it for each cost a switch of thread a batch for nothing.
 */
#define CHECKPOINT_BATCHES 8

static void measure(struct tg_committer *committer)
{
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        uint64_t user_us = (uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec;
        uint64_t system_us = (uint64_t)usage.ru_stime.tv_sec * 1000000 + (uint64_t)usage.ru_stime.tv_usec;
        atomic_store_explicit(&committer->cpu_us, user_us + system_us, memory_order_relaxed);
    }
}

static void *commit_loop(void *user)
{
    struct tg_committer_thread *thread = user;
    pthread_setname_np(pthread_self(), "committer");
    pthread_mutex_lock(&thread->lock);
    for (;;) {
        while (thread->waiting.head == NULL && !thread->stop) {
            pthread_cond_wait(&thread->work, &thread->lock);
        }
        struct tg_job *job = tg_job_take(&thread->waiting);
        if (job == NULL) {
            break;
        }
        pthread_mutex_unlock(&thread->lock);
        tg_committer_run(thread->committer, job);
        measure(thread->committer);
        pthread_mutex_lock(&thread->lock);
        tg_job_push(&thread->finished, job);
        if (++thread->unseen == CHECKPOINT_BATCHES) {
            pthread_cond_signal(&thread->committed);
        }
        pthread_mutex_unlock(&thread->lock);
        uv_async_send(&thread->async);
        struct tg_job *rotation = tg_committer_rotation(thread->committer);
        pthread_mutex_lock(&thread->lock);
        if (rotation != NULL) {
            tg_job_push(&thread->finished, rotation);
            uv_async_send(&thread->async);
        }
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

static void *checkpoint_loop(void *user)
{
    struct tg_committer_thread *thread = user;
    pthread_setname_np(pthread_self(), "checkpointer");
    pthread_mutex_lock(&thread->lock);
    while (!thread->stop) {
        if (thread->unseen < CHECKPOINT_BATCHES) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_nsec += CHECKPOINT_WAIT_MS * 1000000L;
            until.tv_sec += until.tv_nsec / 1000000000L;
            until.tv_nsec %= 1000000000L;
            pthread_cond_timedwait(&thread->committed, &thread->lock, &until);
        }
        if (thread->unseen > 0 && !thread->stop) {
            thread->unseen = 0;
            pthread_mutex_unlock(&thread->lock);
            while (tg_store_checkpoint(thread->committer->store)) {
            }
            pthread_mutex_lock(&thread->lock);
        }
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

static void drain(struct tg_committer_thread *thread)
{
    for (;;) {
        pthread_mutex_lock(&thread->lock);
        struct tg_job *job = tg_job_take(&thread->finished);
        pthread_mutex_unlock(&thread->lock);
        if (job == NULL) {
            return;
        }
        job->done(job);
    }
}

static void on_async(uv_async_t *async)
{
    drain(async->data);
}

static void post(void *user, struct tg_job *job)
{
    struct tg_committer_thread *thread = user;
    pthread_mutex_lock(&thread->lock);
    tg_job_push(&thread->waiting, job);
    pthread_cond_signal(&thread->work);
    pthread_mutex_unlock(&thread->lock);
}

static const struct tg_committer_port port = {post};

enum tg_err tg_committer_start(struct tg_committer_thread *thread, struct tg_committer *committer, uv_loop_t *loop)
{
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->work, NULL);
    /* A step of the wall clock must not make it sleep for an hour, or never. */
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->committed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    thread->committer = committer;
    committer->port = &port;
    committer->port_user = thread;
    if (uv_async_init(loop, &thread->async, on_async) != 0) {
        return TG_ERR_DOWN;
    }
    thread->async.data = thread;
    if (pthread_create(&thread->thread, NULL, commit_loop, thread) != 0) {
        return TG_ERR_DOWN;
    }
    if (pthread_create(&thread->checkpointer, NULL, checkpoint_loop, thread) != 0) {
        return TG_ERR_DOWN;
    }
    thread->started = true;
    return TG_OK;
}

void tg_committer_stop(struct tg_committer_thread *thread)
{
    if (!thread->started) {
        return;
    }
    pthread_mutex_lock(&thread->lock);
    thread->stop = true;
    pthread_cond_signal(&thread->work);
    pthread_cond_signal(&thread->committed);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->thread, NULL);
    pthread_join(thread->checkpointer, NULL);
    thread->started = false;
    drain(thread);
}
