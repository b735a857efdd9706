/*
 * callers.c - see callers.h.
 *
 * Promises: what a gate says of an outcome is the truth of the upstream: it settles FINAL what was executed and
 * answered, NOT_EXECUTED and NOT_SENT only what moved no money and never will.
 */
#include "callers.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "table.h"
#include "world.h"

#define TOGETHER 150 /* payments at one time */
#define TRIES_MAX 8
#define AMOUNT_MAX 90000

/* One try: where it is held, and what the upstream will do. */
struct
try {
    uint32_t gate;
    uint16_t slot;
    uint64_t use;
    bool waits; /* its caller still does */
    bool declined;
};

static struct try *tries; /* by request */
static size_t try_count;
static uint64_t wanted, begun, ended, paid;

static void next_try(void *who, uint64_t number);

/* ---- payments ---- */

static void begin_payment(void)
{
    struct model_payment payment = {.partner = 1 + (uint32_t)world_below(HOST_PARTNERS),
                                    .amount = 1 + (int64_t)world_below(AMOUNT_MAX),
                                    .ttl_s = world_happens(200000) ? 1 + (uint32_t)world_below(4) : 86400,
                                    .resend = world_happens(150000)};
    for (size_t i = 0; i < TG_DIGEST_BYTES; i += 8) {
        uint64_t word = world_chance();
        memcpy(payment.key_digest + i, &word, sizeof(word));
        word = world_chance();
        memcpy(payment.fingerprint + i, &word, sizeof(word));
    }
    begun++;
    next_try(NULL, model_payment_new(&payment));
}

static void end_payment(void)
{
    ended++;
    if (begun < wanted) {
        begin_payment();
    }
}

static void again(uint32_t payment, int64_t from_us, int64_t to_us)
{
    if (model_payments[payment].tries >= TRIES_MAX) {
        end_payment();
    } else {
        world_plan(world_between(from_us, to_us), next_try, NULL, payment);
    }
}

static void next_try(void *who, uint64_t number)
{
    (void)who;
    uint32_t payment = (uint32_t)number;
    model_payments[payment].tries++;
    uint32_t request = model_request_new(payment, world_happens(20000));
    tries = sim_grow(tries, try_count, sizeof(*tries));
    tries[try_count++] = (struct try){.waits = true};
    uint32_t gate = 0;
    uint16_t slot = 0;
    uint64_t use = 0;
    if (!gate_admit(request, &gate, &slot, &use)) {
        again(payment, 10 * MS, 100 * MS);
        return;
    }
    tries[request].gate = gate;
    tries[request].slot = slot;
    tries[request].use = use;
    if (world_happens(10000)) {
        world_plan(world_between(1, 20 * MS), next_try, NULL, payment); /* a caller that asks twice at once */
        begun++;
        wanted++;
    }
}

/* The caller of this try hears nothing more of it. */
static bool leave(uint32_t request)
{
    bool waits = tries[request].waits;
    tries[request].waits = false;
    return waits;
}

/* ---- frames ---- */

void caller_admit(uint32_t request, struct tg_admit *ret)
{
    const struct model_request *one = &model_requests[request];
    const struct model_payment *payment = &model_payments[one->payment];
    *ret = (struct tg_admit){
        .flags = (uint8_t)(TG_FLAG_MONEY_MOVING | TG_FLAG_HAS_KEY | TG_FLAG_HAS_AMOUNT |
                           (payment->resend ? TG_FLAG_UPSTREAM_IDEMPOTENT : 0)),
        .environment = TG_ENVIRONMENT_TEST,
        .partner = payment->partner,
        .credential = payment->partner,
        .wait_ms = 1000,
        .ttl_s = payment->ttl_s,
        .amount_minor = payment->amount,
        .currency = {'E', 'U', 'R'},
        .exponent = 2,
        .route = TG_SPAN("main"),
        .profile = TG_SPAN("generic-json"),
        .operation = TG_SPAN("payment.create"),
        .method = TG_SPAN("POST"),
        .path_template = TG_SPAN("/v1/payments"),
    };
    memcpy(ret->request_id, one->id, sizeof(ret->request_id));
    memcpy(ret->key_digest, payment->key_digest, sizeof(ret->key_digest));
    memcpy(ret->fingerprint, payment->fingerprint, sizeof(ret->fingerprint));
    ret->fingerprint[0] ^= one->other_fingerprint;
}

void caller_settle(uint32_t request, uint8_t outcome, struct tg_settle *ret)
{
    static uint8_t room[MODEL_ANSWER_BYTES_MAX];
    const struct model_request *one = &model_requests[request];
    uint16_t status = outcome != TG_OUTCOME_FINAL ? 0 : (uint16_t)(tries[request].declined ? 402 : 201);
    *ret = (struct tg_settle){.flags = TG_FLAG_MONEY_MOVING,
                              .outcome = outcome,
                              .upstream_status = status,
                              .caller_status = status,
                              .ticket = outcome == TG_OUTCOME_NOT_SENT ? 0 : one->ticket};
    if (outcome == TG_OUTCOME_FINAL) {
        ret->answer = model_answer(request, room);
    } else {
        ret->reason = TG_REASON_OUTCOME_UNKNOWN_TIMEOUT;
    }
    memcpy(ret->request_id, one->id, sizeof(ret->request_id));
}

/* ---- the upstream ---- */

static void answered(uint32_t request, uint8_t outcome)
{
    const struct try *one = &tries[request];
    (void)gate_settle(one->gate, one->slot, one->use, outcome);
}

static void answered_late(void *who, uint64_t request)
{
    (void)who;
    answered((uint32_t)request, TG_OUTCOME_UNKNOWN);
}

static void execute(void *who, uint64_t number)
{
    (void)who;
    uint32_t request = (uint32_t)number;
    uint64_t draw = world_below(100);
    if (draw < 4) {
        answered(request, TG_OUTCOME_NOT_SENT);
    } else if (draw < 8) {
        answered(request, TG_OUTCOME_NOT_EXECUTED);
    } else if (draw < 12) {
        tries[request].declined = true;
        answered(request, TG_OUTCOME_FINAL);
    } else {
        paid += model_execute(request);
        if (draw < 16) {
            world_plan(2 * SECOND, answered_late, NULL, request); /* it acted, and its answer was lost */
        } else {
            answered(request, TG_OUTCOME_FINAL);
        }
    }
}

/* ---- what a gate hears ---- */

void caller_admitted(uint32_t request, const struct tg_admit_answer *answer)
{
    uint32_t payment = model_requests[request].payment;
    model_told_admit(request, answer);
    if (answer->verdict == TG_VERDICT_ALLOW) {
        int64_t wait_us = world_happens(20000) ? world_between(1 * SECOND, 20 * SECOND) : world_between(200, 30 * MS);
        world_plan(wait_us, execute, NULL, request);
        return;
    }
    if (!leave(request)) {
        return;
    }
    if (answer->verdict == TG_VERDICT_REPLAY && !world_happens(200000)) {
        end_payment();
    } else {
        again(payment, 20 * MS, answer->verdict == TG_VERDICT_REPLAY ? 6 * SECOND : 2 * SECOND);
    }
}

void caller_settled(uint32_t request, uint8_t outcome, bool durable)
{
    if (durable) {
        model_told_settle(request, outcome);
    }
    if (!leave(request)) {
        return;
    }
    if (durable && outcome == TG_OUTCOME_FINAL && !world_happens(150000)) {
        end_payment();
    } else {
        again(model_requests[request].payment, 20 * MS, outcome == TG_OUTCOME_FINAL ? 6 * SECOND : 1 * SECOND);
    }
}

void caller_late(uint32_t request)
{
    caller_cut(request);
}

void caller_cut(uint32_t request)
{
    if (leave(request)) {
        again(model_requests[request].payment, 50 * MS, 2 * SECOND);
    }
}

void callers_begin(uint64_t payments)
{
    wanted = payments;
    while (begun < TOGETHER && begun < wanted) {
        begin_payment();
    }
}

bool callers_done(void)
{
    return ended >= wanted;
}

uint64_t callers_paid(void)
{
    return paid;
}
