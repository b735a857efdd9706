/*
 * batch.c - the pipeline between the links, the sealer and the committer.
 *
 * Promises: as batch.h.
 * Does not: judge (admit.c, settle.c) or encode answers.
 */
#include "keeper/batch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crypto/crypto.h"
#include "daemon/log.h"
#include "keeper/clock.h"
#include "keeper/keeper.h"

#include "base/banned.h"

/* Stored answers of one batch's replays: sixty of the largest, a thousand usual ones. The store asks the rest again. */
#define ARENA_BYTES (64u * 1024u * 1024u)

enum tg_err tg_batch_start(struct tg_keeper *keeper)
{
    for (size_t i = 0; i < TG_BATCHES; i++) {
        struct tg_batch *batch = &keeper->batcher.batches[i];
        void *pages = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                           0);
        if (pages == MAP_FAILED) {
            return TG_ERR_ROOM;
        }
        batch->keeper = keeper;
        batch->arena = tg_arena(pages, ARENA_BYTES);
    }
    return TG_OK;
}

void tg_batch_stop(struct tg_keeper *keeper)
{
    struct tg_batcher *batcher = &keeper->batcher;
    while (batcher->queue.head != NULL) {
        struct tg_question **at = &batcher->queue.head;
        tg_question_free(tg_question_take(&batcher->queue, at));
    }
    for (size_t i = 0; i < TG_BATCHES; i++) {
        if (batcher->batches[i].arena.ptr != NULL) {
            munmap(batcher->batches[i].arena.ptr, ARENA_BYTES);
        }
    }
}

void tg_batch_ask(struct tg_keeper *keeper, struct tg_question *question)
{
    struct tg_batcher *batcher = &keeper->batcher;
    batcher->admits += question->kind == TG_QUESTION_ADMIT;
    batcher->notes += question->kind == TG_QUESTION_REFUSAL;
    tg_question_push(&batcher->queue, question);
}

size_t tg_batch_underway(const struct tg_batcher *batcher)
{
    size_t works = 0;
    for (size_t i = 0; i < TG_BATCHES; i++) {
        works += batcher->batches[i].busy ? batcher->batches[i].count : 0;
    }
    return works;
}

/* Beside a batch that is under way another begins only when it is large: see TG_BATCH_OVERLAP_WORKS. */
static struct tg_batch *free_batch(struct tg_batcher *batcher)
{
    if (tg_batch_underway(batcher) > 0 && batcher->queue.count < TG_BATCH_OVERLAP_WORKS) {
        return NULL;
    }
    for (size_t i = 0; i < TG_BATCHES; i++) {
        if (!batcher->batches[i].busy) {
            return &batcher->batches[i];
        }
    }
    return NULL;
}

bool tg_batch_idle(const struct tg_keeper *keeper)
{
    const struct tg_batcher *batcher = &keeper->batcher;
    return tg_batch_underway(batcher) == 0 && batcher->queue.count == 0 && batcher->replays == 0;
}

/* ---- committer's thread ---- */

/* What waited too long on its way here is refused: its gate no longer listens. */
static void expire(struct tg_question *question, int64_t now_us)
{
    if (question->kind != TG_QUESTION_ADMIT || question->reason != TG_REASON_OK || question->deadline_us > now_us) {
        return;
    }
    struct tg_verdict_row row = question->work.admit.row;
    question->reason = TG_REASON_KEEPER_TIMEOUT;
    row.reason = question->reason;
    row.status = tg_reason_entry(row.reason)->status;
    question->work = (struct tg_work){.kind = TG_WORK_REFUSAL, .refusal = row};
}

static void run(struct tg_job *job, struct tg_store *store)
{
    struct tg_batch *batch = (struct tg_batch *)job;
    struct tg_work *works[TG_BATCH_WORKS_MAX];
    int64_t begun_us = tg_clock_monotonic_us();
    for (size_t i = 0; i < batch->count; i++) {
        expire(batch->questions[i], begun_us);
        works[i] = &batch->questions[i]->work;
    }
    enum tg_err err = tg_store_commit(store, tg_clock_utc_us(), works, batch->count, &batch->arena);
    if (err != TG_OK) {
        tg_committer_fail("commit", err);
    }
    batch->commit_us = (uint64_t)(tg_clock_monotonic_us() - begun_us);
}

/* ---- loop's thread ---- */

static void recycle(struct tg_batch *batch)
{
    for (size_t i = 0; i < batch->opened_count; i++) {
        tg_wipe(batch->opened[i].plain, batch->opened[i].len);
        free(batch->opened[i].plain);
        batch->opened[i] = (struct tg_opened){0};
    }
    batch->opened_count = 0;
    batch->count = 0;
    if (batch->arena.used > 65536) {
        madvise(batch->arena.ptr, batch->arena.used, MADV_DONTNEED);
    }
    tg_arena_reset(&batch->arena);
    batch->busy = false;
}

static void done(struct tg_job *job)
{
    struct tg_batch *batch = (struct tg_batch *)job;
    struct tg_keeper *keeper = batch->keeper;
    tg_histogram_add(&keeper->metrics.batch_works, batch->count);
    tg_histogram_add(&keeper->metrics.commit_us, batch->commit_us);
    for (size_t i = 0; i < batch->count; i++) {
        struct tg_question *question = batch->questions[i];
        switch (question->kind) {
        case TG_QUESTION_ADMIT:
            tg_admit_answer(keeper, question);
            break;
        case TG_QUESTION_SETTLE:
            tg_settle_answer(keeper, question);
            break;
        case TG_QUESTION_RESOLVE:
            question->done(question);
            break;
        default:
            tg_question_free(question);
        }
    }
    recycle(batch);
    tg_batch_pump(keeper);
}

static void post(void *user)
{
    struct tg_batch *batch = user;
    batch->job = (struct tg_job){.run = run, .done = done};
    tg_committer_post(&batch->keeper->committer, &batch->job);
}

/* ---- what the sealer gives ---- */

static void refuse_admit(struct tg_question *question, uint8_t status)
{
    struct tg_verdict_row row = question->work.kind == TG_WORK_ADMIT ? question->work.admit.row
                                                                     : question->work.refusal;
    if (question->reason == TG_REASON_OK) {
        question->reason = status == TG_SEALER_LOST ? TG_REASON_SEALER_UNAVAILABLE : TG_REASON_INTERNAL;
    }
    row.reason = question->reason;
    row.status = tg_reason_entry(row.reason)->status;
    question->work = (struct tg_work){.kind = TG_WORK_REFUSAL, .refusal = row};
}

static bool mac_taken(struct tg_question *question, uint8_t status, struct tg_span output)
{
    if (status == TG_SEAL_DONE && output.len == TG_DIGEST_BYTES) {
        return true;
    }
    refuse_admit(question, status);
    return false;
}

static void take_claim(void *user, uint8_t status, struct tg_span output)
{
    struct tg_question *question = user;
    if (mac_taken(question, status, output) && question->work.kind == TG_WORK_ADMIT) {
        memcpy(question->work.admit.claim_key, output.ptr, TG_CLAIM_KEY_BYTES);
    }
}

static void take_fingerprint(void *user, uint8_t status, struct tg_span output)
{
    struct tg_question *question = user;
    if (mac_taken(question, status, output) && question->work.kind == TG_WORK_ADMIT) {
        memcpy(question->work.admit.fingerprint, output.ptr, TG_DIGEST_BYTES);
    }
}

static struct tg_verdict_row *row_of(struct tg_question *question)
{
    return question->work.kind == TG_WORK_ADMIT ? &question->work.admit.row : &question->work.refusal;
}

#define TAKE_PSEUDONYM(name)                                                                                           \
    static void take_##name(void *user, uint8_t status, struct tg_span output)                                         \
    {                                                                                                                  \
        struct tg_question *question = user;                                                                           \
        if (mac_taken(question, status, output)) {                                                                     \
            memcpy(row_of(question)->name, output.ptr, sizeof(row_of(question)->name));                                \
        }                                                                                                              \
    }
TAKE_PSEUDONYM(payee)
TAKE_PSEUDONYM(payer)
TAKE_PSEUDONYM(instrument)
TAKE_PSEUDONYM(address)

static void take_opened(void *user, uint8_t status, struct tg_span output)
{
    struct tg_opened *opened = user;
    opened->status = status;
    if (status == TG_SEAL_DONE && output.len <= TG_UPSTREAM_CREDENTIAL_BYTES_MAX) {
        opened->plain = malloc(output.len + 1);
        if (opened->plain == NULL) {
            opened->status = TG_SEAL_FAILED;
            return;
        }
        memcpy(opened->plain, output.ptr, output.len);
        opened->len = output.len;
    } else if (status == TG_SEAL_DONE) {
        opened->status = TG_SEAL_BAD;
    }
}

static void keep_sealed(struct tg_question *question, uint8_t status, struct tg_span output, struct tg_span *to)
{
    question->sealed = status == TG_SEAL_DONE ? malloc(output.len + 1) : NULL;
    if (question->sealed != NULL) {
        memcpy(question->sealed, output.ptr, output.len);
        *to = tg_span(question->sealed, output.len);
    } else {
        question->reason = status == TG_SEALER_LOST ? TG_REASON_SEALER_UNAVAILABLE : TG_REASON_INTERNAL;
    }
}

static void take_settle(void *user, uint8_t status, struct tg_span output)
{
    struct tg_question *question = user;
    keep_sealed(question, status, output, &question->work.settle.sealed);
}

static void take_resolve(void *user, uint8_t status, struct tg_span output)
{
    struct tg_question *question = user;
    keep_sealed(question, status, output, &question->work.resolve.sealed);
}

/*
 * All results are there. A SETTLE whose answer could not be sealed goes back to the head of the queue when the link
 * went, and is recorded as unknown when the sealer refused: executed or not, its caller sees no answer.
 */
static void staged(void *user)
{
    struct tg_batch *batch = user;
    struct tg_question_queue *queue = &batch->keeper->batcher.queue;
    struct tg_question *again = NULL;
    struct tg_question **again_tail = &again;
    size_t kept = 0;
    size_t returned = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct tg_question *question = batch->questions[i];
        if (question->kind == TG_QUESTION_ADMIT && question->reason == TG_REASON_OK && question->opened != NULL &&
            question->opened->status != TG_SEAL_DONE) {
            refuse_admit(question, question->opened->status);
        }
        if (question->kind == TG_QUESTION_SETTLE && question->reason == TG_REASON_SEALER_UNAVAILABLE) {
            question->reason = TG_REASON_OK;
            *again_tail = question;
            again_tail = &question->next;
            returned++;
            continue;
        }
        if (question->kind == TG_QUESTION_SETTLE && question->reason != TG_REASON_OK) {
            question->work.settle.outcome = TG_OUTCOME_UNKNOWN;
            question->work.settle.reason = question->reason;
        }
        if (question->kind == TG_QUESTION_RESOLVE && question->reason != TG_REASON_OK) {
            question->work.resolve.result = TG_ERR_DOWN;
            question->done(question);
            continue;
        }
        batch->questions[kept++] = question;
    }
    batch->count = kept;
    if (again != NULL) {
        *again_tail = queue->head;
        if (queue->head == NULL) {
            queue->tail = again_tail;
        }
        queue->head = again;
        queue->count += returned;
    }
    if (kept > 0) {
        post(batch);
    } else {
        recycle(batch);
    }
}

/* ---- what the sealer is asked ---- */

struct wish {
    struct tg_seal_work work;
    tg_sealer_take *take;
};

#define WISHES_MAX 6

static bool nothing(const uint8_t digest[TG_DIGEST_BYTES])
{
    static const uint8_t zero[TG_DIGEST_BYTES];
    return memcmp(digest, zero, TG_DIGEST_BYTES) == 0;
}

static struct wish mac(uint32_t key, const uint8_t digest[TG_DIGEST_BYTES], tg_sealer_take *take)
{
    return (struct wish){{TG_SEAL_MAC, key, {0}, tg_span(digest, TG_DIGEST_BYTES)}, take};
}

/* claim: room for the digest of the claim's parts, which must outlive the wishes. */
static size_t wish_admit(struct tg_question *question, struct wish wishes[WISHES_MAX], uint8_t claim[TG_DIGEST_BYTES])
{
    const struct tg_admit *admit = &question->admit;
    size_t count = 0;
    if (question->reason == TG_REASON_OK) {
        if (tg_admit_claim_digest(admit, claim) != TG_OK) {
            refuse_admit(question, TG_SEAL_FAILED);
            return 0;
        }
        wishes[count++] = mac(TG_SEAL_KEY_CLAIM, claim, take_claim);
        wishes[count++] = mac(TG_SEAL_KEY_FINGERPRINT, admit->fingerprint, take_fingerprint);
    }
    if (admit->flags & TG_FLAG_HAS_PAYEE) {
        wishes[count++] = mac(TG_SEAL_KEY_PSEUDONYM, admit->payee, take_payee);
    }
    if (admit->flags & TG_FLAG_HAS_PAYER) {
        wishes[count++] = mac(TG_SEAL_KEY_PSEUDONYM, admit->payer, take_payer);
    }
    if (admit->flags & TG_FLAG_HAS_INSTRUMENT) {
        wishes[count++] = mac(TG_SEAL_KEY_PSEUDONYM, admit->instrument, take_instrument);
    }
    if (!nothing(admit->address)) {
        wishes[count++] = mac(TG_SEAL_KEY_PSEUDONYM, admit->address, take_address);
    }
    return count;
}

static struct wish seal(struct tg_keeper *keeper, const uint8_t request_id[TG_REQUEST_ID_BYTES], struct tg_span answer,
                        uint32_t *segment, tg_sealer_take *take)
{
    *segment = keeper->segment;
    return (struct wish){{TG_SEAL_SEAL, TG_SEAL_KEY_SEGMENT + keeper->segment,
                          tg_span(request_id, TG_REQUEST_ID_BYTES), answer}, take};
}

/* The batch's copy of the question's route credential; a new one is asked of the sealer. NULL: no room in the batch. */
static struct tg_opened *open_route(struct tg_batch *batch, const struct tg_setup_route *route, bool *fresh)
{
    *fresh = false;
    for (size_t i = 0; i < batch->opened_count; i++) {
        if (strncmp(batch->opened[i].route, route->name, sizeof(route->name)) == 0) {
            return &batch->opened[i];
        }
    }
    if (batch->opened_count == TG_BATCH_ROUTES_MAX) {
        return NULL;
    }
    struct tg_opened *opened = &batch->opened[batch->opened_count++];
    *opened = (struct tg_opened){.status = TG_SEALER_LOST};
    memcpy(opened->route, route->name, sizeof(route->name));
    *fresh = true;
    return opened;
}

/* Adds the question's works to the frame. False: the frame or the batch has no room; ask in the next. */
static bool stage(struct tg_keeper *keeper, struct tg_batch *batch, struct tg_question *question)
{
    struct tg_sealer_link *sealer = &keeper->sealer;
    struct wish wishes[WISHES_MAX];
    uint8_t claim[TG_DIGEST_BYTES];
    size_t count = 0;
    size_t bytes = 0;
    const struct tg_setup_route *route = NULL;
    if (question->kind == TG_QUESTION_ADMIT) {
        count = wish_admit(question, wishes, claim);
        route = question->reason == TG_REASON_OK ? tg_setup_route(&keeper->setup, question->admit.route) : NULL;
    } else if (question->kind == TG_QUESTION_SETTLE) {
        struct tg_settle_work *settle = &question->work.settle;
        wishes[count++] = seal(keeper, question->settle.request_id, question->settle.answer, &settle->seal_segment,
                               take_settle);
    } else {
        struct tg_resolve_work *resolve = &question->work.resolve;
        wishes[count++] = seal(keeper, resolve->request_id, tg_span(question->body, question->body_len),
                               &resolve->seal_segment, take_resolve);
    }
    for (size_t i = 0; i < count; i++) {
        bytes += tg_seal_work_size(&wishes[i].work);
    }
    if (!tg_sealer_room(sealer, count + 1, bytes + (route == NULL ? 0 : route->sealed_len + 128))) {
        return false;
    }
    if (route != NULL) {
        bool fresh;
        question->opened = open_route(batch, route, &fresh);
        if (question->opened == NULL) {
            return false;
        }
        if (fresh) {
            struct tg_seal_work work = {TG_SEAL_OPEN, TG_SEAL_KEY_CREDENTIAL, tg_span_string(route->name),
                                        tg_span(route->sealed, route->sealed_len)};
            tg_sealer_add(sealer, &work, take_opened, question->opened);
        }
    }
    for (size_t i = 0; i < count; i++) {
        tg_sealer_add(sealer, &wishes[i].work, wishes[i].take, question);
    }
    return true;
}

static void prepare(struct tg_keeper *keeper, struct tg_question *question)
{
    if (question->kind == TG_QUESTION_ADMIT) {
        tg_admit_prepare(keeper, question);
    } else if (question->kind == TG_QUESTION_SETTLE) {
        tg_settle_prepare(keeper, question);
    }
}

/* Not worth the sealer's time: nobody waits, or not for us. */
static bool refused_by_us(const struct tg_question *question)
{
    return question->reason == TG_REASON_KEEPER_TIMEOUT || question->reason == TG_REASON_KEEPER_UNAVAILABLE;
}

static bool needs_sealer(const struct tg_question *question)
{
    switch (question->kind) {
    case TG_QUESTION_ADMIT:
        return !refused_by_us(question);
    case TG_QUESTION_SETTLE:
        return question->settle.outcome == TG_OUTCOME_FINAL && question->settle.answer.len > 0;
    case TG_QUESTION_RESOLVE:
        return question->body_len > 0;
    default:
        return false;
    }
}

/* Moves questions from the queue into the batch. With the sealer away, what needs it is refused or stays. */
static void fill(struct tg_keeper *keeper, struct tg_batch *batch, bool away)
{
    struct tg_batcher *batcher = &keeper->batcher;
    struct tg_question **at = &batcher->queue.head;
    while (*at != NULL && batch->count < TG_BATCH_WORKS_MAX) {
        struct tg_question *question = *at;
        prepare(keeper, question);
        if (needs_sealer(question) && away) {
            if (question->kind != TG_QUESTION_ADMIT) {
                at = &question->next;
                continue;
            }
            refuse_admit(question, TG_SEALER_LOST);
        } else if (needs_sealer(question) && !stage(keeper, batch, question)) {
            break;
        }
        batch->questions[batch->count++] = tg_question_take(&batcher->queue, at);
        batcher->admits -= question->kind == TG_QUESTION_ADMIT;
        batcher->notes -= question->kind == TG_QUESTION_REFUSAL;
    }
}

void tg_batch_expire(struct tg_keeper *keeper)
{
    struct tg_batcher *batcher = &keeper->batcher;
    struct tg_question **at = &batcher->queue.head;
    int64_t now_us = tg_clock_monotonic_us();
    while (*at != NULL) {
        struct tg_question *question = *at;
        if (question->kind != TG_QUESTION_ADMIT || question->deadline_us > now_us) {
            at = &question->next;
            continue;
        }
        tg_question_take(&batcher->queue, at);
        batcher->admits--;
        keeper->suppressed++;
        tg_admit_refuse(question->link, question->slot, question->turn, TG_REASON_KEEPER_TIMEOUT, 1);
        tg_question_free(question);
    }
}

void tg_batch_pump(struct tg_keeper *keeper)
{
    struct tg_batcher *batcher = &keeper->batcher;
    struct tg_sealer_link *sealer = &keeper->sealer;
    bool away = !sealer->ready;
    if (!away && !tg_sealer_idle(sealer)) {
        return;
    }
    struct tg_batch *batch = NULL;
    if (batcher->queue.head != NULL && sealer->ask_bytes < TG_SEALER_ASK_BYTES_MAX) {
        batch = free_batch(batcher);
    }
    if (batch == NULL && (away || sealer->asks == NULL)) {
        return;
    }
    if (!away) {
        tg_sealer_begin(sealer);
    }
    size_t asked = away ? 0 : sealer->sink_count;
    if (batch != NULL) {
        batch->busy = true;
        batcher->quiet = batcher->authentications == keeper->metrics.authentications;
        batcher->authentications = keeper->metrics.authentications;
        fill(keeper, batch, away);
    }
    bool sealing = !away && sealer->sink_count > asked;
    if (batch != NULL && batch->count == 0) {
        recycle(batch);
        batch = NULL;
    }
    if (batch != NULL && !sealing) {
        post(batch);
    }
    if (!away) {
        tg_sealer_send(sealer, sealing ? staged : NULL, batch);
    }
}
