/*
 * note.c - refusals that no claim belongs to: the gate's own, and keys that were not good.
 *
 * Promises: those of known partners are recorded while there is room; those of nobody at most
 * TG_KEEPER_UNKNOWN_ROWS_PER_SECOND a second. What is not recorded is counted, and the count is recorded.
 * Does not: answer.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "daemon/log.h"
#include "keeper/clock.h"
#include "keeper/keeper.h"

#include "base/banned.h"

/* False: not now. */
static bool may_record(struct tg_keeper *keeper, uint32_t partner)
{
    if (keeper->batcher.notes >= TG_KEEPER_NOTES_MAX) {
        return false;
    }
    if (partner != 0) {
        return true;
    }
    int64_t now_ms = tg_clock_monotonic_us() / 1000;
    if (tg_bucket_wait(&keeper->unknown_rows, TG_KEEPER_UNKNOWN_ROWS_PER_SECOND, 1000, now_ms) > 0) {
        return false;
    }
    tg_bucket_spend(&keeper->unknown_rows, TG_KEEPER_UNKNOWN_ROWS_PER_SECOND, 1000, now_ms);
    return true;
}

static void suppress(struct tg_keeper *keeper)
{
    keeper->suppressed++;
    keeper->metrics.suppressed++;
}

void tg_note_record(struct tg_keeper *keeper, const struct tg_verdict_row *row)
{
    if (!may_record(keeper, row->partner)) {
        suppress(keeper);
        return;
    }
    uint8_t names[2 * TG_NAME_BYTES_MAX];
    struct tg_buf copy = tg_buf(names, sizeof(names));
    tg_buf_put(&copy, row->route);
    tg_buf_put(&copy, row->operation);
    struct tg_question *question = copy.over ? NULL : tg_question_make(TG_QUESTION_REFUSAL, tg_buf_span(&copy));
    if (question == NULL) {
        suppress(keeper);
        return;
    }
    struct tg_span body = tg_span(question->body, question->body_len);
    question->work = (struct tg_work){.kind = TG_WORK_REFUSAL, .refusal = *row};
    question->work.refusal.route = tg_span_sub(body, 0, row->route.len);
    question->work.refusal.operation = tg_span_sub(body, row->route.len, row->operation.len);
    tg_batch_ask(keeper, question);
}

bool tg_note_serve(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_note note;
    if (tg_note_read(frame->body, &note) != TG_OK) {
        return false;
    }
    link->keeper->metrics.notes++;
    struct tg_verdict_row row = {
        .at_us = tg_clock_utc_us(),
        .flags = note.flags,
        .reason = note.reason,
        .status = note.status,
        .partner = note.partner,
        .credential = note.credential,
        .route = note.route,
        .operation = note.operation,
    };
    memcpy(row.request_id, note.request_id, sizeof(row.request_id));
    const struct tg_setup_key *key = tg_setup_key(&link->keeper->setup, note.credential);
    row.environment = key == NULL ? 0 : key->environment;
    tg_note_record(link->keeper, &row);
    return true;
}

/* ---- the count of the rest ---- */

struct suppressed_job {
    struct tg_job job;
    struct tg_keeper *keeper;
    struct tg_act act;
    uint8_t text[64];
};

static void run(struct tg_job *job, struct tg_store *store)
{
    struct suppressed_job *suppressed = (struct suppressed_job *)job;
    enum tg_err err = tg_store_act(store, &suppressed->act);
    if (err != TG_OK) {
        tg_committer_fail("suppressed", err);
    }
}

static void done(struct tg_job *job)
{
    struct suppressed_job *suppressed = (struct suppressed_job *)job;
    suppressed->keeper->acting = false;
    free(suppressed);
}

void tg_note_suppressed(struct tg_keeper *keeper)
{
    if (keeper->suppressed == 0 || keeper->acting) {
        return;
    }
    struct suppressed_job *suppressed = calloc(1, sizeof(*suppressed));
    if (suppressed == NULL) {
        return;
    }
    struct tg_buf text = tg_buf(suppressed->text, sizeof(suppressed->text));
    tg_buf_put_string(&text, "{\"count\":");
    tg_buf_put_decimal(&text, (int64_t)keeper->suppressed);
    tg_buf_put_string(&text, "}");
    suppressed->job = (struct tg_job){.run = run, .done = done};
    suppressed->keeper = keeper;
    suppressed->act = (struct tg_act){.kind = TG_ACT_OTHER, .at_us = tg_clock_utc_us(), .actor = TG_SPAN("keeper"),
                                      .what = TG_SPAN("refusals.suppressed"), .after = tg_buf_span(&text)};
    if (tg_env_random(suppressed->act.request_id, TG_REQUEST_ID_BYTES) != TG_OK) {
        free(suppressed);
        return;
    }
    keeper->suppressed = 0;
    keeper->acting = true;
    tg_committer_post(&keeper->committer, &suppressed->job);
}
