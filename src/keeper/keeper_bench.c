/*
 * keeper_bench.c - admit and settle pairs over one gate link, as fast as answers come or at a rate.
 *
 * Promises: every pair has a fresh key, and ends only when its SETTLE is answered OK; prints one JSON
 * line: pairs a second, the latency of single questions, the committer's CPU for a pair as the keeper
 * itself counts it, and by how much the keeper's counts of claims and events grew meanwhile. With RATE an open loop:
 * pairs arrive at random moments of that mean rate, a SETTLE is due 20 ms after its ADMIT was answered, and a
 * question's latency counts from when it was due. With PARTNERS, pairs belong to the partners 1 to PARTNERS, which hold
 * keys of the same numbers; without, to a partner that it makes. `begin` and `end` are printed around the measured
 * time. Does not: start a keeper, pin a processor, or judge the numbers.
 *
 *   keeper_bench GATE_SOCKET ADMIN_SOCKET IN_FLIGHT SECONDS [RATE [PARTNERS]]    RATE 0: as fast as answers come
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "daemon/daemon.h"
#include "keeper/clock.h"
#include "wire/message.h"

#include "base/banned.h"

#define SAMPLES_MAX (16u * 1024u * 1024u)
#define ANSWER_BYTES 600  /* a usual answer of a payment API */
#define UPSTREAM_US 20000 /* how long a payment is away, at a fixed rate */
#define INPUT_BYTES (8u * 1024u * 1024u)

struct slot {
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint64_t ticket;
    int64_t asked_us;
    bool settling;
};

struct bench {
    int fd;
    struct tg_buf in;
    size_t in_at;
    struct tg_buf out;
    struct slot slots[TG_LINK_SLOTS];
    uint32_t *samples_us;
    size_t sample_count;
    uint64_t pairs;
    uint32_t partner;
    uint32_t credential;
    uint64_t partners;               /* 0: the one above */
    uint64_t chance;                 /* state of a generator that need not be secret */
    uint16_t waiting[TG_LINK_SLOTS]; /* slots whose SETTLE is not due yet, in order */
    uint32_t waiting_head;
    uint32_t waiting_count;
    uint16_t idle[TG_LINK_SLOTS];
    uint32_t idle_count;
    uint8_t answer[ANSWER_BYTES];
};

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "keeper_bench: %s\n", what);
    exit(1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct tg_span text = tg_span_string(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || text.len >= sizeof(address.sun_path)) {
        fail("no socket");
    }
    memcpy(address.sun_path, text.ptr, text.len);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("cannot connect");
    }
    return fd;
}

static void send_all(int fd, struct tg_buf *out)
{
    if (tg_buf_done(out) != TG_OK) {
        fail("a frame did not fit");
    }
    for (size_t at = 0; at < out->len;) {
        ssize_t sent = write(fd, out->ptr + at, out->len - at);
        if (sent <= 0) {
            fail("the keeper has gone");
        }
        at += (size_t)sent;
    }
    out->len = 0;
}

/* The next whole frame of the link; waits for it when `wait`. False: none now. */
static bool next_frame(struct bench *bench, bool wait, struct tg_frame *frame)
{
    for (;;) {
        size_t used;
        struct tg_span rest = tg_span(bench->in.ptr + bench->in_at, bench->in.len - bench->in_at);
        enum tg_err err = tg_frame_read(TG_ROLE_KEEPER, rest, frame, &used);
        if (err == TG_OK) {
            bench->in_at += used;
            if (frame->type == TG_FRAME_FLUSH) {
                continue; /* unasked: an operator did something, at another keeper perhaps; nothing is cached here */
            }
            return true;
        }
        if (err != TG_ERR_ROOM) {
            fail("a bad frame");
        }
        memmove(bench->in.ptr, rest.ptr, rest.len);
        bench->in.len = rest.len;
        bench->in_at = 0;
        ssize_t got = recv(bench->fd, bench->in.ptr + rest.len, bench->in.cap - rest.len, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) {
            /* Not in recv: who sleeps there is woken by each read of the keeper's too, at the keeper's cost. */
            struct pollfd link = {.fd = bench->fd, .events = POLLIN};
            if (!wait) {
                return false;
            }
            (void)poll(&link, 1, -1);
            continue;
        }
        if (got <= 0) {
            fail("the keeper has gone");
        }
        bench->in.len += (size_t)got;
    }
}

/* ---- setting up ---- */

/* One command; in its text ' stands for ", $ for the name, # for the hash. */
static json_int_t ask_operator(struct bench *bench, const char *text, struct tg_span name, struct tg_span hash)
{
    uint8_t room[512];
    struct tg_buf command = tg_buf(room, sizeof(room));
    for (; *text != '\0'; text++) {
        if (*text == '$') {
            tg_buf_put(&command, name);
        } else if (*text == '#') {
            tg_buf_put(&command, hash);
        } else {
            tg_buf_put_u8(&command, *text == '\'' ? '"' : (uint8_t)*text);
        }
    }
    tg_bytes_write(&bench->out, TG_FRAME_ADMIN, 0, 0, tg_buf_span(&command));
    send_all(bench->fd, &bench->out);
    struct tg_frame frame;
    if (!next_frame(bench, true, &frame)) {
        fail("no answer");
    }
    json_t *root = json_loadb((const char *)frame.body.ptr, frame.body.len, 0, NULL);
    if (!json_is_true(json_object_get(root, "ok"))) {
        fail("an operator's command was refused");
    }
    json_int_t id = json_integer_value(json_object_get(json_object_get(root, "result"), "id"));
    json_decref(root);
    return id;
}

static void set_up(struct bench *bench, const char *admin)
{
    uint8_t seed[TG_DIGEST_BYTES];
    uint8_t digits[2 * TG_DIGEST_BYTES];
    struct tg_buf hex = tg_buf(digits, sizeof(digits));
    if (tg_random(seed, sizeof(seed)) != TG_OK) {
        fail("no randomness");
    }
    tg_buf_put_hex(&hex, tg_span(seed, sizeof(seed)));
    struct tg_span hash = tg_buf_span(&hex);
    struct tg_span name = tg_span_sub(hash, 0, 16);
    bench->fd = connect_to(admin);
    ask_operator(bench, "{'command':'route.set','arguments':{'route':'bench','credential':'Bearer bench'}}", name,
                 hash);
    if (bench->partners > 0) {
        close(bench->fd);
        bench->in.len = 0;
        bench->in_at = 0;
        return;
    }
    bench->partner = (uint32_t)ask_operator(bench, "{'command':'partner.add','arguments':{'name':'$'}}", name, hash);
    ask_operator(bench,
                 "{'command':'limit.set','arguments':{'partner':'$','environment':'test','currency':'EUR',"
                 "'payment_max':1000000,'day_max':999999999999}}",
                 name, hash);
    bench->credential = (uint32_t)ask_operator(
        bench,
        "{'command':'key.create','arguments':{'partner':'$','environment':'test','operations':['*'],"
        "'prefix':'tgk_test_aaaaaaaa','hash':'#'}}",
        name, hash);
    close(bench->fd);
    bench->in.len = 0;
    bench->in_at = 0;
}

/* ---- load ---- */

static uint64_t chance(struct bench *bench)
{
    bench->chance ^= bench->chance << 13;
    bench->chance ^= bench->chance >> 7;
    bench->chance ^= bench->chance << 17;
    return bench->chance;
}

static void admit(struct bench *bench, uint16_t number, int64_t due_us)
{
    struct slot *slot = &bench->slots[number];
    uint32_t partner = bench->partners == 0 ? bench->partner : 1 + (uint32_t)(chance(bench) % bench->partners);
    struct tg_admit message = {
        .flags = TG_FLAG_MONEY_MOVING | TG_FLAG_HAS_KEY | TG_FLAG_HAS_AMOUNT | TG_FLAG_HAS_PAYEE,
        .environment = TG_ENVIRONMENT_TEST,
        .partner = partner,
        .credential = bench->partners == 0 ? bench->credential : partner,
        .wait_ms = 10000,
        .ttl_s = 86400,
        .amount_minor = 1,
        .currency = {'E', 'U', 'R'},
        .exponent = 2,
        .route = TG_SPAN("bench"),
        .profile = TG_SPAN("generic-json"),
        .operation = TG_SPAN("payment.create"),
        .method = TG_SPAN("POST"),
        .path_template = TG_SPAN("/v1/payments"),
    };
    if (tg_random(slot->request_id, sizeof(slot->request_id)) != TG_OK ||
        tg_random(message.key_digest, sizeof(message.key_digest)) != TG_OK) {
        fail("no randomness");
    }
    memcpy(message.request_id, slot->request_id, sizeof(message.request_id));
    memcpy(message.fingerprint, message.key_digest, sizeof(message.fingerprint));
    memset(message.payee, 7, sizeof(message.payee));
    memset(message.address, 8, sizeof(message.address));
    slot->asked_us = due_us;
    slot->settling = false;
    tg_admit_write(&bench->out, number, 0, &message);
}

static void settle(struct bench *bench, uint16_t number, int64_t due_us)
{
    struct slot *slot = &bench->slots[number];
    struct tg_settle message = {
        .flags = TG_FLAG_MONEY_MOVING,
        .outcome = TG_OUTCOME_FINAL,
        .upstream_status = 200,
        .caller_status = 200,
        .ticket = slot->ticket,
        .answer = tg_span(bench->answer, sizeof(bench->answer)),
    };
    memcpy(message.request_id, slot->request_id, sizeof(message.request_id));
    slot->asked_us = due_us;
    slot->settling = true;
    tg_settle_write(&bench->out, number, 0, &message);
}

/* Reads an answer. True: it was a SETTLE's, and the pair is done. */
static bool take(struct bench *bench, const struct tg_frame *frame, int64_t now_us)
{
    struct slot *slot = &bench->slots[frame->slot % TG_LINK_SLOTS];
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples_us[bench->sample_count++] = (uint32_t)(now_us - slot->asked_us);
    }
    if (!slot->settling) {
        struct tg_admit_answer answer;
        if (tg_admit_answer_read(frame->body, &answer) != TG_OK) {
            fail("a bad answer");
        }
        if (answer.verdict != TG_VERDICT_ALLOW) {
            fprintf(stderr, "keeper_bench: an ADMIT was answered by verdict %u, reason %u\n", (unsigned)answer.verdict,
                    (unsigned)answer.reason);
            exit(1);
        }
        slot->ticket = answer.ticket;
        return false;
    }
    struct tg_settle_answer answer;
    if (tg_settle_answer_read(frame->body, &answer) != TG_OK || answer.reason != 0) {
        fail("a SETTLE was refused");
    }
    bench->pairs++;
    return true;
}

/* What the keeper itself counts. */
static const char *const counter_names[] = {
    "committer_cpu_microseconds_total", "batch_works_count",
    /* those that must fit what was told; the names as bench/keeper.py compares them stand below */
    "claims_live", "verdicts_total{verdict=\"allow\"}", "outcomes_total{outcome=\"final\"}", "events", "claims_unknown",
    "claims_in_flight"};
static const char *const told_names[] = {"committer_cpu", "batches", "claims",  "allowed",
                                         "final",         "events",  "unknown", "in_flight"};

#define COUNTERS (sizeof(counter_names) / sizeof(counter_names[0]))
#define COUNTERS_FIRST 2u     /* of those that are compared */
#define COUNTERS_IN_FLIGHT 7u /* its place */
#define SETTLE_TRIES 100u     /* a hundredth of a second each: the keeper answers, then counts */

struct counts {
    uint64_t value[COUNTERS];
};

static void count(struct bench *bench, struct counts *ret)
{
    struct tg_frame frame;
    tg_bytes_write(&bench->out, TG_FRAME_STATS, 0, 0, tg_span(NULL, 0));
    send_all(bench->fd, &bench->out);
    if (!next_frame(bench, true, &frame)) {
        fail("no answer");
    }
    for (size_t i = 0; i < COUNTERS; i++) {
        char name[96];
        int len = snprintf(name, sizeof(name), "\ntollgate_keeper_%s ", counter_names[i]);
        const char *at = memmem(frame.body.ptr, frame.body.len, name, (size_t)len);
        if (at == NULL) {
            fail("the keeper does not count what is asked");
        }
        ret->value[i] = strtoull(at + len, NULL, 10);
    }
}

/* Again until nothing is under way that was not before. */
static void count_settled(struct bench *bench, const struct counts *before, struct counts *ret)
{
    count(bench, ret);
    for (uint32_t tries = 0;
         ret->value[COUNTERS_IN_FLIGHT] != before->value[COUNTERS_IN_FLIGHT] && tries < SETTLE_TRIES; tries++) {
        (void)poll(NULL, 0, 10);
        count(bench, ret);
    }
}

static void run_closed(struct bench *bench, uint16_t in_flight, int64_t run_us)
{
    int64_t end_us = tg_clock_monotonic_us() + run_us;
    uint64_t begun = in_flight;
    for (uint16_t number = 0; number < in_flight; number++) {
        admit(bench, number, tg_clock_monotonic_us());
    }
    while (bench->pairs < begun) {
        send_all(bench->fd, &bench->out);
        struct tg_frame frame;
        for (bool got = next_frame(bench, true, &frame); got; got = next_frame(bench, false, &frame)) {
            int64_t now_us = tg_clock_monotonic_us();
            if (!take(bench, &frame, now_us)) {
                settle(bench, frame.slot, now_us);
            } else if (now_us < end_us) {
                admit(bench, frame.slot, now_us);
                begun++;
            }
            if (bench->out.len > bench->out.cap / 2) {
                break;
            }
        }
    }
}

/* Asks what is due; when the next is, or far away. */
static int64_t ask_due(struct bench *bench, int64_t *arrival_us, int64_t end_us, double mean_us)
{
    int64_t now_us = tg_clock_monotonic_us();
    while (bench->waiting_count > 0) {
        uint16_t number = bench->waiting[bench->waiting_head];
        if (bench->slots[number].asked_us > now_us) {
            break;
        }
        bench->waiting_head = (bench->waiting_head + 1) % TG_LINK_SLOTS;
        bench->waiting_count--;
        settle(bench, number, bench->slots[number].asked_us);
    }
    while (*arrival_us <= now_us && *arrival_us < end_us && bench->idle_count > 0) {
        admit(bench, bench->idle[--bench->idle_count], *arrival_us);
        *arrival_us += (int64_t)(-log(((double)(chance(bench) >> 11) + 1) / 9007199254740993.0) * mean_us);
    }
    int64_t next_us = *arrival_us < end_us && bench->idle_count > 0 ? *arrival_us : INT64_MAX;
    if (bench->waiting_count > 0 && bench->slots[bench->waiting[bench->waiting_head]].asked_us < next_us) {
        next_us = bench->slots[bench->waiting[bench->waiting_head]].asked_us;
    }
    return next_us;
}

static void run_open(struct bench *bench, uint64_t rate, int64_t run_us)
{
    int64_t arrival_us = tg_clock_monotonic_us();
    int64_t end_us = arrival_us + run_us;
    bench->idle_count = 0;
    for (uint16_t number = 0; number < TG_LINK_SLOTS; number++) {
        bench->idle[bench->idle_count++] = number;
    }
    while (arrival_us < end_us || bench->idle_count < TG_LINK_SLOTS) {
        int64_t next_us = ask_due(bench, &arrival_us, end_us, 1e6 / (double)rate);
        if (bench->out.len > 0) {
            send_all(bench->fd, &bench->out);
        }
        int64_t left_us = next_us == INT64_MAX ? 100000 : next_us - tg_clock_monotonic_us();
        struct pollfd link = {.fd = bench->fd, .events = POLLIN};
        const struct timespec wait = {0, left_us > 0 ? (left_us < 100000 ? left_us : 100000) * 1000 : 0};
        if (ppoll(&link, 1, &wait, NULL) <= 0) {
            continue;
        }
        struct tg_frame frame;
        while (next_frame(bench, false, &frame)) {
            int64_t now_us = tg_clock_monotonic_us();
            if (take(bench, &frame, now_us)) {
                bench->idle[bench->idle_count++] = frame.slot;
                continue;
            }
            bench->slots[frame.slot].asked_us = now_us + UPSTREAM_US;
            bench->waiting[(bench->waiting_head + bench->waiting_count++) % TG_LINK_SLOTS] = frame.slot;
        }
    }
}

static int order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static bool arguments(int argc, char *argv[], struct bench *bench, uint64_t numbers[3])
{
    static const uint64_t most[4] = {TG_LINK_SLOTS, 3600, 1000000, UINT32_MAX};
    uint64_t *to[4] = {&numbers[0], &numbers[1], &numbers[2], &bench->partners};
    for (int i = 3; i < argc && i < 7; i++) {
        if (tg_daemon_number(argv[i], most[i - 3], to[i - 3]) != TG_OK) {
            return false;
        }
    }
    return argc >= 5 && argc <= 7 && numbers[0] > 0;
}

static void greet(struct bench *bench, const char *path)
{
    struct tg_frame frame;
    const struct tg_hello hello = {.protocol = TG_FRAME_VERSION, .pid = (uint32_t)getpid()};
    bench->fd = connect_to(path);
    tg_hello_write(&bench->out, TG_FRAME_HELLO, &hello);
    send_all(bench->fd, &bench->out);
    if (!next_frame(bench, true, &frame)) {
        fail("no answer");
    }
}

static void mark(const char *word)
{
    printf("%s\n", word);
    fflush(stdout);
}

static void print(struct bench *bench, const uint64_t numbers[3], double took_s, const struct counts *before,
                  const struct counts *after)
{
    uint64_t cpu_us = after->value[0] - before->value[0];
    uint64_t batches = after->value[1] - before->value[1];
    qsort(bench->samples_us, bench->sample_count, sizeof(uint32_t), order);
    printf("{\"in_flight\":%llu,\"rate_asked\":%llu,\"pairs\":%llu,\"rate\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u,\"committer_us\":%.2f,\"works_a_batch\":%.1f,\"counted\":{",
           (unsigned long long)numbers[0], (unsigned long long)numbers[2], (unsigned long long)bench->pairs,
           (double)bench->pairs / took_s, bench->samples_us[bench->sample_count / 2],
           bench->samples_us[bench->sample_count * 99 / 100], bench->samples_us[bench->sample_count - 1],
           (double)cpu_us / (double)bench->pairs, 2.0 * (double)bench->pairs / (double)(batches == 0 ? 1 : batches));
    for (size_t i = COUNTERS_FIRST; i < COUNTERS; i++) {
        printf("%s\"%s\":%lld", i == COUNTERS_FIRST ? "" : ",", told_names[i],
               (long long)(after->value[i] - before->value[i]));
    }
    printf("}}\n");
}

int main(int argc, char *argv[])
{
    static struct bench bench;
    uint64_t numbers[3] = {0, 0, 0}; /* in flight, seconds, rate */
    if (!arguments(argc, argv, &bench, numbers)) {
        fail("usage: keeper_bench GATE_SOCKET ADMIN_SOCKET IN_FLIGHT SECONDS [RATE [PARTNERS]]");
    }
    bench.in = tg_buf(malloc(INPUT_BYTES), INPUT_BYTES);
    bench.out = tg_buf(malloc(INPUT_BYTES), INPUT_BYTES);
    bench.samples_us = malloc(SAMPLES_MAX * sizeof(uint32_t));
    if (bench.in.ptr == NULL || bench.out.ptr == NULL || bench.samples_us == NULL) {
        fail("no memory");
    }
    if (tg_random((uint8_t *)&bench.chance, sizeof(bench.chance)) != TG_OK || bench.chance == 0) {
        fail("no randomness");
    }
    prctl(PR_SET_TIMERSLACK, 1);
    set_up(&bench, argv[2]);
    greet(&bench, argv[1]);
    struct counts before, after;
    count(&bench, &before);
    mark("begin");
    int64_t begun_us = tg_clock_monotonic_us();
    if (numbers[2] == 0) {
        run_closed(&bench, (uint16_t)numbers[0], (int64_t)numbers[1] * 1000000);
    } else {
        run_open(&bench, numbers[2], (int64_t)numbers[1] * 1000000);
    }
    double took_s = (double)(tg_clock_monotonic_us() - begun_us) / 1e6;
    mark("end");
    count_settled(&bench, &before, &after);
    print(&bench, numbers, took_s, &before, &after);
    return 0;
}
