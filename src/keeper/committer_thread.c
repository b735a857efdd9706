/*
 * committer_thread.c - the store's thread.
 *
 * Promises: as committer_thread.h.
 * Does not: decide what the store is asked.
 */
#include "keeper/committer_thread.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* How long the checkpointer sleeps without news. */
#define CHECKPOINT_WAIT_MS 200
/*
 * Batches after which it is woken sooner. It works in steps of 400 frames, which the smallest batches fill in a
 * hundred turns and the largest in four; waking it for each cost a switch of thread a batch for nothing.
 */
#define CHECKPOINT_BATCHES 8

/* Tells the loop's thread that there is something to take. */
static void ring(const struct tg_committer_thread *thread)
{
    static const uint64_t one = 1;
    while (write(thread->news_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

/* True when the loop's thread has to be told: what was there before, it has been told of and will take with this. */
static bool finish(struct tg_committer_thread *thread, struct tg_job *job)
{
    bool first = thread->finished.head == NULL;
    tg_job_push(&thread->finished, job);
    return first;
}

/* What follows a job is done while the loop's thread answers already. The lock is held at begin and end. */
static void after_job(struct tg_committer_thread *thread, struct tg_job *job)
{
    bool tell = finish(thread, job);
    bool look = ++thread->unseen == CHECKPOINT_BATCHES;
    pthread_mutex_unlock(&thread->lock);
    if (tell) {
        ring(thread);
    }
    /* After the lock is free: who is woken under it runs into it, and sleeps again. */
    if (look) {
        pthread_cond_signal(&thread->committed);
    }
    struct tg_job *rotation = tg_committer_rotation(thread->committer);
    pthread_mutex_lock(&thread->lock);
    if (rotation != NULL && finish(thread, rotation)) {
        ring(thread);
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
        pthread_mutex_lock(&thread->lock);
        after_job(thread, job);
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

/* The count is read before the jobs are taken: what is finished in between rings again. */
static void on_news(uv_poll_t *news, int status, int events)
{
    struct tg_committer_thread *thread = news->data;
    uint64_t count = 0;
    (void)events;
    if (status != 0 || (read(thread->news_fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)) {
        tg_committer_fail("news", TG_ERR_DOWN); /* no answer would leave any more */
    }
    drain(thread);
}

static void post(void *user, struct tg_job *job)
{
    struct tg_committer_thread *thread = user;
    pthread_mutex_lock(&thread->lock);
    tg_job_push(&thread->waiting, job);
    pthread_mutex_unlock(&thread->lock);
    pthread_cond_signal(&thread->work);
}

static uint64_t cpu_us(void *user)
{
    const struct tg_committer_thread *thread = user;
    clockid_t clock;
    struct timespec spent;
    if (!thread->started || pthread_getcpuclockid(thread->thread, &clock) != 0 || clock_gettime(clock, &spent) != 0) {
        return 0;
    }
    return (uint64_t)spent.tv_sec * 1000000 + (uint64_t)spent.tv_nsec / 1000;
}

static const struct tg_committer_port port = {post, cpu_us};

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
    thread->news_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (thread->news_fd < 0 || uv_poll_init(loop, &thread->news, thread->news_fd) != 0 ||
        uv_poll_start(&thread->news, UV_READABLE, on_news) != 0) {
        return TG_ERR_DOWN;
    }
    thread->news.data = thread;
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
    uv_close((uv_handle_t *)&thread->news, NULL);
    close(thread->news_fd);
}
