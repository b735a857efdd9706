/*
 * keeper_bench.c - a closed loop of admit and settle pairs over one gate link.
 *
 * Promises: every pair has a fresh key, and ends only when its SETTLE is answered OK; prints pairs
 * a second, the latency of single questions, and the committer's CPU for a pair as the keeper
 * itself counts it. Makes a partner, a key and a route of its own on the keeper that it is shown.
 * Does not: start a keeper, pin a processor, or judge the numbers.
 *
 *   keeper_bench GATE_SOCKET ADMIN_SOCKET IN_FLIGHT SECONDS
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "daemon/daemon.h"
#include "keeper/clock.h"
#include "wire/message.h"

#include "base/banned.h"

#define SAMPLES_MAX (16u * 1024u * 1024u)
#define ANSWER_BYTES 600 /* a usual answer of a payment API */
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
            return true;
        }
        if (err != TG_ERR_ROOM) {
            fail("a bad frame");
        }
        memmove(bench->in.ptr, rest.ptr, rest.len);
        bench->in.len = rest.len;
        bench->in_at = 0;
        ssize_t got = recv(bench->fd, bench->in.ptr + rest.len, bench->in.cap - rest.len, wait ? 0 : MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) {
            return false;
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
    ask_operator(bench, "{'command':'route.set','arguments':{'route':'bench','credential':'Bearer bench'}}", name,
                 hash);
    close(bench->fd);
    bench->in.len = 0;
    bench->in_at = 0;
}

/* ---- load ---- */

static void admit(struct bench *bench, uint16_t number)
{
    struct slot *slot = &bench->slots[number];
    struct tg_admit message = {
        .flags = TG_FLAG_MONEY_MOVING | TG_FLAG_HAS_KEY | TG_FLAG_HAS_AMOUNT | TG_FLAG_HAS_PAYEE,
        .environment = TG_ENVIRONMENT_TEST,
        .partner = bench->partner,
        .credential = bench->credential,
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
    slot->asked_us = tg_clock_monotonic_us();
    slot->settling = false;
    tg_admit_write(&bench->out, number, 0, &message);
}

static void settle(struct bench *bench, uint16_t number)
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
    slot->asked_us = tg_clock_monotonic_us();
    slot->settling = true;
    tg_settle_write(&bench->out, number, 0, &message);
}

static void take(struct bench *bench, const struct tg_frame *frame, bool more)
{
    struct slot *slot = &bench->slots[frame->slot % TG_LINK_SLOTS];
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples_us[bench->sample_count++] = (uint32_t)(tg_clock_monotonic_us() - slot->asked_us);
    }
    if (!slot->settling) {
        struct tg_admit_answer answer;
        if (tg_admit_answer_read(frame->body, &answer) != TG_OK || answer.verdict != TG_VERDICT_ALLOW) {
            fail("an ADMIT was refused");
        }
        slot->ticket = answer.ticket;
        settle(bench, frame->slot);
        return;
    }
    struct tg_settle_answer answer;
    if (tg_settle_answer_read(frame->body, &answer) != TG_OK || answer.reason != 0) {
        fail("a SETTLE was refused");
    }
    bench->pairs++;
    if (more) {
        admit(bench, frame->slot);
    }
}

/* One counter of the keeper's own. */
static uint64_t counter(struct bench *bench, const char *name)
{
    struct tg_frame frame;
    tg_bytes_write(&bench->out, TG_FRAME_STATS, 0, 0, tg_span(NULL, 0));
    send_all(bench->fd, &bench->out);
    if (!next_frame(bench, true, &frame)) {
        fail("no answer");
    }
    const char *at = memmem(frame.body.ptr, frame.body.len, name, strlen(name));
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void run(struct bench *bench, uint16_t in_flight, int64_t run_us)
{
    int64_t end_us = tg_clock_monotonic_us() + run_us;
    uint64_t begun = 0;
    for (uint16_t number = 0; number < in_flight; number++) {
        admit(bench, number);
        begun++;
    }
    while (bench->pairs < begun) {
        send_all(bench->fd, &bench->out);
        struct tg_frame frame;
        for (bool got = next_frame(bench, true, &frame); got; got = next_frame(bench, false, &frame)) {
            bool more = tg_clock_monotonic_us() < end_us;
            bool settled = bench->slots[frame.slot % TG_LINK_SLOTS].settling;
            take(bench, &frame, more);
            begun += settled && more;
            if (bench->out.len > bench->out.cap / 2) {
                break;
            }
        }
    }
}

static int order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char *argv[])
{
    uint64_t in_flight = 0;
    uint64_t seconds = 0;
    static struct bench bench;
    if (argc != 5 || tg_daemon_number(argv[3], TG_LINK_SLOTS, &in_flight) != TG_OK || in_flight == 0 ||
        tg_daemon_number(argv[4], 3600, &seconds) != TG_OK) {
        fail("usage: keeper_bench GATE_SOCKET ADMIN_SOCKET IN_FLIGHT SECONDS");
    }
    bench.in = tg_buf(malloc(INPUT_BYTES), INPUT_BYTES);
    bench.out = tg_buf(malloc(INPUT_BYTES), INPUT_BYTES);
    bench.samples_us = malloc(SAMPLES_MAX * sizeof(uint32_t));
    if (bench.in.ptr == NULL || bench.out.ptr == NULL || bench.samples_us == NULL) {
        fail("no memory");
    }
    set_up(&bench, argv[2]);
    bench.fd = connect_to(argv[1]);
    const struct tg_hello hello = {.protocol = TG_FRAME_VERSION, .pid = (uint32_t)getpid()};
    tg_hello_write(&bench.out, TG_FRAME_HELLO, &hello);
    send_all(bench.fd, &bench.out);
    struct tg_frame frame;
    if (!next_frame(&bench, true, &frame)) {
        fail("no answer");
    }
    uint64_t cpu_us = counter(&bench, "\ntollgate_keeper_committer_cpu_microseconds_total ");
    uint64_t batches = counter(&bench, "\ntollgate_keeper_batch_works_count ");
    int64_t begun_us = tg_clock_monotonic_us();
    run(&bench, (uint16_t)in_flight, (int64_t)seconds * 1000000);
    double took_s = (double)(tg_clock_monotonic_us() - begun_us) / 1e6;
    cpu_us = counter(&bench, "\ntollgate_keeper_committer_cpu_microseconds_total ") - cpu_us;
    batches = counter(&bench, "\ntollgate_keeper_batch_works_count ") - batches;
    qsort(bench.samples_us, bench.sample_count, sizeof(uint32_t), order);
    printf("in flight %llu: %.0f pairs/s, question p50 %.2f ms, p99 %.2f ms, committer %.1f us a pair, %.0f works a "
           "batch\n",
           (unsigned long long)in_flight, (double)bench.pairs / took_s,
           bench.samples_us[bench.sample_count / 2] / 1e3, bench.samples_us[bench.sample_count * 99 / 100] / 1e3,
           (double)cpu_us / (double)bench.pairs, 2.0 * (double)bench.pairs / (double)(batches == 0 ? 1 : batches));
    return 0;
}
