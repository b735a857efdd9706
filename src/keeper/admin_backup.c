/*
 * admin_backup.c - backup.begin, backup.state, backup.end: copies of the store's files for an operator to take away.
 *
 * Promises: one at a time; the copying goes in small steps between batches, on the store's own thread. What an
 * operator forgets to end is removed by the next begin.
 * Does not: send file contents: who may read the store's folder reads the copies there.
 */
#include <stdlib.h>

#include "keeper/admin.h"
#include "keeper/copy.h"

#include "base/banned.h"

enum backup_state { BACKUP_NONE, BACKUP_COPYING, BACKUP_DONE, BACKUP_FAILED };

static const char *const state_names[] = {"none", "copying", "done", "failed"};

/* One step after the other; the loop's thread owns it whenever no step is under way. */
struct backup {
    struct tg_job job; /* first */
    struct tg_keeper *keeper;
    struct tg_copy *copy;
    enum backup_state state;
    bool more;
};

static struct backup backup;

static void run_step(struct tg_job *job, struct tg_store *store)
{
    struct backup *one = (struct backup *)job;
    (void)store;
    one->more = tg_copy_step(one->copy);
}

static void done_step(struct tg_job *job)
{
    struct backup *one = (struct backup *)job;
    if (one->more && one->keeper->ending_since_us == 0) {
        tg_committer_post(&one->keeper->committer, &one->job);
        return;
    }
    one->state = !one->more && tg_copy_whole(one->copy) ? BACKUP_DONE : BACKUP_FAILED;
    tg_copy_free(one->copy);
    one->copy = NULL;
    if (one->state == BACKUP_FAILED) {
        tg_copy_remove(one->keeper->options.store);
    }
}

static void run_begin(struct tg_job *job, struct tg_store *store)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    (void)store;
    call->err = tg_copy_begin(call->keeper->options.store, &backup.copy);
}

static void done_begin(struct tg_job *job)
{
    struct tg_admin_call *call = (struct tg_admin_call *)job;
    if (call->err != TG_OK) {
        backup.state = BACKUP_FAILED;
        tg_admin_fail(call, "failed", "the store's files could not be held: see the keeper's log");
        return;
    }
    backup.keeper = call->keeper;
    backup.job = (struct tg_job){.run = run_step, .done = done_step};
    tg_committer_post(&call->keeper->committer, &backup.job);
    tg_admin_ok(call, json_pack("{s:s}", "state", state_names[BACKUP_COPYING]));
}

void tg_admin_backup_begin(struct tg_admin_call *call)
{
    if (backup.state == BACKUP_COPYING) {
        tg_admin_fail(call, "busy", "another backup is being made");
        return;
    }
    if (call->keeper->options.store == NULL) {
        tg_admin_fail(call, "absent", "this keeper's store is a PostgreSQL server: use its own backup");
        return;
    }
    backup.state = BACKUP_COPYING;
    call->job = (struct tg_job){.run = run_begin, .done = done_begin};
    tg_committer_post(&call->keeper->committer, &call->job);
}

void tg_admin_backup_state(struct tg_admin_call *call)
{
    tg_admin_ok(call, json_pack("{s:s}", "state", state_names[backup.state]));
}

void tg_admin_backup_end(struct tg_admin_call *call)
{
    if (backup.state == BACKUP_COPYING) {
        tg_admin_fail(call, "busy", "it is still being made");
        return;
    }
    backup.state = BACKUP_NONE;
    if (call->keeper->options.store != NULL) {
        tg_copy_remove(call->keeper->options.store);
    }
    tg_admin_ok(call, json_pack("{s:s}", "state", state_names[BACKUP_NONE]));
}
