/*
 * committer.c - the store's thread.
 *
 * Promises: as committer.h. No lock is held while the store works.
 * Does not: linger to gather more; what waits while one job runs is the next batch already.
 */
#include "keeper/committer.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/log.h"
#include "keeper/clock.h"

#include "base/banned.h"

/* How long the checkpointer sleeps without news. */
#define CHECKPOINT_WAIT_MS 200
/*
 * Batches after which it is woken sooner. It works in steps of 400 frames, which the smallest batches fill in a
 * hundred turns and the largest in four; waking it for each cost a switch of thread a batch for nothing.
 */
#define CHECKPOINT_BATCHES 8

static void push(struct tg_job_queue *queue, struct tg_job *job)
{
    job->next = NULL;
    if (queue->head == NULL) {
        queue->tail = &queue->head;
    }
    *queue->tail = job;
    queue->tail = &job->next;
}

_Noreturn void tg_committer_fail(const char *what, enum tg_err err)
{
    struct tg_log line;
    tg_log_begin(&line, TG_LOG_ERROR, "store_failed");
    tg_log_string(&line, "what", what);
    tg_log_string(&line, "error", tg_err_name(err));
    tg_log_end(&line);
    _exit(TG_COMMITTER_EXIT);
}

/* Looks whether a segment is due and hands what it asks for to the loop. */
static void rotate(struct tg_committer *committer)
{
    int64_t now_us = tg_clock_monotonic_us();
    if (now_us - committer->rotated_us < TG_COMMITTER_ROTATE_US) {
        return;
    }
    committer->rotated_us = now_us;
    struct tg_rotation *rotation = calloc(1, sizeof(*rotation));
    if (rotation == NULL) {
        return;
    }
    enum tg_err err = tg_store_rotate(committer->store, tg_clock_utc_us(), &rotation->new_segment, rotation->destroy,
                                      TG_COMMITTER_DESTROY_MAX, &rotation->destroy_count);
    if (err != TG_OK) {
        tg_committer_fail("rotate", err);
    }
    if (rotation->new_segment == 0 && rotation->destroy_count == 0) {
        free(rotation);
        return;
    }
    rotation->job.done = committer->rotated;
    rotation->user = committer->user;
    pthread_mutex_lock(&committer->lock);
    push(&committer->finished, &rotation->job);
    pthread_mutex_unlock(&committer->lock);
    uv_async_send(&committer->async);
}

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
    struct tg_committer *committer = user;
    pthread_setname_np(pthread_self(), "committer");
    pthread_mutex_lock(&committer->lock);
    for (;;) {
        while (committer->waiting.head == NULL && !committer->stop) {
            pthread_cond_wait(&committer->work, &committer->lock);
        }
        struct tg_job *job = committer->waiting.head;
        if (job == NULL) {
            break;
        }
        committer->waiting.head = job->next;
        pthread_mutex_unlock(&committer->lock);
        if (job->run != NULL) {
            job->run(job, committer->store);
        }
        measure(committer);
        pthread_mutex_lock(&committer->lock);
        push(&committer->finished, job);
        if (++committer->unseen == CHECKPOINT_BATCHES) {
            pthread_cond_signal(&committer->committed);
        }
        pthread_mutex_unlock(&committer->lock);
        uv_async_send(&committer->async);
        rotate(committer);
        pthread_mutex_lock(&committer->lock);
    }
    pthread_mutex_unlock(&committer->lock);
    return NULL;
}

static void *checkpoint_loop(void *user)
{
    struct tg_committer *committer = user;
    pthread_setname_np(pthread_self(), "checkpointer");
    pthread_mutex_lock(&committer->lock);
    while (!committer->stop) {
        if (committer->unseen < CHECKPOINT_BATCHES) {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_nsec += CHECKPOINT_WAIT_MS * 1000000L;
            until.tv_sec += until.tv_nsec / 1000000000L;
            until.tv_nsec %= 1000000000L;
            pthread_cond_timedwait(&committer->committed, &committer->lock, &until);
        }
        if (committer->unseen > 0 && !committer->stop) {
            committer->unseen = 0;
            pthread_mutex_unlock(&committer->lock);
            while (tg_store_checkpoint(committer->store)) {
            }
            pthread_mutex_lock(&committer->lock);
        }
    }
    pthread_mutex_unlock(&committer->lock);
    return NULL;
}

static void drain(struct tg_committer *committer)
{
    for (;;) {
        pthread_mutex_lock(&committer->lock);
        struct tg_job *job = committer->finished.head;
        if (job != NULL) {
            committer->finished.head = job->next;
        }
        pthread_mutex_unlock(&committer->lock);
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

enum tg_err tg_committer_start(struct tg_committer *committer, uv_loop_t *loop)
{
    pthread_mutex_init(&committer->lock, NULL);
    pthread_cond_init(&committer->work, NULL);
    pthread_cond_init(&committer->committed, NULL);
    if (uv_async_init(loop, &committer->async, on_async) != 0) {
        return TG_ERR_DOWN;
    }
    committer->async.data = committer;
    if (pthread_create(&committer->thread, NULL, commit_loop, committer) != 0) {
        return TG_ERR_DOWN;
    }
    if (pthread_create(&committer->checkpointer, NULL, checkpoint_loop, committer) != 0) {
        return TG_ERR_DOWN;
    }
    committer->started = true;
    return TG_OK;
}

void tg_committer_post(struct tg_committer *committer, struct tg_job *job)
{
    pthread_mutex_lock(&committer->lock);
    push(&committer->waiting, job);
    pthread_cond_signal(&committer->work);
    pthread_mutex_unlock(&committer->lock);
}

void tg_committer_stop(struct tg_committer *committer)
{
    if (!committer->started) {
        return;
    }
    pthread_mutex_lock(&committer->lock);
    committer->stop = true;
    pthread_cond_signal(&committer->work);
    pthread_cond_signal(&committer->committed);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    pthread_join(committer->checkpointer, NULL);
    committer->started = false;
    drain(committer);
}
