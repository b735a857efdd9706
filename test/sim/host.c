/*
 * host.c - see host.h.
 *
 * Promises: a commit is seen by the model in the moment in which it is durable, before anybody can be told.
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "gates.h"
#include "memory_store.h"
#include "model.h"
#include "store/backend.h"
#include "world.h"

#define TICK_US (TG_ENGINE_TICK_MS * MS)
#define SEGMENT_US (7 * SECOND)
#define GRACE_US (1 * SECOND)
#define PAYMENT_MINOR_MAX 1000000

struct tg_keeper *host_keeper;
static uint64_t life; /* of the keeper's process; what is planned for an older one is not done */
static struct host_options options;
static struct tg_job_queue waiting, finished;
static bool running, fail_next, down;
static int64_t stall_us, stall_until_us;

/* ---- the store, watched ---- */

struct watched {
    struct tg_store_head head;
    struct tg_store *inner;
};
static struct watched store;
static struct tg_store_backend backend;

static enum tg_err commit(struct tg_store *base, int64_t now_us, struct tg_work *const *works, size_t count,
                          struct tg_arena *arena)
{
    (void)base;
    if (options.lies && world_happens(2000)) {
        return TG_OK;
    }
    enum tg_err err = tg_store_commit(store.inner, now_us, works, count, arena);
    if (err != TG_OK) {
        world_broken("the store failed by itself: %s", tg_err_name(err));
    }
    model_committed(now_us, works, count);
    return TG_OK;
}

static uint32_t segment(const struct tg_store *base)
{
    (void)base;
    return tg_store_segment(store.inner);
}

static enum tg_err rotate(struct tg_store *base, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                          size_t room, size_t *ret_destroy_count)
{
    (void)base;
    return tg_store_rotate(store.inner, now_us, ret_new_segment, ret_destroy, room, ret_destroy_count);
}

static enum tg_err purged(struct tg_store *base, uint32_t number)
{
    (void)base;
    return tg_store_purged(store.inner, number);
}

static void count(const struct tg_store *base, struct tg_store_counts *ret)
{
    (void)base;
    tg_store_count(store.inner, ret);
}

static enum tg_err setup_read(struct tg_store *base, const struct tg_setup_reader *reader)
{
    (void)base;
    return tg_store_setup_read(store.inner, reader);
}

static enum tg_err act(struct tg_store *base, struct tg_act *one)
{
    (void)base;
    return tg_store_act(store.inner, one);
}

/* ---- what is set up ---- */

static struct tg_partner partners[HOST_PARTNERS];
static struct tg_credential credentials[HOST_PARTNERS];
static struct tg_limit limits[HOST_PARTNERS];
static uint8_t sealed_room[256];
static struct tg_route_credential route = {.route = "main"};

static void describe(void)
{
    struct tg_buf out = tg_buf(sealed_room, sizeof(sealed_room));
    route.sealed = sealer_seal(TG_SEAL_KEY_CREDENTIAL, TG_SPAN("main"), TG_SPAN("the upstream's secret"), &out);
    for (uint32_t i = 0; i < HOST_PARTNERS; i++) {
        partners[i] = (struct tg_partner){.id = i + 1, .name = {'p', (char)('a' + i)}};
        credentials[i] = (struct tg_credential){.id = i + 1,
                                                .partner = i + 1,
                                                .environment = TG_ENVIRONMENT_TEST,
                                                .hash = {(uint8_t)(i + 1)},
                                                .operations = "*"};
        limits[i] = (struct tg_limit){.partner = i + 1,
                                      .environment = TG_ENVIRONMENT_TEST,
                                      .currency = "EUR",
                                      .payment_minor_max = PAYMENT_MINOR_MAX,
                                      .day_minor_max = options.day_minor[i]};
        model_limit(i + 1, options.day_minor[i]);
    }
}

static void act_or_end(struct tg_act *one)
{
    one->at_us = world_utc_us();
    if (tg_store_act(store.inner, one) != TG_OK) {
        world_broken("the store could not be set up");
    }
}

static void set_up_sqlite(void)
{
    for (size_t i = 0; i < HOST_PARTNERS; i++) {
        struct tg_act partner = {.kind = TG_ACT_PARTNER_ADD, .partner = partners[i]};
        struct tg_act credential = {.kind = TG_ACT_CREDENTIAL_ADD, .credential = credentials[i]};
        struct tg_act limit = {.kind = TG_ACT_LIMIT_SET, .limit = limits[i]};
        act_or_end(&partner);
        act_or_end(&credential);
        act_or_end(&limit);
    }
    struct tg_act credential = {.kind = TG_ACT_ROUTE_SET, .route = route};
    act_or_end(&credential);
}

static void open_store(void)
{
    if (options.folder == NULL) {
        struct memory_store_options wish = {partners, credentials, limits, HOST_PARTNERS, route, SEGMENT_US, GRACE_US};
        store.inner = memory_store_open(&wish, world_utc_us());
        return;
    }
    struct tg_store_options wish = {.path = options.folder, .segment_us_max = SEGMENT_US, .purge_grace_us = GRACE_US};
    if (tg_store_open(&wish, world_utc_us(), &store.inner) != TG_OK) {
        world_broken("the store in %s could not be opened", options.folder);
    }
}

/* ---- the committer ---- */

static void run_one(void *who, uint64_t what);

static void plan_run(void)
{
    if (!running && waiting.head != NULL) {
        int64_t more_us = world.now_us < stall_until_us ? world_between(0, stall_us) : 0;
        running = true;
        world_plan(world_between(100, 1500) + more_us, run_one, NULL, life);
    }
}

static void post(void *user, struct tg_job *job)
{
    (void)user;
    tg_job_push(&waiting, job);
    if (host_keeper != NULL) {
        plan_run();
    }
}

static uint64_t cpu_us(void *user)
{
    (void)user;
    return 0;
}

static const struct tg_committer_port committer_port = {post, cpu_us};

static void finish_one(void *who, uint64_t what)
{
    (void)who;
    struct tg_job *job = what == life && host_keeper != NULL ? tg_job_take(&finished) : NULL;
    if (job != NULL) {
        job->done(job);
        host_turn();
    }
}

static void push_finished(struct tg_job *job)
{
    tg_job_push(&finished, job);
    world_plan(world_between(1, 100), finish_one, NULL, life);
}

static void run_one(void *who, uint64_t what)
{
    (void)who;
    if (what != life || host_keeper == NULL) {
        return;
    }
    running = false;
    if (fail_next && waiting.head != NULL && waiting.head->run != NULL) {
        fail_next = false;
        if (world_happens(500000)) {
            tg_committer_run(&host_keeper->committer, waiting.head); /* durable, and nobody hears of it */
        }
        host_crash();
        return;
    }
    struct tg_job *job = tg_job_take(&waiting);
    tg_committer_run(&host_keeper->committer, job);
    push_finished(job);
    struct tg_job *rotation = tg_committer_rotation(&host_keeper->committer);
    if (rotation != NULL) {
        push_finished(rotation);
    }
    plan_run();
}

/* ---- life ---- */

static void tick(void *who, uint64_t what)
{
    (void)who;
    if (what == life && host_keeper != NULL) {
        tg_engine_tick(host_keeper);
        host_turn();
        world_plan(TICK_US, tick, NULL, life);
    }
}

static void start(void *who, uint64_t what)
{
    (void)who;
    (void)what;
    struct tg_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) {
        abort();
    }
    keeper->committer.store = (struct tg_store *)(void *)&store;
    if (tg_engine_start(keeper) != TG_OK) {
        world_broken("the keeper could not start");
    }
    keeper->committer.port = &committer_port;
    keeper->sealer.port = &sealer_port;
    host_keeper = keeper;
    down = false;
    if (tg_sealer_start(&keeper->sealer) != TG_OK) {
        abort();
    }
    world_plan(TICK_US, tick, NULL, life);
}

void host_begin(const struct host_options *wish)
{
    options = *wish;
    backend = (struct tg_store_backend){.commit = commit,
                                        .segment = segment,
                                        .rotate = rotate,
                                        .purged = purged,
                                        .count = count,
                                        .setup_read = setup_read,
                                        .act = act};
    store.head.backend = &backend;
    describe();
    open_store();
    if (options.folder != NULL) {
        set_up_sqlite();
    }
    sealer_begin();
    start(NULL, 0);
}

/* Everything that the process held is given back; nothing of it is answered or committed. */
static void bury(void)
{
    struct tg_keeper *keeper = host_keeper;
    keeper->ending_since_us = 1;
    while (keeper->links != NULL) {
        tg_link_close(keeper->links);
    }
    tg_sealer_stop(&keeper->sealer);
    for (;;) {
        struct tg_job *job = finished.head != NULL ? tg_job_take(&finished) : tg_job_take(&waiting);
        if (job == NULL) {
            break;
        }
        job->done(job);
    }
    gates_bury();
    tg_engine_free(keeper);
    free(keeper);
    host_keeper = NULL;
    sealer_forget();
    life++;
    running = false;
}

void host_crash(void)
{
    if (host_keeper == NULL || down) {
        return;
    }
    down = true;
    bury();
    model_crashed();
    if (options.folder == NULL) {
        memory_store_crash(store.inner);
    } else {
        tg_store_close(store.inner);
        open_store();
    }
    host_compare();
    world_plan(world_between(20 * MS, 400 * MS), start, NULL, 0);
}

void host_end(void)
{
    if (host_keeper != NULL) {
        bury();
    }
    tg_store_close(store.inner);
}

void host_fail_next_commit(void)
{
    fail_next = true;
}

void host_stall(int64_t wait_us, int64_t until_us)
{
    stall_us = wait_us;
    stall_until_us = until_us;
}

void host_turn(void)
{
    if (host_keeper != NULL && !down) {
        tg_engine_turn(host_keeper);
        gates_closed();
    }
}

void host_compare(void)
{
    struct tg_store_counts counts;
    tg_store_count(store.inner, &counts);
    if (counts.claims_in_flight + counts.claims_unknown != model_open() || counts.claims_unknown != model_open_lost()) {
        world_broken("the store has %llu in flight and %llu unknown, the model %zu and %zu",
                     (unsigned long long)counts.claims_in_flight, (unsigned long long)counts.claims_unknown,
                     model_open() - model_open_lost(), model_open_lost());
    }
    for (uint32_t partner = 1; options.folder == NULL && partner <= HOST_PARTNERS; partner++) {
        int64_t reserved = 0;
        int64_t committed = 0;
        int32_t day = (int32_t)(world_utc_us() / (86400 * SECOND));
        memory_store_quota(store.inner, partner, day, &reserved, &committed);
        if (reserved + committed != model_used(partner, day)) {
            world_broken("partner %u: the store counts %lld + %lld, the model %lld", partner, (long long)reserved,
                         (long long)committed, (long long)model_used(partner, day));
        }
    }
}
