/*
 * world_batch.c - one batch of a world: works of every kind on few keys, and what each must be answered.
 *
 * Promises: the model takes each work as the store's contract says (store.h, claim.h), in order; after an
 * acknowledged batch every result is held against it.
 * Does not: change the model when the batch was not acknowledged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "world.h"

#define WORKS 8
#define ANSWER_BYTES_MAX 9000u /* more than two pages: a row that overflows */

struct batch {
    struct world *world;
    struct world_model next;
    struct tg_work works[WORKS];
    struct {
        int result;
        uint64_t key;
        uint32_t answer_len;
        uint16_t status;
    } wanted[WORKS];
    uint8_t answers[WORKS][ANSWER_BYTES_MAX];
    size_t count;
};

static int32_t day_of(const struct world *world)
{
    return (int32_t)(world->kit.now_us / KIT_DAY);
}

static bool is_waiting(const struct world_claim *claim)
{
    return claim->state == TG_CLAIM_STATE_IN_FLIGHT || claim->state == TG_CLAIM_STATE_LOST ||
           claim->state == TG_CLAIM_STATE_UNKNOWN;
}

static void end_quota(struct world_model *model, const struct world_claim *claim, bool spent)
{
    if (claim->has_quota) {
        int32_t day = claim->day - KIT_QUOTA_DAY;
        model->days[day].reserved -= claim->amount;
        model->days[day].committed += spent ? claim->amount : 0;
    }
}

/* An ADMIT that is allowed by its claim: the limit of the day, then the claim. */
static enum tg_claim_result take(struct batch *batch, struct world_claim *claim, const struct tg_admit_work *work,
                                 uint64_t request, uint64_t print)
{
    struct world_model *model = &batch->next;
    int32_t day = work->quota_day - KIT_QUOTA_DAY;
    bool again = is_waiting(claim);
    if (again) {
        end_quota(model, claim, false);
    }
    if (work->has_quota &&
        model->days[day].reserved + model->days[day].committed + work->row.amount_minor > work->quota_day_minor) {
        if (again && claim->has_quota) {
            model->days[claim->day - KIT_QUOTA_DAY].reserved += claim->amount;
        }
        return TG_CLAIM_OVER_QUOTA;
    }
    *claim = (struct world_claim){.state = TG_CLAIM_STATE_IN_FLIGHT,
                                  .has_quota = work->has_quota,
                                  .request = request,
                                  .print = print,
                                  .owner = work->owner,
                                  .admitted_us = work->row.at_us,
                                  .expires_us = work->expires_us,
                                  .amount = work->row.amount_minor,
                                  .day = work->quota_day};
    model->days[day].reserved += work->has_quota ? work->row.amount_minor : 0;
    return TG_CLAIM_TAKEN;
}

static enum tg_claim_result decide(struct batch *batch, struct world_claim *claim, const struct tg_admit_work *work,
                                   uint64_t request, uint64_t print)
{
    struct tg_claim_known known = {.state = claim->state,
                                   .expires_us = claim->expires_us,
                                   .has_answer = claim->answer_len > 0 && !batch->next.purged[claim->seal_segment]};
    struct tg_claim_ask ask = {batch->world->kit.now_us, work->resend_unknown, work->row.request_id, work->fingerprint};
    kit_bytes(known.request_id, sizeof(known.request_id), 1, claim->request);
    kit_bytes(known.fingerprint, sizeof(known.fingerprint), 3, claim->print);
    enum tg_claim_result result = tg_claim_decide(&known, &ask);
    if (result == TG_CLAIM_TAKEN) {
        return take(batch, claim, work, request, print);
    }
    if (result == TG_CLAIM_SAME) {
        claim->state = TG_CLAIM_STATE_IN_FLIGHT;
        claim->owner = work->owner;
    }
    return result;
}

static void add_admit(struct batch *batch)
{
    struct world *world = batch->world;
    uint64_t key = world_draw(world, WORLD_KEYS);
    struct world_claim *claim = &batch->next.claims[key];
    bool same_request = is_waiting(claim) && world_draw(world, 4) == 0;
    uint64_t request = same_request ? claim->request : ++batch->next.requests;
    uint64_t print = claim->state != TG_CLAIM_STATE_NONE && world_draw(world, 5) > 0 ? claim->print : request;
    struct tg_work *work = &batch->works[batch->count];
    *work = kit_admit(&world->kit, request, key, print);
    struct tg_admit_work *admit = &work->admit;
    admit->row.amount_minor = 1 + (int64_t)world_draw(world, 500);
    /* Two of three leave before their segment does, one outlives it. */
    uint64_t hours = world_draw(world, 3) > 0 ? 1 + world_draw(world, 5) : 14 + world_draw(world, 26);
    admit->expires_us = world->kit.now_us + (int64_t)hours * 3600 * KIT_SECOND;
    admit->owner = 1 + world_draw(world, 3);
    admit->resend_unknown = world_draw(world, 4) == 0;
    admit->has_quota = world_draw(world, 4) > 0;
    admit->quota_day = day_of(world);
    admit->quota_day_minor = INT64_MAX;
    if (world_draw(world, 6) == 0) { /* exactly what is left, or one less */
        int32_t day = admit->quota_day - KIT_QUOTA_DAY;
        admit->quota_day_minor = batch->next.days[day].reserved + batch->next.days[day].committed +
                                 admit->row.amount_minor - (int64_t)world_draw(world, 2);
    }
    batch->wanted[batch->count].key = key;
    batch->wanted[batch->count].result = decide(batch, claim, admit, request, print);
    batch->wanted[batch->count].answer_len = claim->answer_len;
    batch->wanted[batch->count].status = claim->status;
    batch->count++;
}

static struct tg_span make_answer(struct batch *batch, struct world_claim *claim)
{
    static const uint32_t lens[] = {16, 40, 300, 900, 4200, ANSWER_BYTES_MAX};
    uint8_t *answer = batch->answers[batch->count];
    claim->answer_len = lens[world_draw(batch->world, 6)];
    kit_bytes(answer, claim->answer_len, 5, claim->request);
    return tg_span(answer, claim->answer_len);
}

static void become_final(struct batch *batch, struct world_claim *claim, uint16_t status, uint32_t seal_segment)
{
    int64_t now_us = batch->world->kit.now_us;
    end_quota(&batch->next, claim, status < 400);
    claim->state = TG_CLAIM_STATE_FINAL;
    claim->status = status;
    claim->seal_segment = seal_segment;
    if (now_us >= claim->expires_us) {
        claim->expires_us = now_us + (claim->expires_us - claim->admitted_us);
    }
}

static void release(struct batch *batch, struct world_claim *claim)
{
    end_quota(&batch->next, claim, false);
    *claim = (struct world_claim){.state = TG_CLAIM_STATE_NONE};
}

/* A key that waits, from a drawn one on; WORLD_KEYS: none does. */
static uint64_t find_waiting(struct batch *batch)
{
    uint64_t from = world_draw(batch->world, WORLD_KEYS);
    for (uint64_t i = 0; i < WORLD_KEYS; i++) {
        if (is_waiting(&batch->next.claims[(from + i) % WORLD_KEYS])) {
            return (from + i) % WORLD_KEYS;
        }
    }
    return WORLD_KEYS;
}

static void add_settle(struct batch *batch)
{
    struct world *world = batch->world;
    uint64_t key = find_waiting(batch);
    if (key == WORLD_KEYS) {
        return;
    }
    struct world_claim *claim = &batch->next.claims[key];
    uint8_t outcome = (uint8_t)(world_draw(world, 3) > 0 ? TG_OUTCOME_FINAL : 1 + world_draw(world, 4));
    uint16_t status = world_draw(world, 4) == 0 ? 402 : 201;
    struct tg_work *work = &batch->works[batch->count];
    *work = kit_settle(&world->kit, claim->request, world_draw(world, 2) == 0 ? 0 : claim->ticket, outcome, status);
    work->settle.reason = 7;
    batch->wanted[batch->count].result = TG_OK;
    batch->wanted[batch->count].key = key;
    if (outcome == TG_OUTCOME_FINAL) {
        work->settle.sealed = make_answer(batch, claim);
        become_final(batch, claim, status, work->settle.seal_segment);
    } else if (outcome != TG_OUTCOME_UNKNOWN) {
        release(batch, claim);
    } else if (claim->state != TG_CLAIM_STATE_UNKNOWN) {
        claim->state = TG_CLAIM_STATE_UNKNOWN;
        claim->status = status;
    }
    batch->count++;
}

/* What was settled is told again on a new link, the same or otherwise. */
static void add_settle_again(struct batch *batch)
{
    struct world *world = batch->world;
    uint64_t key = world_draw(world, WORLD_KEYS);
    const struct world_claim *claim = &batch->next.claims[key];
    if (claim->state != TG_CLAIM_STATE_FINAL || claim->ticket == 0 || claim->expires_us <= world->kit.now_us) {
        return;
    }
    const struct tg_segment_info *info = tg_state_info_of(world->kit.store, claim->ticket);
    if (info == NULL || info->leaving != TG_LEAVING_NO) {
        return; /* its admission left: nothing is promised any more */
    }
    bool same = world_draw(world, 3) > 0;
    batch->works[batch->count] =
        kit_settle(&world->kit, claim->request, claim->ticket, same ? TG_OUTCOME_FINAL : TG_OUTCOME_NOT_SENT, 201);
    batch->wanted[batch->count].result = same ? TG_OK : TG_ERR_DENIED;
    batch->wanted[batch->count].key = key;
    batch->count++;
}

static void add_resolve(struct batch *batch)
{
    struct world *world = batch->world;
    uint64_t key = find_waiting(batch);
    if (key == WORLD_KEYS) {
        return;
    }
    struct world_claim *claim = &batch->next.claims[key];
    bool executed = world_draw(world, 2) == 0;
    struct tg_work *work = &batch->works[batch->count];
    *work = kit_resolve(&world->kit, claim->request, executed);
    work->resolve.seal_segment = tg_store_segment(world->kit.store);
    batch->wanted[batch->count].key = key;
    if (claim->state == TG_CLAIM_STATE_IN_FLIGHT) {
        batch->wanted[batch->count].result = TG_ERR_ABSENT;
    } else if (executed) {
        if (world_draw(world, 2) == 0) {
            work->resolve.sealed = make_answer(batch, claim);
        }
        become_final(batch, claim, 201, work->resolve.seal_segment);
    } else {
        release(batch, claim);
    }
    batch->count++;
}

static void add_lost(struct batch *batch)
{
    uint64_t owner = 1 + world_draw(batch->world, 3);
    batch->works[batch->count++] = kit_lost(&batch->world->kit, owner);
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        struct world_claim *claim = &batch->next.claims[key];
        if (claim->state == TG_CLAIM_STATE_IN_FLIGHT && claim->owner == owner) {
            claim->state = TG_CLAIM_STATE_LOST;
        }
    }
}

static void add_refusal(struct batch *batch)
{
    struct tg_work *work = &batch->works[batch->count++];
    struct tg_work admit = kit_admit(&batch->world->kit, ++batch->next.requests, 0, 0);
    *work = (struct tg_work){.kind = TG_WORK_REFUSAL, .refusal = admit.admit.row};
    work->refusal.reason = 3;
    work->refusal.status = 403;
}

static void add_work(struct batch *batch)
{
    uint64_t draw = world_draw(batch->world, 100);
    memset(&batch->wanted[batch->count], 0, sizeof(batch->wanted[0]));
    if (draw < 45) {
        add_admit(batch);
    } else if (draw < 78) {
        add_settle(batch);
    } else if (draw < 84) {
        add_settle_again(batch);
    } else if (draw < 90) {
        add_resolve(batch);
    } else if (draw < 93) {
        add_lost(batch);
    } else {
        add_refusal(batch);
    }
}

/* ---- what it was answered ---- */

static bool check_admit(struct batch *batch, size_t i)
{
    const struct tg_admit_work *admit = &batch->works[i].admit;
    struct world_claim *claim = &batch->next.claims[batch->wanted[i].key];
    uint8_t answer[ANSWER_BYTES_MAX];
    if ((int)admit->result != batch->wanted[i].result) {
        return world_differs("an admission of key %u is answered %d, must be %d", (unsigned)batch->wanted[i].key,
                             (int)admit->result, batch->wanted[i].result);
    }
    if (admit->result == TG_CLAIM_TAKEN) {
        uint8_t request_id[TG_REQUEST_ID_BYTES];
        kit_bytes(request_id, sizeof(request_id), 1, claim->request);
        if (memcmp(request_id, admit->row.request_id, sizeof(request_id)) == 0) { /* not settled and taken again */
            claim->ticket = admit->ticket;
        }
    }
    if (admit->result != TG_CLAIM_REPLAY) {
        return true;
    }
    uint64_t request = 0; /* kit_bytes writes the number there */
    for (size_t at = 8; at < 16; at++) {
        request = request << 8 | admit->original_id[at];
    }
    kit_bytes(answer, batch->wanted[i].answer_len, 5, request);
    return (admit->sealed.len == batch->wanted[i].answer_len && admit->stored_status == batch->wanted[i].status &&
            memcmp(admit->sealed.ptr, answer, admit->sealed.len) == 0) ||
           world_differs("a replay of key %u is not the stored answer", (unsigned)batch->wanted[i].key);
}

static bool check_results(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct tg_work *work = &batch->works[i];
        int result = TG_OK;
        if (work->kind == TG_WORK_ADMIT) {
            if (!check_admit(batch, i)) {
                return false;
            }
            continue;
        }
        result = work->kind == TG_WORK_SETTLE ? (int)work->settle.result : result;
        result = work->kind == TG_WORK_RESOLVE ? (int)work->resolve.result : result;
        if (result != batch->wanted[i].result) {
            return world_differs("a work of kind %u on key %u is answered %d, must be %d", work->kind,
                                 (unsigned)batch->wanted[i].key, result, batch->wanted[i].result);
        }
    }
    return true;
}

enum tg_err world_batch(struct world *world)
{
    static struct batch batch;
    struct tg_work *pointers[WORKS];
    batch.world = world;
    batch.next = world->model;
    batch.count = 0;
    uint64_t works = 1 + world_draw(world, WORKS);
    for (uint64_t i = 0; i < works; i++) {
        add_work(&batch);
    }
    for (size_t i = 0; i < batch.count; i++) {
        pointers[i] = &batch.works[i];
    }
    tg_arena_reset(&world->kit.arena);
    enum tg_err err = tg_store_commit(world->kit.store, world->kit.now_us, pointers, batch.count, &world->kit.arena);
    if (err != TG_OK) {
        return err;
    }
    if (!check_results(&batch)) {
        return TG_ERR_BUG;
    }
    world->model = batch.next;
    return TG_OK;
}
