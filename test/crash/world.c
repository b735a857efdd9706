/*
 * world.c - what the store shows, held against the model and against another time; the steps but for their works.
 *
 * Promises: as world.h. Looking changes no row.
 * Does not: make works (world_batch.c) or acts (world_act.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "store/sqlite.h"
#include "world.h"

char world_fault[1024];
bool world_unread;
const char *const world_names[] = {"batch", "act", "rotate", "purge", "checkpoint"};

bool world_differs(const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    (void)vsnprintf(world_fault, sizeof(world_fault), format, rest);
    va_end(rest);
    return false;
}

uint64_t world_draw(struct world *world, uint64_t below)
{
    world->draw++;
    return disk_mix(world->draw, 11) % below;
}

/* A read that did not come about. */
static bool cannot_read(const char *what, enum tg_err err)
{
    world_unread = err == TG_ERR_DOWN;
    return world_differs("%s cannot be read: %s", what, tg_err_name(err));
}

/* ---- opening ---- */

/* Small, so that a few dozen steps see every segment come, go and be carried on. */
#define SEGMENT_ROWS 14
#define RETENTION_US (12 * 3600 * KIT_SECOND)
#define STEP_FRAMES 10
#define RESTART_FRAMES 24
#define CUT_BYTES 12288
#define CARRY_ROWS 4

enum tg_err world_open(struct world *world)
{
    struct kit *kit = &world->kit;
    kit->options =
        (struct tg_store_options){.path = WORLD_FOLDER, .segment_rows_max = SEGMENT_ROWS, .retention_us = RETENTION_US};
    kit->arena = tg_arena(kit->block, sizeof(kit->block));
    enum tg_err err = tg_store_open(&kit->options, kit->now_us, &kit->store);
    if (err != TG_OK) {
        return err;
    }
    kit->store->checkpointer.step_frames = STEP_FRAMES;
    kit->store->checkpointer.restart_frames = RESTART_FRAMES;
    kit->store->checkpointer.cut_bytes = CUT_BYTES;
    kit->store->carry_rows = CARRY_ROWS;
    return tg_sqlite_exec(kit->store->setup, "PRAGMA wal_autocheckpoint = 6");
}

/* ---- looking ---- */

static uint64_t digest(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ at[i]) * 0x100000001b3u;
    }
    return disk_mix(sum, len);
}

static void see_partner(void *user, const struct tg_partner *row)
{
    uint64_t *sum = user;
    *sum = digest(digest(*sum, &row->id, sizeof(row->id)), row->name, strlen(row->name));
}

static void see_credential(void *user, const struct tg_credential *row)
{
    uint64_t *sum = user;
    int64_t numbers[] = {row->id, row->partner, row->environment, row->created_us, row->expires_us, row->revoked_us};
    *sum = digest(digest(*sum, numbers, sizeof(numbers)), row->hash, sizeof(row->hash));
    *sum = digest(digest(*sum, row->prefix, strlen(row->prefix)), row->operations, strlen(row->operations));
}

static void see_limit(void *user, const struct tg_limit *row)
{
    uint64_t *sum = user;
    int64_t numbers[] = {row->partner, row->environment, row->payment_minor_max, row->day_minor_max};
    *sum = digest(digest(*sum, numbers, sizeof(numbers)), row->currency, 3);
}

static void see_certificate(void *user, const struct tg_partner_certificate *row)
{
    uint64_t *sum = user;
    int64_t numbers[] = {row->partner, row->not_after_us};
    *sum = digest(digest(*sum, numbers, sizeof(numbers)), row->sha256, sizeof(row->sha256));
}

static void see_route(void *user, const struct tg_route_credential *row)
{
    uint64_t *sum = user;
    *sum = digest(digest(*sum, row->route, strlen(row->route)), row->sealed.ptr, row->sealed.len);
}

struct seeing {
    struct world_view *view;
    uint64_t last;
    bool in_order;
};

static bool see_event(void *user, uint64_t sequence, struct tg_span json)
{
    struct seeing *seeing = user;
    struct world_view *view = seeing->view;
    seeing->in_order = seeing->in_order && sequence > seeing->last && view->event_count < WORLD_EVENTS;
    seeing->last = sequence;
    if (seeing->in_order) {
        view->events[view->event_count++] = digest(sequence, json.ptr, json.len);
    }
    return seeing->in_order;
}

static bool see_unknown(void *user, const struct tg_unknown_row *row)
{
    (void)row;
    (*(uint64_t *)user)++;
    return true;
}

static bool see_final(struct world *world, struct world_shown *shown)
{
    struct tg_store *store = world->kit.store;
    const struct tg_row *row = &store->held.row;
    const struct tg_segment_info *sealed = tg_state_info(store, row->seal_segment);
    struct tg_span answer = {NULL, 0};
    shown->state = TG_CLAIM_STATE_FINAL;
    shown->ticket = row->ticket;
    shown->expires_us = row->expires_us;
    shown->print = digest(0, row->fingerprint, sizeof(row->fingerprint));
    shown->status = row->caller_status != 0 ? row->caller_status : row->upstream_status;
    memcpy(shown->request_id, row->verdict.request_id, sizeof(shown->request_id));
    if (!row->has_answer || sealed == NULL || sealed->purged) {
        return true;
    }
    tg_arena_reset(&world->kit.arena);
    enum tg_err err = tg_state_read(store, row->sequence, &store->held, &world->kit.arena, &answer);
    shown->answer_len = (uint32_t)answer.len;
    shown->answer = digest(0, answer.ptr, answer.len);
    return err == TG_OK || cannot_read("a stored answer", err);
}

static bool see_claim(struct world *world, uint64_t key, struct world_shown *shown)
{
    struct tg_store *store = world->kit.store;
    uint8_t claim_key[TG_CLAIM_KEY_BYTES];
    kit_bytes(claim_key, sizeof(claim_key), 2, key);
    const struct tg_pending_claim *claim = tg_pending_key(&store->pending, claim_key);
    if (claim != NULL) {
        bool told = claim->state == TG_CLAIM_STATE_UNKNOWN;
        shown->state = told ? TG_CLAIM_STATE_UNKNOWN : TG_CLAIM_STATE_IN_FLIGHT;
        shown->status = told ? claim->upstream_status : 0;
        shown->ticket = claim->ticket;
        shown->expires_us = claim->expires_us;
        shown->print = digest(0, claim->fingerprint, sizeof(claim->fingerprint));
        memcpy(shown->request_id, claim->request_id, sizeof(shown->request_id));
        return true;
    }
    enum tg_err err = tg_state_final(store, claim_key, world->kit.now_us, &store->held);
    if (err == TG_ERR_ABSENT) {
        return true;
    }
    return err == TG_OK ? see_final(world, shown) : cannot_read("a claim", err);
}

/* Days that the store still counts. */
static int32_t first_day(int64_t now_us)
{
    int32_t day = (int32_t)(now_us / KIT_DAY) - 2 - KIT_QUOTA_DAY;
    return day < 0 ? 0 : day;
}

static void see_counters(struct world *world, struct world_view *view)
{
    for (int32_t day = first_day(world->kit.now_us); day < (int32_t)WORLD_DAYS; day++) {
        struct tg_quota_key key = {7, KIT_QUOTA_DAY + day, TG_ENVIRONMENT_TEST, {'E', 'U', 'R'}};
        const struct tg_quota_counter *counter = tg_quota_find(&world->kit.store->quota, &key);
        if (counter != NULL) {
            view->days[day].reserved = counter->reserved;
            view->days[day].committed = counter->committed;
        }
    }
}

static bool see_events(struct world *world, struct world_view *view)
{
    struct tg_store *store = world->kit.store;
    struct seeing seeing = {view, 0, true};
    struct tg_store_counts counts;
    uint64_t unknown = 0, waiting = 0;
    enum tg_err err = tg_store_events(store, 0, SIZE_MAX, see_event, &seeing);
    if (err != TG_OK) {
        return cannot_read("the record", err);
    }
    if (!seeing.in_order) {
        return world_differs("event %zu is not in order", view->event_count);
    }
    tg_store_count(store, &counts);
    if (counts.events != view->event_count) {
        return world_differs("%ju events are counted, %zu are there", (uintmax_t)counts.events, view->event_count);
    }
    err = tg_store_unknowns(store, SIZE_MAX, see_unknown, &unknown);
    for (uint64_t key = 0; key < WORLD_KEYS; key++) {
        waiting +=
            view->claims[key].state == TG_CLAIM_STATE_UNKNOWN || view->claims[key].state == TG_CLAIM_STATE_IN_FLIGHT;
    }
    if (err != TG_OK || unknown != counts.claims_unknown || waiting != unknown + counts.claims_in_flight) {
        return world_differs("%ju unknowns are listed (%s), %ju counted, %ju in flight, %ju by key", (uintmax_t)unknown,
                             tg_err_name(err), (uintmax_t)counts.claims_unknown, (uintmax_t)counts.claims_in_flight,
                             (uintmax_t)waiting);
    }
    return true;
}

bool world_look(struct world *world, struct world_view *ret)
{
    struct tg_store *store = world->kit.store;
    memset(ret, 0, sizeof(*ret));
    world_unread = false;
    struct tg_setup_reader reader = {&ret->setup, see_partner, see_credential, see_limit, see_certificate, see_route};
    enum tg_err err = tg_store_setup_read(store, &reader);
    if (err != TG_OK) {
        return cannot_read("the setup", err);
    }
    ret->segment = tg_store_segment(store);
    for (size_t i = 0; i < store->info_count; i++) {
        if (store->infos[i].number >= WORLD_SEGMENTS) {
            return world_differs("more segments than the test has room for");
        }
        ret->segments[store->infos[i].number] = store->infos[i].purged ? WORLD_SEGMENT_PURGED : WORLD_SEGMENT_KEPT;
    }
    see_counters(world, ret);
    for (uint64_t key = 0; key < WORLD_KEYS; key++) {
        if (!see_claim(world, key, &ret->claims[key])) {
            return false;
        }
    }
    return see_events(world, ret);
}

/* ---- comparing ---- */

static bool claim_agrees(const struct world_shown *shown, const struct world_claim *claim, const bool *purged,
                         int64_t now_us, unsigned key)
{
    struct world_shown wanted = {0};
    uint8_t print[TG_DIGEST_BYTES];
    static uint8_t answer[65536];
    bool final = claim->state == TG_CLAIM_STATE_FINAL, told = claim->state == TG_CLAIM_STATE_UNKNOWN;
    if (claim->state != TG_CLAIM_STATE_NONE && !(final && claim->expires_us <= now_us)) {
        wanted.state = final || told ? claim->state : TG_CLAIM_STATE_IN_FLIGHT;
        wanted.status = final || told ? claim->status : 0;
        wanted.ticket = claim->ticket;
        wanted.expires_us = claim->expires_us;
        kit_bytes(print, sizeof(print), 3, claim->print);
        wanted.print = digest(0, print, sizeof(print));
        kit_bytes(wanted.request_id, sizeof(wanted.request_id), 1, claim->request);
        if (final && claim->answer_len > 0 && !purged[claim->seal_segment]) {
            kit_bytes(answer, claim->answer_len, 5, claim->request);
            wanted.answer_len = claim->answer_len;
            wanted.answer = digest(0, answer, claim->answer_len);
        } else if (final) {
            wanted.answer = shown->answer_len == 0 ? shown->answer : 0;
        }
    }
    return memcmp(shown, &wanted, sizeof(wanted)) == 0 ||
           world_differs(
               "key %u: shown state %u ticket %ju status %u answer %u until %jd, acknowledged state %u ticket "
               "%ju status %u answer %u until %jd",
               key, shown->state, (uintmax_t)shown->ticket, shown->status, shown->answer_len,
               (intmax_t)shown->expires_us, wanted.state, (uintmax_t)wanted.ticket, wanted.status, wanted.answer_len,
               (intmax_t)wanted.expires_us);
}

bool world_agrees(const struct world_view *view, const struct world_model *model, int64_t now_us)
{
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        if (!claim_agrees(&view->claims[key], &model->claims[key], model->purged, now_us, key)) {
            return false;
        }
    }
    for (int32_t day = first_day(now_us); day < (int32_t)WORLD_DAYS; day++) {
        if (view->days[day].reserved != model->days[day].reserved ||
            view->days[day].committed != model->days[day].committed) {
            return world_differs("day %d: counted %jd reserved, %jd committed; by its events %jd and %jd", (int)day,
                                 (intmax_t)view->days[day].reserved, (intmax_t)view->days[day].committed,
                                 (intmax_t)model->days[day].reserved, (intmax_t)model->days[day].committed);
        }
    }
    for (uint32_t i = 0; i < WORLD_SEGMENTS; i++) {
        if (model->purged[i] && view->segments[i] == WORLD_SEGMENT_KEPT) {
            return world_differs("segment %u was purged and is not", i);
        }
    }
    return true;
}

enum { PARTS = 6 };

/* A part of the view is the same as in another, by the part's number. */
static bool same_part(unsigned part, const struct world_view *a, const struct world_view *b)
{
    switch (part) {
    case 0:
        return a->setup == b->setup;
    case 1:
        return a->event_count == b->event_count && memcmp(a->events, b->events, a->event_count * sizeof(uint64_t)) == 0;
    case 2:
        return memcmp(a->claims, b->claims, sizeof(a->claims)) == 0;
    case 3:
        return memcmp(a->days, b->days, sizeof(a->days)) == 0;
    case 4:
        return a->segment == b->segment;
    default:
        return memcmp(a->segments, b->segments, sizeof(a->segments)) == 0;
    }
}

static bool same_segments(const struct world_view *view, const struct world_view *a, const struct world_view *b)
{
    for (size_t i = 0; i < WORLD_SEGMENTS; i++) {
        if (view->segments[i] != a->segments[i] && view->segments[i] != b->segments[i]) {
            return false;
        }
    }
    return true;
}

static bool same_claims(const struct world_view *view, const struct world_view *other)
{
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        const struct world_shown *here = &view->claims[key], *there = &other->claims[key];
        if (memcmp(here, there, sizeof(*here)) != 0) {
            return world_differs("key %u: state %u ticket %ju status %u answer %u, and must be state %u ticket %ju "
                                 "status %u answer %u",
                                 key, here->state, (uintmax_t)here->ticket, here->status, here->answer_len,
                                 there->state, (uintmax_t)there->ticket, there->status, there->answer_len);
        }
    }
    return true;
}

bool world_same(const struct world_view *view, const struct world_view *a, const struct world_view *b, bool mixed)
{
    static const char *const names[PARTS] = {"setup", "events", "claims", "counters", "open segment", "segments"};
    bool first = true, second = true;
    unsigned differs = 0;
    for (unsigned part = 0; part < PARTS; part++) {
        bool is_first = same_part(part, view, a), is_second = same_part(part, view, b);
        bool is_either = is_first || is_second || (part == 5 && mixed && same_segments(view, a, b));
        if (!is_either) {
            (void)(part == 2 && same_claims(view, b));
            char why[400] = "";
            (void)snprintf(why, sizeof(why), "%.399s", part == 2 ? world_fault : "");
            return world_differs(
                "%s differ from what was acknowledged (events %zu, must be %zu or %zu; segment %u, must "
                "be %u or %u) %s",
                names[part], view->event_count, a->event_count, b->event_count, view->segment, a->segment, b->segment,
                why);
        }
        differs |= is_first ? 0 : 1u << part;
        first = first && is_first;
        second = second && is_second;
    }
    return mixed || first || second || world_differs("half of a step is there (parts 0x%x are of after it)", differs);
}

void world_forget_links(struct world_model *model)
{
    for (unsigned key = 0; key < WORLD_KEYS; key++) {
        if (model->claims[key].state == TG_CLAIM_STATE_IN_FLIGHT) {
            model->claims[key].state = TG_CLAIM_STATE_LOST;
        }
    }
}

/* ---- steps ---- */

enum world_kind world_next(struct world *world)
{
    struct kit *kit = &world->kit;
    uint64_t draw = world_draw(world, 100);
    if (world->destroy_count > 0 && draw < 60) {
        return WORLD_PURGE;
    }
    kit->now_us += (int64_t)world_draw(world, 20) * KIT_SECOND;
    if (draw < 58) {
        return WORLD_BATCH;
    }
    if (draw < 66) {
        return WORLD_ACT;
    }
    if (draw < 80) {
        return WORLD_CHECKPOINT;
    }
    static const int64_t jumps_s[] = {1, 3600, 3700, 4 * 3600, 8 * 3600, 14 * 3600};
    kit->now_us += jumps_s[world_draw(world, 6)] * KIT_SECOND;
    return WORLD_ROTATE;
}

/* A key must not be destroyed while an answer under it may be asked for. */
static enum tg_err check_destroy(const struct world *world)
{
    for (size_t i = 0; i < world->destroy_count; i++) {
        for (unsigned key = 0; key < WORLD_KEYS; key++) {
            const struct world_claim *claim = &world->model.claims[key];
            if (claim->state == TG_CLAIM_STATE_FINAL && claim->answer_len > 0 &&
                claim->expires_us > world->kit.now_us && claim->seal_segment == world->destroy[i]) {
                (void)world_differs("the key of segment %u shall go, and key %u needs it", world->destroy[i], key);
                return TG_ERR_BUG;
            }
        }
    }
    return TG_OK;
}

static enum tg_err rotate(struct world *world)
{
    uint32_t fresh = 0, before = tg_store_segment(world->kit.store);
    enum tg_err err =
        tg_store_rotate(world->kit.store, world->kit.now_us, &fresh, world->destroy, 8, &world->destroy_count);
    if (err != TG_OK) {
        return err;
    }
    uint32_t now = tg_store_segment(world->kit.store);
    if (now != (fresh == 0 ? before : before + 1) || (fresh != 0 && fresh != now)) {
        (void)world_differs("segment %u became %u, and %u was told", before, now, fresh);
        return TG_ERR_BUG;
    }
    return check_destroy(world);
}

static enum tg_err purge(struct world *world)
{
    uint32_t number = world->destroy[--world->destroy_count];
    enum tg_err err = tg_store_purged(world->kit.store, number);
    world->model.purged[number] = world->model.purged[number] || err == TG_OK;
    return err;
}

static enum tg_err checkpoint(struct world *world)
{
    uint64_t most = 1 + world_draw(world, 5);
    for (uint64_t i = 0; i < most && tg_store_checkpoint(world->kit.store); i++) {
        continue;
    }
    return atomic_load(&world->kit.store->checkpointer.broken) ? TG_ERR_DOWN : TG_OK;
}

enum tg_err world_do(struct world *world, enum world_kind kind)
{
    switch (kind) {
    case WORLD_BATCH:
        return world_batch(world);
    case WORLD_ACT:
        return world_act(world);
    case WORLD_ROTATE:
        return rotate(world);
    case WORLD_PURGE:
        return purge(world);
    case WORLD_CHECKPOINT:
        return checkpoint(world);
    }
    return TG_ERR_BUG;
}
