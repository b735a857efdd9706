/*
 * refresh.c - see refresh.h.
 *
 * Promises: rows are read on the committer's thread, between batches, and take the old ones' place on the loop's;
 * acts of this keeper's own operators come in the same order there, so none is lost.
 * Does not: compare; what changed is few and seldom.
 */
#include "keeper/refresh.h"

#include <stdlib.h>

#include "daemon/log.h"
#include "keeper/load.h"

#include "base/banned.h"

struct refresh {
    struct tg_job job;
    struct tg_keeper *keeper;
    struct tg_setup setup;
    bool changed;
};

static void run(struct tg_job *job, struct tg_store *store)
{
    struct refresh *refresh = (struct refresh *)job;
    if (!tg_store_setup_changed(store)) {
        return;
    }
    enum tg_err err = tg_load_setup_into(store, &refresh->setup);
    if (err != TG_OK) {
        tg_committer_fail("setup", err);
    }
    refresh->changed = true;
}

static void done(struct tg_job *job)
{
    struct refresh *refresh = (struct refresh *)job;
    struct tg_keeper *keeper = refresh->keeper;
    keeper->refreshing = false;
    if (refresh->changed) {
        tg_setup_free(&keeper->setup);
        keeper->setup = refresh->setup;
        tg_log_say(TG_LOG_INFO, "setup_changed", "another keeper changed what operators set up");
        tg_gate_flush(keeper);
        tg_link_flush_all(keeper);
    }
    free(refresh);
}

void tg_refresh_ask(struct tg_keeper *keeper)
{
    if (keeper->refreshing || keeper->ending_since_us != 0) {
        return;
    }
    struct refresh *refresh = calloc(1, sizeof(*refresh));
    if (refresh == NULL) {
        return;
    }
    refresh->job = (struct tg_job){.run = run, .done = done};
    refresh->keeper = keeper;
    keeper->refreshing = true;
    tg_committer_post(&keeper->committer, &refresh->job);
}
