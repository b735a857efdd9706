/*
 * rotation.c - between store and sealer, when segments come and go.
 *
 * Promises: as rotation.h. What a lost link leaves undone is done again: a new link makes the
 * wanted segment's key first, and the store names again what is not purged.
 * Does not: block the batch that is under way.
 */
#include "keeper/rotation.h"

#include <stdlib.h>

#include "daemon/log.h"
#include "keeper/belong.h"

#include "base/banned.h"

static void say(enum tg_log_level level, const char *event, uint32_t segment)
{
    struct tg_log line;
    tg_log_begin(&line, level, event);
    tg_log_number(&line, "segment", segment);
    tg_log_end(&line);
}

/* ---- a new one ---- */

static void take_made(void *user, uint8_t status, struct tg_span output)
{
    (void)output;
    struct tg_keeper *keeper = user;
    if (status == TG_SEAL_DONE && keeper->segment != keeper->making) {
        keeper->segment = keeper->making;
        say(TG_LOG_INFO, "segment_opened", keeper->segment);
    } else if (status != TG_SEAL_DONE && status != TG_SEALER_LOST) {
        say(TG_LOG_ERROR, "segment_key_not_made", keeper->making);
    }
    keeper->making = 0;
}

void tg_rotation_tick(struct tg_keeper *keeper)
{
    if (keeper->segment != keeper->segment_wanted && keeper->making == 0) {
        keeper->making = keeper->segment_wanted;
        struct tg_seal_work work = {.operation = TG_SEAL_KEY_MAKE, .key = TG_SEAL_KEY_SEGMENT + keeper->segment_wanted};
        tg_sealer_ask(&keeper->sealer, &work, 0, take_made, keeper);
    }
}

/* ---- an old one ---- */

struct purge {
    struct tg_job job;
    struct tg_keeper *keeper;
    uint32_t segment;
};

static void run_purged(struct tg_job *job, struct tg_store *store)
{
    const struct purge *purge = (const struct purge *)job;
    enum tg_err err = tg_store_purged(store, purge->segment);
    if (err != TG_OK && err != TG_ERR_ABSENT) {
        tg_committer_fail("purged", err);
    }
}

static void done_purged(struct tg_job *job)
{
    struct purge *purge = (struct purge *)job;
    purge->keeper->destroying--;
    say(TG_LOG_INFO, "answers_purged", purge->segment);
    free(purge);
}

static void take_destroyed(void *user, uint8_t status, struct tg_span output)
{
    (void)output;
    struct purge *purge = user;
    if (status == TG_SEAL_DONE) {
        purge->job = (struct tg_job){.run = run_purged, .done = done_purged};
        tg_committer_post(&purge->keeper->committer, &purge->job);
        return;
    }
    if (status != TG_SEALER_LOST) {
        say(TG_LOG_ERROR, "segment_key_not_destroyed", purge->segment);
    }
    purge->keeper->destroying--;
    free(purge);
}

static void destroy(struct tg_keeper *keeper, uint32_t segment)
{
    struct purge *purge = calloc(1, sizeof(*purge));
    if (purge == NULL) {
        return;
    }
    purge->keeper = keeper;
    purge->segment = segment;
    keeper->destroying++;
    struct tg_seal_work work = {.operation = TG_SEAL_KEY_DESTROY, .key = TG_SEAL_KEY_SEGMENT + segment};
    tg_sealer_ask(&keeper->sealer, &work, 0, take_destroyed, purge);
}

static void rotated(struct tg_job *job)
{
    struct tg_rotation *rotation = (struct tg_rotation *)job;
    struct tg_keeper *keeper = rotation->user;
    if (rotation->new_segment != 0) {
        keeper->segment_wanted = rotation->new_segment;
        tg_rotation_tick(keeper);
    }
    if (keeper->destroying == 0) {
        for (size_t i = 0; i < rotation->destroy_count; i++) {
            destroy(keeper, rotation->destroy[i]);
        }
    }
    free(rotation);
}

/* ---- the sealer's link ---- */

static uint32_t wanted(void *user)
{
    const struct tg_keeper *keeper = user;
    return keeper->segment_wanted;
}

static void changed(void *user)
{
    struct tg_keeper *keeper = user;
    if (keeper->sealer.ready && keeper->sealer_was_away) {
        /* The key that it asked for is made. One that came to be wanted since is not: the tick asks for it. */
        keeper->segment = keeper->sealer.made;
    }
    keeper->sealer_was_away = !keeper->sealer.ready;
    tg_batch_pump(keeper);
}

void tg_rotation_bind(struct tg_keeper *keeper)
{
    keeper->segment_wanted = keeper->segment;
    keeper->sealer_was_away = true;
    keeper->committer.rotated = rotated;
    keeper->committer.user = keeper;
    keeper->sealer = (struct tg_sealer_link){
        .segment = wanted,
        .met = tg_belong_met,
        .changed = changed,
        .user = keeper,
    };
}
