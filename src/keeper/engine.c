/*
 * engine.c - the turns of the keeper: what a loop, or a simulator in its place, calls.
 *
 * Promises: everything that decides hangs on these calls and on the ports' callbacks, so that the same calls in the
 * same order with the same clocks and chance come to the same answers.
 * Does not: know libuv, threads or sockets.
 */
#include <stdlib.h>
#include <string.h>

#include "keeper/clock.h"
#include "keeper/keeper.h"
#include "keeper/load.h"
#include "keeper/refresh.h"
#include "keeper/rotation.h"

#include "base/banned.h"

/* The store is looked at once a second even when nobody asks anything. */
#define IDLE_TICKS (1000 / TG_ENGINE_TICK_MS)
/* And whether another keeper changed what operators set up: a revocation holds everywhere within a second. */
#define REFRESH_TICKS (300 / TG_ENGINE_TICK_MS)

/* Beside a large batch another may begin, when enough has come; a large one is under way for some milliseconds. */
#define OVERLAP_LOOK_MS 1

/* An owner is a link of this process at this time: never met again, while the clock only goes forward. */
static enum tg_err name_process(struct tg_keeper *keeper)
{
    keeper->owner_next = (uint64_t)tg_clock_utc_us() << 12;
    keeper->started_us = tg_clock_monotonic_us();
    enum tg_err err = tg_env_random(keeper->boot_id, sizeof(keeper->boot_id));
    if (err != TG_OK) {
        return err;
    }
    keeper->throttle = calloc(1, sizeof(*keeper->throttle));
    if (keeper->throttle == NULL) {
        return TG_ERR_ROOM;
    }
    return tg_env_random(&keeper->throttle->seed, sizeof(keeper->throttle->seed));
}

enum tg_err tg_engine_start(struct tg_keeper *keeper)
{
    tg_metrics_start(&keeper->metrics);
    keeper->segment = tg_store_segment(keeper->committer.store);
    enum tg_err err = name_process(keeper);
    if (err == TG_OK) {
        err = tg_load_setup(keeper);
    }
    if (err == TG_OK) {
        err = tg_batch_start(keeper);
    }
    if (err == TG_OK) {
        tg_rotation_bind(keeper);
    }
    return err;
}

void tg_engine_turn(struct tg_keeper *keeper)
{
    tg_batch_pump(keeper);
    tg_link_flush_all(keeper);
}

static void nothing_to_do(struct tg_job *job)
{
    free(job);
}

void tg_engine_tick(struct tg_keeper *keeper)
{
    tg_batch_expire(keeper);
    tg_sealer_tick(&keeper->sealer, tg_clock_monotonic_us());
    if (keeper->options.store_postgres_file != NULL && keeper->ticks % REFRESH_TICKS == 0) {
        tg_refresh_ask(keeper);
    }
    if (++keeper->ticks % IDLE_TICKS == 0) {
        tg_note_suppressed(keeper);
        tg_rotation_tick(keeper);
        struct tg_job *job = calloc(1, sizeof(*job));
        if (job != NULL) {
            job->done = nothing_to_do;
            tg_committer_post(&keeper->committer, job);
        }
    }
}

int tg_engine_inward_ms(const struct tg_keeper *keeper)
{
    const struct tg_batcher *batcher = &keeper->batcher;
    size_t works = tg_batch_underway(batcher);
    if (works == 0 || !batcher->quiet || keeper->sealer.writing || keeper->ending_since_us != 0) {
        return 0;
    }
    for (const struct tg_link *link = keeper->links; link != NULL; link = link->next) {
        if (link->writing) {
            return 0;
        }
    }
    return works < TG_BATCH_OVERLAP_WORKS ? TG_ENGINE_TICK_MS : OVERLAP_LOOK_MS;
}

void tg_engine_end(struct tg_keeper *keeper)
{
    keeper->ending_since_us = tg_clock_monotonic_us();
    for (struct tg_link *link = keeper->links; link != NULL; link = link->next) {
        tg_link_pause(link);
    }
}

bool tg_engine_ended(const struct tg_keeper *keeper)
{
    if (!tg_batch_idle(keeper)) {
        return false;
    }
    for (const struct tg_link *link = keeper->links; link != NULL; link = link->next) {
        if (link->writing || link->out.len > 0) {
            return false;
        }
    }
    return true;
}

void tg_engine_free(struct tg_keeper *keeper)
{
    tg_batch_stop(keeper);
    tg_setup_free(&keeper->setup);
    free(keeper->sealer.in);
    free(keeper->sealer.out.ptr);
    free(keeper->throttle);
}
