/*
 * belong.c - see belong.h.
 *
 * Promises: the store is asked once a process, on the committer's thread; later links are compared in memory.
 * Does not: believe an answer that was asked for a link that has gone: the one that is there is judged by its own key.
 */
#include "keeper/belong.h"

#include <string.h>

#include "base/banned.h"

static void run(struct tg_job *job, struct tg_store *store)
{
    struct tg_belong *belong = (struct tg_belong *)job;
    belong->result = tg_store_sealer(store, belong->asked);
    if (belong->result != TG_OK && belong->result != TG_ERR_DENIED) {
        tg_committer_fail("sealer", belong->result);
    }
}

static void done(struct tg_job *job)
{
    struct tg_belong *belong = (struct tg_belong *)job;
    struct tg_keeper *keeper = belong->keeper;
    struct tg_sealer_link *sealer = &keeper->sealer;
    belong->asking = false;
    if (belong->result == TG_OK) {
        memcpy(belong->own, belong->asked, sizeof(belong->own));
        belong->known = true;
    }
    if (!sealer->met_waits) {
        return;
    }
    if (belong->result != TG_OK && memcmp(sealer->public_key, belong->asked, sizeof(belong->asked)) == 0) {
        tg_sealer_refuse(sealer);
        return;
    }
    tg_belong_met(keeper);
}

void tg_belong_met(void *user)
{
    struct tg_keeper *keeper = user;
    struct tg_belong *belong = &keeper->belong;
    const uint8_t *key = keeper->sealer.public_key;
    if (belong->known) {
        if (memcmp(belong->own, key, sizeof(belong->own)) == 0) {
            tg_sealer_accept(&keeper->sealer);
        } else {
            tg_sealer_refuse(&keeper->sealer);
        }
        return;
    }
    if (belong->asking || keeper->ending_since_us != 0) {
        return;
    }
    belong->job = (struct tg_job){.run = run, .done = done};
    belong->keeper = keeper;
    belong->asking = true;
    memcpy(belong->asked, key, sizeof(belong->asked));
    tg_committer_post(&keeper->committer, &belong->job);
}
