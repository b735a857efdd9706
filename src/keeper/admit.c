/*
 * admit.c - the question "may this call go to the upstream?": taken in, prepared, answered.
 *
 * Promises: judged when its turn comes, so that a revocation or a deadline in between counts; a
 * refusal is answered after its row is durable, an allowance after its claim is.
 * Does not: claim (the store does) or MAC (the sealer does).
 */
#include <string.h>

#include "base/endian.h"
#include "crypto/crypto.h"
#include "keeper/clock.h"
#include "keeper/keeper.h"
#include "keeper/policy.h"

#include "base/banned.h"

/* The longest that a question may ask to be waited for; a gate's own ceiling is far below. */
#define WAIT_MS_MAX 60000
/* The longest life of a claim: profiles say days (Stripe: one); beyond this a key is no retry. */
#define TTL_S_MAX (90u * 86400u)
/* Observed calls have a claim space of their own. */
#define OBSERVED 0x80u
/* When to ask again, for what passes by itself. */
#define RETRY_AFTER_S 1

static const uint16_t reason_of_claim[] = {
    [TG_CLAIM_TAKEN] = TG_REASON_OK,
    [TG_CLAIM_SAME] = TG_REASON_OK,
    [TG_CLAIM_IN_FLIGHT] = TG_REASON_KEY_IN_FLIGHT,
    [TG_CLAIM_UNKNOWN] = TG_REASON_KEY_OUTCOME_UNKNOWN,
    [TG_CLAIM_REPLAY] = TG_REASON_OK,
    [TG_CLAIM_ANSWER_ABSENT] = TG_REASON_KEY_ANSWER_ABSENT,
    [TG_CLAIM_MISMATCH] = TG_REASON_KEY_REUSED,
    [TG_CLAIM_OVER_QUOTA] = TG_REASON_QUOTA_EXCEEDED,
};

enum tg_err tg_admit_claim_digest(const struct tg_admit *admit, uint8_t ret[TG_DIGEST_BYTES])
{
    uint8_t space = (uint8_t)(admit->environment | (admit->flags & TG_FLAG_OBSERVE ? OBSERVED : 0));
    uint8_t partner[4];
    tg_be32_write(partner, admit->partner);
    struct tg_span key = admit->flags & TG_FLAG_HAS_KEY ? tg_span(admit->key_digest, TG_DIGEST_BYTES)
                                                        : tg_span(admit->request_id, TG_REQUEST_ID_BYTES);
    const struct tg_span parts[] = {tg_span(&space, 1), tg_span(partner, sizeof(partner)), admit->method,
                                    admit->path_template, key};
    return tg_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), ret);
}

static void write_answer(struct tg_link *link, uint16_t slot, uint32_t turn, const struct tg_admit_answer *answer)
{
    if (link == NULL) {
        return;
    }
    struct tg_metrics *metrics = &link->keeper->metrics;
    metrics->verdicts[answer->verdict]++;
    if (answer->verdict == TG_VERDICT_REFUSE) {
        tg_metrics_refusal(metrics, answer->reason);
    }
    struct tg_buf *out = tg_link_room(link, tg_admit_answer_size(answer));
    if (out != NULL) {
        tg_admit_answer_write(out, slot, turn, answer);
    }
}

static uint16_t retry_after_s(uint16_t reason)
{
    switch (reason) {
    case TG_REASON_KEY_IN_FLIGHT:
    case TG_REASON_KEEPER_BUSY:
    case TG_REASON_KEEPER_TIMEOUT:
    case TG_REASON_SEALER_UNAVAILABLE:
        return RETRY_AFTER_S;
    default:
        return 0;
    }
}

void tg_admit_refuse(struct tg_link *link, uint16_t slot, uint32_t turn, uint16_t reason, uint16_t wait_s)
{
    struct tg_admit_answer answer = {.verdict = TG_VERDICT_REFUSE, .reason = reason, .retry_after_s = wait_s};
    write_answer(link, slot, turn, &answer);
}

static void refuse(struct tg_question *question, uint16_t reason)
{
    tg_admit_refuse(question->link, question->slot, question->turn, reason, retry_after_s(reason));
    tg_question_free(question);
}

bool tg_admit_serve(struct tg_link *link, const struct tg_frame *frame)
{
    struct tg_keeper *keeper = link->keeper;
    struct tg_admit admit;
    if (tg_admit_read(frame->body, &admit) != TG_OK) {
        return false;
    }
    if (keeper->batcher.admits >= TG_KEEPER_ADMITS_MAX || keeper->ending_since_us != 0) {
        uint16_t reason = keeper->ending_since_us != 0 ? TG_REASON_KEEPER_UNAVAILABLE : TG_REASON_KEEPER_BUSY;
        keeper->suppressed++;
        tg_admit_refuse(link, frame->slot, frame->turn, reason, RETRY_AFTER_S);
        return true;
    }
    struct tg_question *question = tg_question_make(TG_QUESTION_ADMIT, frame->body);
    if (question == NULL) {
        tg_admit_refuse(link, frame->slot, frame->turn, TG_REASON_KEEPER_BUSY, RETRY_AFTER_S);
        return true;
    }
    /* Read again, so that its spans borrow from the copy. */
    if (tg_admit_read(tg_span(question->body, question->body_len), &question->admit) != TG_OK) {
        tg_question_free(question);
        return false;
    }
    uint32_t wait_ms = question->admit.wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : question->admit.wait_ms;
    question->slot = frame->slot;
    question->turn = frame->turn;
    question->received_us = tg_clock_monotonic_us();
    question->deadline_us = question->received_us + (int64_t)wait_ms * 1000;
    tg_link_bind(link, question);
    tg_batch_ask(keeper, question);
    return true;
}

static struct tg_verdict_row row_of(const struct tg_admit *admit, int64_t now_us)
{
    struct tg_verdict_row row = {
        .at_us = now_us,
        .flags = admit->flags,
        .environment = admit->environment,
        .partner = admit->partner,
        .credential = admit->credential,
        .amount_minor = admit->amount_minor,
        .route = admit->route,
        .operation = admit->operation,
        .method = admit->method,
        .path_template = admit->path_template,
    };
    memcpy(row.request_id, admit->request_id, sizeof(row.request_id));
    memcpy(row.currency, admit->currency, sizeof(row.currency));
    return row;
}

void tg_admit_prepare(struct tg_keeper *keeper, struct tg_question *question)
{
    const struct tg_admit *admit = &question->admit;
    int64_t now_us = tg_clock_utc_us();
    struct tg_verdict_row row = row_of(admit, now_us);
    struct tg_policy_quota quota = {0};
    if (keeper->ending_since_us != 0) {
        question->reason = TG_REASON_KEEPER_UNAVAILABLE;
    } else if (question->link->closing || question->deadline_us <= tg_clock_monotonic_us()) {
        /* Nobody would hear that it is allowed: a claim would only become an unknown. */
        question->reason = TG_REASON_KEEPER_TIMEOUT;
    } else {
        question->reason = (uint16_t)tg_policy_admit(&keeper->setup, admit, now_us, &quota);
    }
    if (question->reason != TG_REASON_OK) {
        row.reason = question->reason;
        row.status = tg_reason_entry(row.reason)->status;
        question->work = (struct tg_work){.kind = TG_WORK_REFUSAL, .refusal = row};
        return;
    }
    uint32_t ttl_s = admit->ttl_s > TTL_S_MAX ? TTL_S_MAX : admit->ttl_s;
    question->work = (struct tg_work){.kind = TG_WORK_ADMIT};
    question->work.admit = (struct tg_admit_work){
        .row = row,
        .expires_us = now_us + (int64_t)ttl_s * 1000000,
        .owner = question->link->owner,
        .resend_unknown = (admit->flags & TG_FLAG_UPSTREAM_IDEMPOTENT) && (admit->flags & TG_FLAG_HAS_KEY),
        .has_quota = quota.has_quota,
        .quota_day_minor = quota.day_minor,
        .quota_day = tg_policy_day(now_us),
    };
}

/* ---- answers ---- */

static void allow(struct tg_question *question)
{
    const struct tg_opened *opened = question->opened;
    struct tg_admit_answer answer = {
        .verdict = TG_VERDICT_ALLOW,
        .ticket = question->work.admit.ticket,
        .credential = opened == NULL ? tg_span(NULL, 0) : tg_span(opened->plain, opened->len),
    };
    write_answer(question->link, question->slot, question->turn, &answer);
    tg_question_free(question);
}

static void take_replay(void *user, uint8_t status, struct tg_span output)
{
    struct tg_question *question = user;
    struct tg_link *link = question->link;
    link->keeper->batcher.replays--;
    if (status != TG_SEAL_DONE) {
        refuse(question, status == TG_SEALER_LOST   ? TG_REASON_SEALER_UNAVAILABLE
                         : status == TG_SEAL_NO_KEY ? TG_REASON_KEY_ANSWER_ABSENT
                                                    : TG_REASON_INTERNAL);
        return;
    }
    if (link->out.len + link->sending.len + output.len > TG_LINK_OUTPUT_BYTES_BUSY) {
        refuse(question, TG_REASON_KEEPER_BUSY);
        return;
    }
    struct tg_admit_answer answer = {.verdict = TG_VERDICT_REPLAY, .answer = output};
    memcpy(answer.original_id, question->work.admit.original_id, sizeof(answer.original_id));
    write_answer(link, question->slot, question->turn, &answer);
    tg_question_free(question);
}

void tg_admit_answer(struct tg_keeper *keeper, struct tg_question *question)
{
    const struct tg_admit_work *admit = &question->work.admit;
    if (question->reason != TG_REASON_OK) {
        refuse(question, question->reason);
        return;
    }
    uint16_t reason = TG_REASON_INTERNAL;
    if (admit->result >= TG_CLAIM_TAKEN && admit->result <= TG_CLAIM_OVER_QUOTA) {
        reason = reason_of_claim[admit->result];
    }
    if (reason != TG_REASON_OK) {
        refuse(question, reason);
    } else if (admit->result == TG_CLAIM_REPLAY) {
        struct tg_seal_work open = {TG_SEAL_OPEN, TG_SEAL_KEY_SEGMENT + admit->seal_segment,
                                    tg_span(admit->original_id, TG_REQUEST_ID_BYTES), admit->sealed};
        keeper->batcher.replays++;
        tg_sealer_ask(&keeper->sealer, &open, 0, take_replay, question);
    } else {
        allow(question);
    }
}
