/*
 * store_bench.c - pairs a second by batch size, then how long a start takes at N live claims.
 *
 * Promises: every claim has a fresh key; the figures printed are of this run
 * on this machine. Does not: pin threads or judge.
 *
 *     store_bench STORE [CLAIMS [fill [SECONDS]]]    CLAIMS 0: only starts what is there; fill: without the
 *                                                    measured part, and for so many seconds at most
 *
 * STORE is a folder, or postgres: and a connection as libpq reads it.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/endian.h"
#include "store/state.h"
#include "wire/message.h"

#define BATCH_MAX 512u
#define ANSWER_BYTES 600u      /* in the measured part */
#define FILL_ANSWER_BYTES 32u /* a start reads no answers: only the disk is spared */

struct bench {
    struct tg_store *store;
    uint64_t claim; /* the last one made */
    uint64_t tickets[BATCH_MAX];
    uint8_t answer[ANSWER_BYTES];
    size_t answer_bytes;
    uint8_t block[65536];
    atomic_bool stop;
};

static int64_t start_us; /* of all rows: a keeper that opens this store shall find the claims alive */

static double now_s(clockid_t clock)
{
    struct timespec at;
    (void)clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void bytes_of(uint8_t *to, size_t len, uint64_t salt, uint64_t number)
{
    for (size_t i = 0; i + 8 <= len; i += 8)
        tg_be64_write(to + i, mix(number * 4 + salt + i * 0x9e3779b97f4a7c15u));
}

static void *checkpoint_thread(void *user)
{
    struct bench *bench = user;
    while (!atomic_load(&bench->stop))
        if (!tg_store_checkpoint(bench->store))
            (void)usleep(500);
    return NULL;
}

static void make_admit(struct tg_work *work, uint64_t claim)
{
    memset(work, 0, sizeof(*work));
    work->kind = TG_WORK_ADMIT;
    struct tg_admit_work *admit = &work->admit;
    admit->row = (struct tg_verdict_row){.at_us = start_us, .flags = TG_FLAG_HAS_AMOUNT, .environment = 1,
                                         .partner = (uint32_t)(1 + mix(claim) % 1000), .credential = 1,
                                         .amount_minor = 100, .currency = {'E', 'U', 'R'}, .route = TG_SPAN("psp"),
                                         .operation = TG_SPAN("payment.create"), .method = TG_SPAN("POST"),
                                         .path_template = TG_SPAN("/v1/payments")};
    bytes_of(admit->row.request_id, TG_REQUEST_ID_BYTES, 1, claim);
    bytes_of(admit->claim_key, TG_CLAIM_KEY_BYTES, 2, claim);
    bytes_of(admit->fingerprint, TG_DIGEST_BYTES, 3, claim);
    bytes_of(admit->row.payee, 16, 0, claim);
    bytes_of(admit->row.payer, 16, 1, claim);
    bytes_of(admit->row.instrument, 16, 2, claim);
    admit->expires_us = start_us + 86400ll * 1000000;
    admit->owner = 1;
    admit->has_quota = true;
    admit->quota_day_minor = INT64_MAX;
}

static void make_settle(const struct bench *bench, struct tg_work *work, uint64_t claim, uint64_t ticket)
{
    memset(work, 0, sizeof(*work));
    work->kind = TG_WORK_SETTLE;
    struct tg_settle_work *settle = &work->settle;
    settle->at_us = start_us;
    bytes_of(settle->request_id, TG_REQUEST_ID_BYTES, 1, claim);
    settle->ticket = ticket;
    settle->outcome = TG_OUTCOME_FINAL;
    settle->upstream_status = 201;
    settle->caller_status = 201;
    settle->sealed = tg_span(bench->answer, bench->answer_bytes);
    settle->seal_segment = tg_store_segment(bench->store);
}

/* One batch: settles of the batch before and as many admits, as in a steady run. */
static void run_batch(struct bench *bench, size_t pairs, bool settle_only)
{
    static struct tg_work works[2 * BATCH_MAX];
    struct tg_work *pointers[2 * BATCH_MAX];
    size_t count = 0;
    for (size_t i = 0; i < BATCH_MAX; i++)
        if (bench->tickets[i] != 0) {
            make_settle(bench, &works[count], bench->claim - i, bench->tickets[i]);
            bench->tickets[i] = 0;
            count++;
        }
    size_t first = count;
    for (size_t i = 0; !settle_only && i < pairs; i++)
        make_admit(&works[count++], ++bench->claim);
    for (size_t i = 0; i < count; i++)
        pointers[i] = &works[i];
    struct tg_arena arena = tg_arena(bench->block, sizeof(bench->block));
    if (tg_store_commit(bench->store, start_us, pointers, count, &arena) != TG_OK)
        abort();
    for (size_t i = first; i < count; i++)
        bench->tickets[count - 1 - i] = works[i].admit.ticket;
    uint32_t fresh = 0, destroy[1];
    size_t due = 0;
    if (tg_store_rotate(bench->store, start_us, &fresh, destroy, 1, &due) != TG_OK)
        abort();
}

static void measure(struct bench *bench, size_t pairs, double seconds)
{
    uint64_t before = bench->claim;
    double began = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_THREAD_CPUTIME_ID), all = now_s(CLOCK_PROCESS_CPUTIME_ID);
    double longest = 0;
    while (now_s(CLOCK_MONOTONIC) - began < seconds) {
        double at = now_s(CLOCK_MONOTONIC);
        run_batch(bench, pairs, false);
        double took = now_s(CLOCK_MONOTONIC) - at;
        longest = took > longest ? took : longest;
    }
    run_batch(bench, 0, true);
    double took = now_s(CLOCK_MONOTONIC) - began;
    double done = (double)(bench->claim - before);
    printf("batch %4zu: %8.0f pairs/s, %.1f us CPU a pair (committer), %.1f (with checkpoints), longest batch %.1f ms\n",
           pairs, done / took, (now_s(CLOCK_THREAD_CPUTIME_ID) - cpu) / done * 1e6,
           (now_s(CLOCK_PROCESS_CPUTIME_ID) - all) / done * 1e6, longest * 1e3);
}

static void say(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "  %s\n", text);
}

static double start(struct bench *bench, const struct tg_store_options *options)
{
    double began = now_s(CLOCK_MONOTONIC);
    if (tg_store_open(options, start_us, &bench->store) != TG_OK)
        abort();
    return now_s(CLOCK_MONOTONIC) - began;
}

/* The index lies in memory of the embedded store alone: a server has its own. */
static void show_index(const struct bench *bench, const struct tg_store_options *options)
{
    if (options->path != NULL)
        printf("index: %.1f bytes a claim\n", (double)tg_index_bytes(&bench->store->index) / (double)bench->claim);
}

static void show_start(struct bench *bench, const struct tg_store_options *options)
{
    double took = start(bench, options);
    struct tg_store_counts counts;
    tg_store_count(bench->store, &counts);
    printf("start: %.2f s at %" PRIu64 " live claims in %" PRIu64 " segments\n", took, counts.claims_live,
           counts.segments);
    tg_store_close(bench->store);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc < 2) {
        fprintf(stderr, "store_bench FOLDER|postgres:CONNECTION [CLAIMS [fill [SECONDS]]]\n");
        return 2;
    }
    start_us = (int64_t)time(NULL) * 1000000;
    uint64_t claims = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    bool server = strncmp(argv[1], "postgres:", 9) == 0;
    struct tg_store_options options = {.path = server ? NULL : argv[1], .connection = server ? argv[1] + 9 : NULL,
                                       .segment_us_max = INT64_MAX, .log = say};
    bench.answer_bytes = ANSWER_BYTES;
    if (claims == 0) {
        show_start(&bench, &options);
        return 0;
    }
    (void)start(&bench, &options);
    pthread_t thread;
    if (pthread_create(&thread, NULL, checkpoint_thread, &bench) != 0)
        abort();
    static const size_t sizes[] = {1, 16, 64, 256, 512};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && claims <= 1000000 && argc <= 3; i++) /* a big fill measures the start */
        measure(&bench, sizes[i], 2.0);
    double began = now_s(CLOCK_MONOTONIC);
    uint64_t before = bench.claim;
    bench.answer_bytes = FILL_ANSWER_BYTES;
    double most_s = argc > 4 ? strtod(argv[4], NULL) : 1e9;
    while (bench.claim < claims && now_s(CLOCK_MONOTONIC) - began < most_s)
        run_batch(&bench, BATCH_MAX, false);
    run_batch(&bench, 0, true);
    if (bench.claim > before)
        printf("filled to %" PRIu64 " claims at %.0f pairs/s\n", bench.claim,
               (double)(bench.claim - before) / (now_s(CLOCK_MONOTONIC) - began));
    show_index(&bench, &options);
    atomic_store(&bench.stop, true);
    (void)pthread_join(thread, NULL);
    began = now_s(CLOCK_MONOTONIC);
    tg_store_close(bench.store);
    printf("stop: %.2f s\n", now_s(CLOCK_MONOTONIC) - began);
    show_start(&bench, &options);
    return 0;
}
