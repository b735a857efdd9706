/*
 * committer.c - jobs for the store, and the look at its segments after each.
 *
 * Promises: as committer.h.
 * Does not: linger to gather more; what waits while one job runs is the next batch already.
 */
#include "keeper/committer.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/log.h"
#include "keeper/clock.h"

#include "base/banned.h"

void tg_job_push(struct tg_job_queue *queue, struct tg_job *job)
{
    job->next = NULL;
    if (queue->head == NULL) {
        queue->tail = &queue->head;
    }
    *queue->tail = job;
    queue->tail = &job->next;
}

struct tg_job *tg_job_take(struct tg_job_queue *queue)
{
    struct tg_job *job = queue->head;
    if (job != NULL) {
        queue->head = job->next;
    }
    return job;
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

void tg_committer_post(struct tg_committer *committer, struct tg_job *job)
{
    committer->port->post(committer->port_user, job);
}

uint64_t tg_committer_cpu_us(const struct tg_committer *committer)
{
    return committer->port->cpu_us(committer->port_user);
}

void tg_committer_run(struct tg_committer *committer, struct tg_job *job)
{
    if (job->run != NULL) {
        job->run(job, committer->store);
    }
}

struct tg_job *tg_committer_rotation(struct tg_committer *committer)
{
    int64_t now_us = tg_clock_monotonic_us();
    if (now_us - committer->rotated_us < TG_COMMITTER_ROTATE_US) {
        return NULL;
    }
    committer->rotated_us = now_us;
    struct tg_rotation *rotation = calloc(1, sizeof(*rotation));
    if (rotation == NULL) {
        return NULL;
    }
    enum tg_err err = tg_store_rotate(committer->store, tg_clock_utc_us(), &rotation->new_segment, rotation->destroy,
                                      TG_COMMITTER_DESTROY_MAX, &rotation->destroy_count);
    if (err != TG_OK) {
        tg_committer_fail("rotate", err);
    }
    if (rotation->new_segment == 0 && rotation->destroy_count == 0) {
        free(rotation);
        return NULL;
    }
    rotation->job.done = committer->rotated;
    rotation->user = committer->user;
    return &rotation->job;
}
