/*
 * model.c - see model.h.
 *
 * Promises: judges before it learns: each result against what was known before its work.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "world.h"

#define STATUS_NOT_SPENT 400
#define SUMS_MAX 1024

struct sum {
    uint32_t partner;
    int32_t day;
    int64_t used;
};

struct model_payment *model_payments;
struct model_request *model_requests;
size_t model_payment_count, model_request_count;
struct model_counts model_counts;
static struct sim_table by_id;
static uint32_t *open_ones;
static size_t open_count, lost_count;
static int64_t limits[64];
static struct sum sums[SUMS_MAX];
static size_t sum_count;

/* ---- what there is ---- */

uint32_t model_payment_new(const struct model_payment *payment)
{
    model_payments = sim_grow(model_payments, model_payment_count, sizeof(*model_payments));
    model_payments[model_payment_count] = *payment;
    model_payments[model_payment_count].holder = SIM_NONE;
    return (uint32_t)model_payment_count++;
}

uint32_t model_request_new(uint32_t payment, bool other_fingerprint)
{
    model_requests = sim_grow(model_requests, model_request_count, sizeof(*model_requests));
    struct model_request *request = &model_requests[model_request_count];
    *request = (struct model_request){.payment = payment, .other_fingerprint = other_fingerprint};
    for (size_t i = 0; i < TG_REQUEST_ID_BYTES; i += 8) {
        uint64_t word = world_chance();
        memcpy(request->id + i, &word, sizeof(word));
    }
    sim_table_set(&by_id, request->id, (uint32_t)model_request_count);
    return (uint32_t)model_request_count++;
}

struct tg_span model_answer(uint32_t number, uint8_t room[MODEL_ANSWER_BYTES_MAX])
{
    const uint8_t *id = model_requests[number].id;
    size_t len = 20 + id[0];
    for (size_t i = 0; i < len; i++) {
        room[i] = (uint8_t)(id[i % TG_REQUEST_ID_BYTES] + i);
    }
    return tg_span(room, len);
}

void model_limit(uint32_t partner, int64_t day_minor)
{
    limits[partner - 1] = day_minor;
}

static int64_t *used_of(uint32_t partner, int32_t day)
{
    for (size_t i = 0; i < sum_count; i++) {
        if (sums[i].partner == partner && sums[i].day == day) {
            return &sums[i].used;
        }
    }
    if (sum_count == SUMS_MAX) {
        abort();
    }
    sums[sum_count] = (struct sum){partner, day, 0};
    return &sums[sum_count++].used;
}

int64_t model_used(uint32_t partner, int32_t day)
{
    return *used_of(partner, day);
}

size_t model_open(void)
{
    return open_count;
}

size_t model_open_lost(void)
{
    return lost_count;
}

/* ---- open requests ---- */

static bool unknown(const struct model_request *request)
{
    return request->lost || request->outcome == TG_OUTCOME_UNKNOWN;
}

static void set_lost(struct model_request *request, bool lost, uint8_t outcome)
{
    lost_count -= unknown(request);
    request->lost = lost;
    request->outcome = outcome;
    lost_count += unknown(request);
}

static void open_request(uint32_t number)
{
    open_ones = sim_grow(open_ones, open_count, sizeof(*open_ones));
    model_requests[number].open_at = (uint32_t)open_count;
    open_ones[open_count++] = number;
}

static void close_request(struct model_request *request, enum model_state state, uint8_t outcome)
{
    set_lost(request, false, 0);
    request->state = state;
    request->outcome = outcome;
    uint32_t last = open_ones[--open_count];
    open_ones[request->open_at] = last;
    model_requests[last].open_at = request->open_at;
}

static void give_back(struct model_request *request)
{
    if (request->reserved) {
        const struct model_payment *payment = &model_payments[request->payment];
        *used_of(payment->partner, request->day) -= payment->amount;
        request->reserved = false;
    }
}

/* ---- verdicts ---- */

static void legal(bool is, const char *what, const struct model_request *request)
{
    if (!is) {
        const struct model_payment *payment = &model_payments[request->payment];
        const struct model_request *holder = payment->holder == SIM_NONE ? NULL : &model_requests[payment->holder];
        world_broken("%s is not legal: holder %s, its state %d, lost %d, outcome %d", what,
                     holder == NULL ? "none" : (holder == request ? "itself" : "another"),
                     holder == NULL ? 0 : (int)holder->state, holder != NULL && holder->lost,
                     holder == NULL ? 0 : holder->outcome);
    }
}

static void take(struct model_request *request, uint32_t number, const struct tg_admit_work *work, bool expired)
{
    struct model_payment *payment = &model_payments[request->payment];
    struct model_request *holder = payment->holder == SIM_NONE ? NULL : &model_requests[payment->holder];
    if (holder != NULL && holder->state == MODEL_OPEN) {
        give_back(holder);
        close_request(holder, MODEL_RELEASED, 0);
        holder->replaced = true;
        model_counts.retaken++;
    }
    if (expired) {
        payment->charges = 0; /* the key's life is over: this is another payment */
        payment->earlier = true;
        model_counts.expired++;
    }
    int64_t *used = used_of(payment->partner, work->quota_day);
    *used += payment->amount;
    legal(*used <= limits[payment->partner - 1], "taken over the limit of the day", request);
    request->state = MODEL_OPEN;
    request->replaced = false;
    request->owner = work->owner;
    request->ticket = work->ticket;
    request->at_us = work->row.at_us;
    request->expires_us = work->expires_us;
    request->day = work->quota_day;
    request->reserved = true;
    payment->holder = number;
    open_request(number);
    model_counts.taken++;
}

/* The answer of a life of the key that was over and, the clock having stepped back, is not. */
static bool earlier_life(const struct tg_admit_work *work, uint32_t payment, int64_t now_us)
{
    uint32_t number = sim_table_get(&by_id, work->original_id);
    const struct model_request *original = number == SIM_NONE ? NULL : &model_requests[number];
    return original != NULL && original->payment == payment && original->state == MODEL_FINAL &&
           original->expires_us > now_us && original->expires_us <= world.utc_us_max;
}

static void judge_admit(int64_t now_us, const struct tg_admit_work *work)
{
    uint32_t number = sim_table_get(&by_id, work->row.request_id);
    struct model_request *request = &model_requests[number];
    struct model_payment *payment = &model_payments[request->payment];
    struct model_request *holder = payment->holder == SIM_NONE ? NULL : &model_requests[payment->holder];
    bool open = holder != NULL && holder->state == MODEL_OPEN;
    bool final = holder != NULL && holder->state == MODEL_FINAL;
    bool expired = final && holder->expires_us <= now_us;
    /* A clock that once stood behind its end may have let a store forget it; one that stepped back brings none back. */
    bool forgotten = final && holder->expires_us <= world.utc_us_max;
    bool nothing = (!open && !final) || expired || forgotten;
    bool fits = holder == NULL || request->other_fingerprint == holder->other_fingerprint;
    switch (work->result) {
    case TG_CLAIM_TAKEN:
        /* A later request may have replaced it, as an unknown that is sent again, and be unknown now itself: a gate that
         * asks the first one again on a new link then sends that unknown again. */
        legal(request->state == MODEL_NEW || request->replaced || nothing, "taken twice by one request", request);
        legal(nothing || (open && unknown(holder) && work->resend_unknown && fits), "taken", request);
        take(request, number, work, expired || forgotten);
        return;
    case TG_CLAIM_SAME:
        legal(open && holder == request && request->outcome != TG_OUTCOME_UNKNOWN, "same", request);
        legal(work->ticket == request->ticket, "same with another ticket", request);
        set_lost(request, false, 0);
        request->owner = work->owner;
        model_counts.same++;
        return;
    case TG_CLAIM_IN_FLIGHT:
        legal(open && holder != request && !unknown(holder) && fits, "in flight", request);
        model_counts.in_flight++;
        return;
    case TG_CLAIM_UNKNOWN:
        legal(open && unknown(holder) && fits, "unknown", request);
        model_counts.unknown++;
        return;
    case TG_CLAIM_REPLAY:
        legal(open || (final && !expired)
                  ? final && fits && memcmp(work->original_id, holder->id, TG_REQUEST_ID_BYTES) == 0
                  : earlier_life(work, request->payment, now_us),
              "replay", request);
        model_counts.replay++;
        return;
    case TG_CLAIM_ANSWER_ABSENT:
        /* Only where the clock once stood behind the claim's end, so that the answer's key was due. */
        legal(!open && (payment->earlier || (final && fits && forgotten)), "answer absent", request);
        model_counts.absent++;
        return;
    case TG_CLAIM_MISMATCH:
        legal((open || (final && !expired)) ? !fits : payment->earlier, "mismatch", request);
        model_counts.mismatch++;
        return;
    case TG_CLAIM_OVER_QUOTA: {
        legal(nothing || (open && unknown(holder) && work->resend_unknown), "over quota", request);
        bool frees = open && holder->reserved && holder->day == work->quota_day;
        int64_t used = model_used(payment->partner, work->quota_day) - (frees ? payment->amount : 0);
        legal(used + payment->amount > limits[payment->partner - 1], "over quota with room left", request);
        model_counts.over_quota++;
        return;
    }
    }
    world_broken("a result that is none: %d", (int)work->result);
}

static void judge_settle(const struct tg_settle_work *work)
{
    struct model_request *request = &model_requests[sim_table_get(&by_id, work->request_id)];
    struct model_payment *payment = &model_payments[request->payment];
    model_counts.settles++;
    if (request->state != MODEL_OPEN) {
        bool fits = request->state == MODEL_NEW ? work->result == TG_ERR_ABSENT
                    : request->replaced         ? work->result != TG_ERR_INPUT
                    : request->outcome == work->outcome
                        ? work->result == TG_OK || (request->state == MODEL_RELEASED && work->result != TG_ERR_INPUT)
                        : work->result == TG_ERR_DENIED || (work->ticket == 0 && work->result == TG_ERR_ABSENT);
        legal(fits, "a settlement of what is settled", request);
        return;
    }
    legal(work->result == TG_OK, "a settlement that was not taken", request);
    model_counts.late_settles += request->lost;
    if (work->outcome == TG_OUTCOME_UNKNOWN) {
        set_lost(request, request->lost, TG_OUTCOME_UNKNOWN);
        return;
    }
    bool final = work->outcome == TG_OUTCOME_FINAL;
    if (!final || work->upstream_status >= STATUS_NOT_SPENT) {
        give_back(request);
    }
    request->reserved = false;
    close_request(request, final ? MODEL_FINAL : MODEL_RELEASED, work->outcome);
    if (final && work->at_us >= request->expires_us) {
        int64_t life_us = request->expires_us - request->at_us;
        request->expires_us = work->at_us + (life_us > 0 ? life_us : 1);
    }
    if (!final && payment->holder != SIM_NONE && &model_requests[payment->holder] == request) {
        payment->holder = SIM_NONE;
    }
}

void model_committed(int64_t now_us, struct tg_work *const *works, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (works[i]->kind == TG_WORK_ADMIT) {
            judge_admit(now_us, &works[i]->admit);
        } else if (works[i]->kind == TG_WORK_SETTLE) {
            judge_settle(&works[i]->settle);
        } else if (works[i]->kind == TG_WORK_LOST) {
            for (size_t k = 0; k < open_count; k++) {
                struct model_request *request = &model_requests[open_ones[k]];
                if (request->owner == works[i]->lost.owner && !unknown(request)) {
                    set_lost(request, true, request->outcome);
                    model_counts.lost++;
                }
            }
        }
    }
}

void model_crashed(void)
{
    model_counts.crashes++;
    for (size_t i = 0; i < open_count; i++) {
        struct model_request *request = &model_requests[open_ones[i]];
        set_lost(request, true, request->outcome);
    }
}

/* ---- money, and what was told ---- */

bool model_execute(uint32_t number)
{
    struct model_request *request = &model_requests[number];
    struct model_payment *payment = &model_payments[request->payment];
    legal(request->state != MODEL_NEW, "a request that reached the upstream without a claim", request);
    if (payment->resend && payment->charges > 0) {
        return false; /* the upstream knows the key */
    }
    payment->charges++;
    model_counts.charges++;
    legal(payment->charges == 1, "a second charge", request);
    return true;
}

void model_told_admit(uint32_t number, const struct tg_admit_answer *answer)
{
    const struct model_request *request = &model_requests[number];
    uint8_t room[MODEL_ANSWER_BYTES_MAX];
    if (answer->verdict == TG_VERDICT_ALLOW) {
        legal(request->state != MODEL_NEW, "allowed and not durable", request);
        legal(answer->ticket == request->ticket, "allowed with another ticket", request);
        legal(tg_span_equal(answer->credential, TG_SPAN("the upstream's secret")), "allowed without its credential",
              request);
    } else if (answer->verdict == TG_VERDICT_REPLAY) {
        uint32_t original = sim_table_get(&by_id, answer->original_id);
        legal(original != SIM_NONE && model_requests[original].payment == request->payment &&
                  model_requests[original].state == MODEL_FINAL,
              "a replay of what is not final", request);
        legal(tg_span_equal(answer->answer, model_answer(original, room)), "another answer replayed", request);
    } else {
        legal(answer->reason != TG_REASON_OK, "refused without a reason", request);
    }
}

void model_told_settle(uint32_t number, uint8_t outcome)
{
    const struct model_request *request = &model_requests[number];
    bool unknown_told = outcome == TG_OUTCOME_UNKNOWN;
    legal(request->state != MODEL_NEW, "settled and never admitted", request);
    legal(unknown_told || request->replaced || (request->state != MODEL_OPEN && request->outcome == outcome),
          "acknowledged and not durable", request);
}

void model_free(void)
{
    sim_table_free(&by_id);
    free(open_ones);
    free(model_payments);
    free(model_requests);
}
