/* commit_test.c - thousands of random works against a small model: claims and quotas exact, through restarts and rotations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "store/testkit.h"

#define KEYS 40u
#define STEPS 12000u
#define BATCH 16u
#define LIMIT 30000
#define DAYS 400

struct model_claim {
    enum tg_claim_state state;
    uint64_t request, ticket, owner;
    int64_t amount, expires_us;
    int32_t day; /* since KIT_QUOTA_DAY */
    bool has_answer;
};

struct model {
    struct model_claim claims[KEYS];
    int64_t reserved[DAYS], committed[DAYS];
    uint64_t random, request;
};

static uint64_t next(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static enum tg_claim_result model_admit(struct model *model, struct model_claim *claim, uint64_t request, int64_t amount,
                                        int64_t now_us, bool resend)
{
    if (claim->state == TG_CLAIM_STATE_FINAL && claim->expires_us > now_us)
        return claim->has_answer ? TG_CLAIM_REPLAY : TG_CLAIM_ANSWER_ABSENT;
    bool unknown = claim->state == TG_CLAIM_STATE_LOST || claim->state == TG_CLAIM_STATE_UNKNOWN;
    if ((claim->state == TG_CLAIM_STATE_LOST || claim->state == TG_CLAIM_STATE_IN_FLIGHT) && claim->request == request)
        return TG_CLAIM_SAME;
    if (claim->state == TG_CLAIM_STATE_IN_FLIGHT)
        return TG_CLAIM_IN_FLIGHT;
    if (unknown && !resend)
        return TG_CLAIM_UNKNOWN;
    int32_t day = (int32_t)(now_us / KIT_DAY) - KIT_QUOTA_DAY;
    int64_t held = unknown && claim->day == day ? claim->amount : 0;
    if (model->reserved[day] - held + model->committed[day] + amount > LIMIT)
        return TG_CLAIM_OVER_QUOTA;
    if (unknown)
        model->reserved[claim->day] -= claim->amount;
    model->reserved[day] += amount;
    *claim = (struct model_claim){.state = TG_CLAIM_STATE_IN_FLIGHT, .request = request, .amount = amount, .day = day};
    return TG_CLAIM_TAKEN;
}

static void check_admit(struct kit *kit, struct model *model)
{
    uint64_t key = next(model, KEYS);
    struct model_claim *claim = &model->claims[key];
    bool again = claim->state != TG_CLAIM_STATE_NONE && next(model, 4) == 0;
    uint64_t request = again ? claim->request : ++model->request;
    struct tg_work work = kit_admit(kit, request, key, key);
    work.admit.row.amount_minor = again ? claim->amount : (int64_t)next(model, 200);
    work.admit.owner = 1 + next(model, 3);
    work.admit.resend_unknown = next(model, 8) == 0;
    work.admit.has_quota = true;
    work.admit.quota_day = (int32_t)(kit->now_us / KIT_DAY);
    work.admit.quota_day_minor = LIMIT;
    work.admit.expires_us = kit->now_us + (int64_t)next(model, 2000) * KIT_SECOND;
    enum tg_claim_result expected = model_admit(model, claim, request, work.admit.row.amount_minor, kit->now_us,
                                                work.admit.resend_unknown);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, expected);
    if (expected == TG_CLAIM_TAKEN) {
        claim->ticket = work.admit.ticket;
        claim->expires_us = work.admit.expires_us;
    }
    if (expected == TG_CLAIM_TAKEN || expected == TG_CLAIM_SAME) {
        assert_int_equal(work.admit.ticket, claim->ticket);
        claim->owner = work.admit.owner;
        claim->state = TG_CLAIM_STATE_IN_FLIGHT;
    }
}

static void model_end(struct model *model, struct model_claim *claim, bool final, bool spent)
{
    model->reserved[claim->day] -= claim->amount;
    if (spent)
        model->committed[claim->day] += claim->amount;
    claim->state = final ? TG_CLAIM_STATE_FINAL : TG_CLAIM_STATE_NONE;
}

static void check_settle(struct kit *kit, struct model *model)
{
    struct model_claim *claim = &model->claims[next(model, KEYS)];
    static const uint16_t statuses[] = {200, 201, 402, 404};
    uint8_t outcome = (uint8_t)(1 + next(model, 4));
    uint16_t status = statuses[next(model, 4)];
    if (claim->state == TG_CLAIM_STATE_NONE || claim->state == TG_CLAIM_STATE_FINAL)
        return;
    struct tg_work work = kit_settle(kit, claim->request, next(model, 3) == 0 ? 0 : claim->ticket, outcome, status);
    bool answer = next(model, 4) != 0;
    if (!answer)
        work.settle.sealed = tg_span(NULL, 0);
    kit_commit(kit, &work);
    assert_int_equal(work.settle.result, TG_OK);
    if (outcome == TG_OUTCOME_UNKNOWN) {
        claim->state = TG_CLAIM_STATE_UNKNOWN;
        return;
    }
    if (kit->now_us >= claim->expires_us) /* it got a new life of the old length, which the model keeps out of */
        claim->expires_us = 0;
    model_end(model, claim, outcome == TG_OUTCOME_FINAL, outcome == TG_OUTCOME_FINAL && status < 400);
    claim->has_answer = answer;
}

static void check_lost(struct kit *kit, struct model *model, uint64_t owner)
{
    if (owner != 0) {
        struct tg_work work = kit_lost(kit, owner);
        kit_commit(kit, &work);
    }
    for (size_t i = 0; i < KEYS; i++)
        if (model->claims[i].state == TG_CLAIM_STATE_IN_FLIGHT && (owner == 0 || model->claims[i].owner == owner))
            model->claims[i].state = TG_CLAIM_STATE_LOST;
}

static void check_resolve(struct kit *kit, struct model *model)
{
    struct model_claim *claim = &model->claims[next(model, KEYS)];
    bool executed = next(model, 2) == 0;
    if (claim->state != TG_CLAIM_STATE_LOST && claim->state != TG_CLAIM_STATE_UNKNOWN)
        return;
    struct tg_work work = kit_resolve(kit, claim->request, executed);
    kit_commit(kit, &work);
    assert_int_equal(work.resolve.result, TG_OK);
    if (kit->now_us >= claim->expires_us)
        claim->expires_us = 0;
    model_end(model, claim, executed, executed);
    claim->has_answer = false;
}

static void check_counter(struct kit *kit, const struct model *model)
{
    int32_t today = (int32_t)(kit->now_us / KIT_DAY) - KIT_QUOTA_DAY;
    for (int32_t day = today > 1 ? today - 1 : 0; day <= today; day++) { /* older ones may be forgotten */
        int64_t reserved = -1, committed = -1;
        kit_counter(kit, KIT_QUOTA_DAY + day, &reserved, &committed);
        assert_int_equal(reserved, model->reserved[day]);
        assert_int_equal(committed, model->committed[day]);
    }
}

/* A claim that got a new life when it ended late: the model waits until it is over. */
static void skip_new_lives(struct kit *kit, struct model *model)
{
    for (size_t i = 0; i < KEYS; i++)
        if (model->claims[i].state == TG_CLAIM_STATE_FINAL && model->claims[i].expires_us == 0) {
            kit->now_us += 2001 * KIT_SECOND;
            model->claims[i].expires_us = kit->now_us;
        }
}

static void test_model(void **state)
{
    struct kit *kit = *state;
    static struct model model;
    model.random = 88172645463325252u;
    kit->options.segment_rows_max = 700;
    kit_reopen(kit);
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t what = next(&model, 1000);
        skip_new_lives(kit, &model);
        kit->now_us += (int64_t)next(&model, 8000) * 1000;
        if (what < 550)
            check_admit(kit, &model);
        else if (what < 900)
            check_settle(kit, &model);
        else if (what < 960)
            check_resolve(kit, &model);
        else if (what < 975)
            check_lost(kit, &model, 1 + next(&model, 3));
        else if (what < 995) {
            kit_rotate(kit, kit->now_us);
            (void)tg_store_checkpoint(kit->store);
        } else {
            kit_reopen(kit);
            check_lost(kit, &model, 0);
        }
        if (step % 50 == 0 && step > 0 && model.request > 0)
            check_counter(kit, &model);
    }
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_true(counts.segments > 5);
}

static void test_quota(void **state)
{
    struct kit *kit = *state;
    struct tg_work works[4], *pointers[4];
    for (uint64_t i = 0; i < 4; i++) {
        works[i] = kit_admit(kit, i + 1, i + 1, i + 1);
        works[i].admit.has_quota = true;
        works[i].admit.quota_day_minor = 300;
        works[i].admit.row.amount_minor = i == 3 ? -1 : 150;
        pointers[i] = &works[i];
    }
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, pointers, 4, &kit->arena), TG_OK);
    assert_int_equal(works[0].admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(works[1].admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(works[2].admit.result, TG_CLAIM_OVER_QUOTA);
    assert_int_equal(works[3].admit.result, TG_CLAIM_OVER_QUOTA);
    kit_reopen(kit); /* unknown now, and still reserved */
    kit_commit(kit, &works[2]);
    assert_int_equal(works[2].admit.result, TG_CLAIM_OVER_QUOTA);
    struct tg_work released = kit_settle(kit, 1, 0, TG_OUTCOME_NOT_EXECUTED, 403);
    kit_commit(kit, &released);
    kit_commit(kit, &works[2]);
    assert_int_equal(works[2].admit.result, TG_CLAIM_TAKEN);
    works[3].admit.quota_day = 1; /* another day */
    works[3].admit.row.amount_minor = 300;
    kit_commit(kit, &works[3]);
    assert_int_equal(works[3].admit.result, TG_CLAIM_TAKEN);
}

static void test_batches(void **state)
{
    struct kit *kit = *state;
    for (uint64_t round = 0; round < 50; round++) {
        struct tg_work works[BATCH], *pointers[BATCH];
        for (uint64_t i = 0; i < BATCH; i++) {
            works[i] = kit_admit(kit, round * BATCH + i, round * BATCH + i, 1);
            pointers[i] = &works[i];
        }
        assert_int_equal(tg_store_commit(kit->store, kit->now_us, pointers, BATCH, &kit->arena), TG_OK);
    }
    assert_int_equal(tg_store_last_event(kit->store), 50 * BATCH);
    kit_reopen(kit);
    assert_int_equal(tg_store_last_event(kit->store), 50 * BATCH);
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_unknown, 50 * BATCH);
    assert_int_equal(counts.events, 50 * BATCH);
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, NULL, 0, &kit->arena), TG_OK);
}

/* A lost file is no reason to charge twice, nor to stop everybody else. */
static void test_lost_segment(void **state)
{
    struct kit *kit = *state;
    if (kit_skip(kit))
        return;
    kit_fill(kit);
    kit_reopen(kit);
    char path[TG_STORE_PATH_BYTES_MAX];
    static const char *const suffixes[] = {"sqlite", "sqlite-wal", "sqlite-shm"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tg_segment_path(kit->path, 2, suffixes[i], path), TG_OK);
        (void)unlink(path);
    }
    tg_state_close_reader(kit->store, 2);
    assert_int_equal(kit_ask(kit, 9000, 101, 101), TG_CLAIM_IN_FLIGHT);
    assert_int_equal(kit_ask(kit, 9001, 201, 201), TG_CLAIM_REPLAY);
    assert_int_equal(kit_ask(kit, 9002, 8888, 1), TG_CLAIM_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_model, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_quota, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_lost_segment, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_batches, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
