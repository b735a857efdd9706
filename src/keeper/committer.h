/*
 * committer.h - what is asked of the store: jobs, one after the other, and segments between them.
 *
 * Promises: jobs run in the order they were posted; each one's done() is called on the loop's
 * thread afterwards. When a commit fails the process ends at once with TG_COMMITTER_EXIT and
 * nothing more is answered: what is not known to be durable may not be told.
 * Does not: know questions, links or threads; who runs the jobs is behind the port (committer_thread.h).
 */
#ifndef TG_KEEPER_COMMITTER_H
#define TG_KEEPER_COMMITTER_H

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

/* Who runs the jobs: run() where the store is touched, then done() on the loop's thread. */
struct tg_committer_port {
    void (*post)(void *user, struct tg_job *job);
    uint64_t (*cpu_us)(void *user); /* that was spent where the store is touched */
};

struct tg_committer {
    struct tg_store *store;
    void (*rotated)(struct tg_job *job); /* done() of a struct tg_rotation; it frees it */
    void *user;
    const struct tg_committer_port *port;
    void *port_user;
    int64_t rotated_us;
};

void tg_committer_post(struct tg_committer *committer, struct tg_job *job);
uint64_t tg_committer_cpu_us(const struct tg_committer *committer);

/* Where the store is touched: runs the job. */
void tg_committer_run(struct tg_committer *committer, struct tg_job *job);

/* After a job: looks whether a segment is due. A rotation whose done() is to be called on the loop's thread, or NULL. */
struct tg_job *tg_committer_rotation(struct tg_committer *committer);

/* One log line, then the end of the process. Any thread. */
_Noreturn void tg_committer_fail(const char *what, enum tg_err err);

void tg_job_push(struct tg_job_queue *queue, struct tg_job *job);
/* NULL when there is none. */
struct tg_job *tg_job_take(struct tg_job_queue *queue);

#endif
