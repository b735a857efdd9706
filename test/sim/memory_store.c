/*
 * memory_store.c - see memory_store.h.
 *
 * Promises: commit applies all works of a batch or is not called; there is nothing in between to be torn.
 */
#include "memory_store.h"

#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "table.h"
#include "wire/message.h"

#define STATUS_NOT_SPENT 400
#define DAYS_MAX 1024

struct claim {
    struct tg_claim_known known;
    uint8_t key[TG_CLAIM_KEY_BYTES];
    uint64_t owner;
    int64_t at_us, life_end_us;
    uint32_t partner, segment, open_at; /* where it stands among the open ones */
    int32_t day;
    bool has_quota;
    uint8_t outcome; /* what ended it; 0: open */
    uint16_t status;
    int64_t amount;
    uint8_t *sealed;
    size_t sealed_len;
};

struct segment {
    int64_t opened_us, sealed_us, answers_end_us;
    bool purged, asked;
};

struct counter {
    uint32_t partner;
    int32_t day;
    int64_t reserved, committed;
};

struct memory_store {
    struct tg_store_head head;
    struct memory_store_options options;
    struct claim *claims; /* ticket - 1 */
    size_t claim_count;
    struct sim_table by_key, by_request; /* the newest claim of a key; of a request */
    uint32_t *open;
    size_t open_count;
    size_t in_flight;
    struct segment *segments; /* number - 1 */
    size_t segment_count;
    struct counter counters[DAYS_MAX];
    size_t counter_count;
    uint64_t events;
};

static struct memory_store *of(struct tg_store *store)
{
    return (struct memory_store *)(void *)store;
}

static const struct memory_store *of_const(const struct tg_store *store)
{
    return (const struct memory_store *)(const void *)store;
}

static struct counter *counter_of(struct memory_store *store, uint32_t partner, int32_t day)
{
    for (size_t i = 0; i < store->counter_count; i++) {
        if (store->counters[i].partner == partner && store->counters[i].day == day) {
            return &store->counters[i];
        }
    }
    if (store->counter_count == DAYS_MAX) {
        abort();
    }
    store->counters[store->counter_count] = (struct counter){.partner = partner, .day = day};
    return &store->counters[store->counter_count++];
}

/* ---- open claims ---- */

static void set_state(struct memory_store *store, struct claim *claim, enum tg_claim_state state)
{
    store->in_flight -= claim->known.state == TG_CLAIM_STATE_IN_FLIGHT;
    claim->known.state = state;
    store->in_flight += state == TG_CLAIM_STATE_IN_FLIGHT;
}

static void close_claim(struct memory_store *store, struct claim *claim, enum tg_claim_state state)
{
    set_state(store, claim, state);
    uint32_t last = store->open[--store->open_count];
    store->open[claim->open_at] = last;
    store->claims[last].open_at = claim->open_at;
}

static void end_quota(struct memory_store *store, const struct claim *claim, bool spent)
{
    if (claim->has_quota) {
        struct counter *counter = counter_of(store, claim->partner, claim->day);
        counter->reserved -= claim->amount;
        counter->committed += spent ? claim->amount : 0;
    }
}

/* ---- works ---- */

static void take(struct memory_store *store, struct tg_admit_work *work, struct claim *before)
{
    bool has_quota = work->has_quota && (work->row.flags & TG_FLAG_HAS_AMOUNT) != 0;
    if (has_quota) {
        struct counter *counter = counter_of(store, work->row.partner, work->quota_day);
        bool same = before != NULL && before->has_quota && before->partner == work->row.partner &&
                    before->day == work->quota_day;
        int64_t used = counter->reserved + counter->committed - (same ? before->amount : 0);
        if (used + work->row.amount_minor > work->quota_day_minor) {
            work->result = TG_CLAIM_OVER_QUOTA;
            return;
        }
        counter->reserved += work->row.amount_minor;
    }
    if (before != NULL) {
        end_quota(store, before, false);
        before->outcome = TG_OUTCOME_NOT_EXECUTED;
        close_claim(store, before, TG_CLAIM_STATE_NONE);
    }
    store->claims = sim_grow(store->claims, store->claim_count, sizeof(*store->claims));
    store->open = sim_grow(store->open, store->open_count, sizeof(*store->open));
    uint32_t at = (uint32_t)store->claim_count++;
    struct claim *claim = &store->claims[at];
    *claim = (struct claim){.owner = work->owner,
                            .at_us = work->row.at_us,
                            .life_end_us = work->expires_us,
                            .partner = work->row.partner,
                            .day = work->quota_day,
                            .has_quota = has_quota,
                            .amount = work->row.amount_minor,
                            .open_at = (uint32_t)store->open_count};
    memcpy(claim->key, work->claim_key, sizeof(claim->key));
    memcpy(claim->known.request_id, work->row.request_id, sizeof(claim->known.request_id));
    memcpy(claim->known.fingerprint, work->fingerprint, sizeof(claim->known.fingerprint));
    store->open[store->open_count++] = at;
    set_state(store, claim, TG_CLAIM_STATE_IN_FLIGHT);
    sim_table_set(&store->by_key, work->claim_key, at);
    sim_table_set(&store->by_request, work->row.request_id, at);
    work->result = TG_CLAIM_TAKEN;
    work->ticket = at + 1;
}

static void admit(struct memory_store *store, struct tg_admit_work *work, int64_t now_us, struct tg_arena *arena)
{
    uint32_t at = sim_table_get(&store->by_key, work->claim_key);
    struct claim *claim = at == SIM_NONE ? NULL : &store->claims[at];
    struct tg_claim_known known = {0};
    if (claim != NULL) {
        known = claim->known;
        known.has_answer = known.has_answer && !store->segments[claim->segment - 1].purged;
    }
    struct tg_claim_ask ask = {now_us, work->resend_unknown, work->row.request_id, work->fingerprint};
    work->result = tg_claim_decide(&known, &ask);
    if (work->result == TG_CLAIM_TAKEN) {
        bool open = known.state == TG_CLAIM_STATE_LOST || known.state == TG_CLAIM_STATE_UNKNOWN;
        take(store, work, open ? claim : NULL);
        return;
    }
    memcpy(work->original_id, known.request_id, sizeof(work->original_id));
    if (work->result == TG_CLAIM_SAME) {
        claim->owner = work->owner;
        set_state(store, claim, TG_CLAIM_STATE_IN_FLIGHT);
        work->ticket = at + 1;
    } else if (work->result == TG_CLAIM_REPLAY) {
        uint8_t *copy = tg_arena_take(arena, claim->sealed_len);
        if (copy == NULL) {
            work->result = TG_CLAIM_IN_FLIGHT;
            return;
        }
        memcpy(copy, claim->sealed, claim->sealed_len);
        work->sealed = tg_span(copy, claim->sealed_len);
        work->seal_segment = claim->segment;
        work->stored_status = claim->status;
    }
}

static void keep_answer(struct memory_store *store, struct claim *claim, const struct tg_settle_work *work)
{
    claim->status = work->caller_status;
    claim->segment = work->seal_segment == 0 ? (uint32_t)store->segment_count : work->seal_segment;
    claim->known.has_answer = work->sealed.len > 0;
    claim->sealed = malloc(work->sealed.len + 1);
    if (claim->sealed == NULL) {
        abort();
    }
    memcpy(claim->sealed, work->sealed.ptr, work->sealed.len);
    claim->sealed_len = work->sealed.len;
    if (work->at_us >= claim->life_end_us) {
        claim->life_end_us = work->at_us + (claim->life_end_us > claim->at_us ? claim->life_end_us - claim->at_us : 1);
    }
    claim->known.expires_us = claim->life_end_us;
    struct segment *segment = &store->segments[claim->segment - 1];
    if (segment->answers_end_us < claim->life_end_us) {
        segment->answers_end_us = claim->life_end_us;
    }
}

static void settle(struct memory_store *store, struct tg_settle_work *work)
{
    uint32_t at = work->ticket != 0 ? (uint32_t)work->ticket - 1 : sim_table_get(&store->by_request, work->request_id);
    if (at == SIM_NONE || at >= store->claim_count ||
        memcmp(store->claims[at].known.request_id, work->request_id, TG_REQUEST_ID_BYTES) != 0) {
        work->result = TG_ERR_ABSENT;
        return;
    }
    struct claim *claim = &store->claims[at];
    if (claim->outcome != 0) {
        work->result = claim->outcome == work->outcome ? TG_OK : TG_ERR_DENIED;
        return;
    }
    work->result = TG_OK;
    if (work->outcome == TG_OUTCOME_UNKNOWN) {
        set_state(store, claim, TG_CLAIM_STATE_UNKNOWN);
        return;
    }
    bool final = work->outcome == TG_OUTCOME_FINAL;
    end_quota(store, claim, final && work->upstream_status < STATUS_NOT_SPENT);
    claim->outcome = work->outcome;
    close_claim(store, claim, final ? TG_CLAIM_STATE_FINAL : TG_CLAIM_STATE_NONE);
    if (final) {
        keep_answer(store, claim, work);
    }
}

static void lose(struct memory_store *store, uint64_t owner)
{
    for (size_t i = 0; i < store->open_count; i++) {
        struct claim *claim = &store->claims[store->open[i]];
        if (claim->known.state == TG_CLAIM_STATE_IN_FLIGHT && claim->owner == owner) {
            set_state(store, claim, TG_CLAIM_STATE_LOST);
        }
    }
}

static enum tg_err commit(struct tg_store *base, int64_t now_us, struct tg_work *const *works, size_t count,
                          struct tg_arena *arena)
{
    struct memory_store *store = of(base);
    for (size_t i = 0; i < count; i++) {
        switch (works[i]->kind) {
        case TG_WORK_ADMIT:
            admit(store, &works[i]->admit, now_us, arena);
            break;
        case TG_WORK_SETTLE:
            settle(store, &works[i]->settle);
            break;
        case TG_WORK_LOST:
            lose(store, works[i]->lost.owner);
            break;
        case TG_WORK_RESOLVE:
            works[i]->resolve.result = TG_ERR_ABSENT;
            break;
        case TG_WORK_REFUSAL:
            break;
        }
        store->events++;
    }
    return TG_OK;
}

/* ---- segments ---- */

static uint32_t segment_now(const struct tg_store *base)
{
    return (uint32_t)of_const(base)->segment_count;
}

static void begin_segment(struct memory_store *store, int64_t now_us)
{
    store->segments = sim_grow(store->segments, store->segment_count, sizeof(*store->segments));
    store->segments[store->segment_count++] = (struct segment){.opened_us = now_us};
}

static enum tg_err rotate(struct tg_store *base, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                          size_t room, size_t *ret_destroy_count)
{
    struct memory_store *store = of(base);
    struct segment *last = &store->segments[store->segment_count - 1];
    *ret_new_segment = 0;
    *ret_destroy_count = 0;
    if (now_us - last->opened_us >= store->options.segment_us_max) {
        last->sealed_us = now_us;
        begin_segment(store, now_us);
        *ret_new_segment = (uint32_t)store->segment_count;
    }
    for (size_t i = 0; i + 1 < store->segment_count && *ret_destroy_count < room; i++) {
        const struct segment *segment = &store->segments[i];
        if (!segment->purged && segment->answers_end_us <= now_us &&
            segment->sealed_us + store->options.purge_grace_us <= now_us) {
            ret_destroy[(*ret_destroy_count)++] = (uint32_t)i + 1;
        }
    }
    return TG_OK;
}

static enum tg_err purged(struct tg_store *base, uint32_t segment)
{
    of(base)->segments[segment - 1].purged = true;
    return TG_OK;
}

/* ---- the rest of the seam ---- */

static bool checkpoint(struct tg_store *base)
{
    (void)base;
    return false;
}

static void count(const struct tg_store *base, struct tg_store_counts *ret)
{
    const struct memory_store *store = of_const(base);
    *ret = (struct tg_store_counts){.claims_live = store->claim_count,
                                    .claims_in_flight = store->in_flight,
                                    .claims_unknown = store->open_count - store->in_flight,
                                    .events = store->events,
                                    .segments = store->segment_count};
}

static enum tg_err unknowns(struct tg_store *base, size_t limit,
                            bool (*each)(void *user, const struct tg_unknown_row *row), void *user)
{
    struct memory_store *store = of(base);
    for (size_t i = 0; i < store->open_count && i < limit; i++) {
        const struct claim *claim = &store->claims[store->open[i]];
        struct tg_unknown_row row = {.ticket = store->open[i] + 1};
        memcpy(row.row.request_id, claim->known.request_id, sizeof(row.row.request_id));
        if (claim->known.state != TG_CLAIM_STATE_IN_FLIGHT && !each(user, &row)) {
            break;
        }
    }
    return TG_OK;
}

static enum tg_err events(struct tg_store *base, uint64_t from, size_t limit,
                          bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user)
{
    (void)base, (void)from, (void)limit, (void)each, (void)user;
    return TG_ERR_ABSENT;
}

static uint64_t last_event(const struct tg_store *base)
{
    return of_const(base)->events;
}

static enum tg_err setup_read(struct tg_store *base, const struct tg_setup_reader *reader)
{
    const struct memory_store_options *options = &of(base)->options;
    for (size_t i = 0; i < options->partner_count; i++) {
        reader->partner(reader->user, &options->partners[i]);
    }
    for (size_t i = 0; i < options->partner_count; i++) {
        reader->credential(reader->user, &options->credentials[i]);
        reader->limit(reader->user, &options->limits[i]);
    }
    reader->route(reader->user, &options->route);
    return TG_OK;
}

static enum tg_err act(struct tg_store *base, struct tg_act *act)
{
    of(base)->events++;
    return act->kind == TG_ACT_OTHER ? TG_OK : TG_ERR_DENIED;
}

static void close_store(struct tg_store *base)
{
    struct memory_store *store = of(base);
    for (size_t i = 0; i < store->claim_count; i++) {
        free(store->claims[i].sealed);
    }
    sim_table_free(&store->by_key);
    sim_table_free(&store->by_request);
    free(store->claims);
    free(store->open);
    free(store->segments);
    free(store);
}

static const struct tg_store_backend backend = {
    .close = close_store,
    .commit = commit,
    .segment = segment_now,
    .rotate = rotate,
    .purged = purged,
    .checkpoint = checkpoint,
    .count = count,
    .unknowns = unknowns,
    .events = events,
    .last_event = last_event,
    .setup_read = setup_read,
    .act = act,
};

struct tg_store *memory_store_open(const struct memory_store_options *options, int64_t now_us)
{
    struct memory_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        abort();
    }
    store->head.backend = &backend;
    store->options = *options;
    begin_segment(store, now_us);
    return (struct tg_store *)(void *)store;
}

void memory_store_crash(struct tg_store *base)
{
    struct memory_store *store = of(base);
    for (size_t i = 0; i < store->open_count; i++) {
        struct claim *claim = &store->claims[store->open[i]];
        if (claim->known.state == TG_CLAIM_STATE_IN_FLIGHT) {
            set_state(store, claim, TG_CLAIM_STATE_LOST);
        }
    }
}

void memory_store_quota(const struct tg_store *base, uint32_t partner, int32_t day, int64_t *reserved,
                        int64_t *committed)
{
    const struct counter *counter = counter_of((struct memory_store *)(uintptr_t)of_const(base), partner, day);
    *reserved = counter->reserved;
    *committed = counter->committed;
}
