/*
 * load.c - payments over TLS, each with a fresh idempotency key, at a fixed rate or as fast as answers come.
 *
 * For: reload and restart tests, and benchmarks.
 * Promises: at a fixed rate an open loop (a request's latency counts from the moment it was
 * due, not from when a connection was free); one JSON line at the end with counts by status
 * and percentiles; a request whose connection closes before any byte of an answer is tried once
 * more with the same key, as a careful client may (RFC 9110 9.2.2), and counted as retried.
 * All connections stand before the first request is due. Bounded in time.
 * Does not: prove anything about correctness by itself.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "load.h"

#define CONNECT_WAIT_US 5000000 /* for all connections, before the first request */
#define END_WAIT_US 20000000    /* for the last answers */

struct again {
    uint64_t number;
    int64_t due_us;
    int tries;
};

struct load_options load_options = {.host = "localhost", .path = "/v1/payments", .connections = 32, .streams = 1,
                                    .rate = 1000, .seconds = 10, .label = "load"};
struct load_counts load_counts;

static struct load_slot *slots, **idle;
static size_t slot_count, idle_head, idle_count, again_count;
static struct again *again;
static uint64_t next_number, total;
static int64_t begin_us, window_us, end_us;

int64_t load_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void latency(int64_t us)
{
    struct load_counts *counts = &load_counts;
    if (counts->latency_count == counts->latency_room) {
        size_t room = counts->latency_room * 2;
        uint32_t *grown = reallocarray(counts->latency_us, room, sizeof(*grown));
        if (!grown)
            return;
        counts->latency_us = grown;
        counts->latency_room = room;
    }
    counts->latency_us[counts->latency_count++] = (uint32_t)us;
}

static void slot_free(struct load_slot *slot)
{
    slot->busy = false;
    slot->client->busy--;
    idle[(idle_head + idle_count++) % slot_count] = slot;
}

void load_finish(struct load_slot *slot)
{
    int64_t now = load_now_us();
    if (slot->status == 0 && !slot->answered && slot->tries < LOAD_TRIES_MAX) {
        load_counts.retried++;
        again[again_count++] = (struct again){slot->number, slot->due_us, slot->tries};
        slot_free(slot);
        return;
    }
    if (slot->status > 0 && slot->status < 600)
        load_counts.by_status[slot->status]++;
    else
        load_counts.broken++;
    load_counts.done++;
    if (slot->due_us >= window_us && slot->due_us < end_us)
        latency(now - slot->due_us);
    load_counts.in_window += now >= window_us && now < end_us;
    slot_free(slot);
}

static int64_t due_us(uint64_t number)
{
    return begin_us + (int64_t)(number * 1000000 / (uint64_t)load_options.rate);
}

static struct load_slot *idle_take(void)
{
    struct load_slot *slot = idle[idle_head];
    idle_head = (idle_head + 1) % slot_count;
    idle_count--;
    return slot;
}

/* Gives what is due to idle slots, in turn. A connection that is about to close is passed over until it is gone. */
static void assign(int64_t now)
{
    size_t passed = 0;
    /* Bounded: where every connection is refused at once, slots come back as fast as they go. */
    for (size_t given = 0; given < slot_count && idle_count > passed; given++) {
        struct again one = {next_number, now, 0};
        if (again_count)
            one = again[again_count - 1];
        else if (load_options.closed ? now >= end_us : next_number >= total || due_us(next_number) > now)
            return;
        struct load_slot *slot = idle_take();
        if (slot->client->leaving && slot->client->busy > 0) {
            idle[(idle_head + idle_count++) % slot_count] = slot;
            passed++;
            continue;
        }
        if (again_count) {
            again_count--;
        } else {
            if (!load_options.closed)
                one.due_us = due_us(next_number);
            next_number++;
            load_counts.asked++;
        }
        /* A second try gets a connection of its own: a reload closes many kept ones at the same moment. */
        if (one.tries > 0 && slot->client->busy == 0 && slot->client->fd >= 0)
            load_client_drop(slot->client);
        *slot = (struct load_slot){.client = slot->client, .number = one.number, .due_us = one.due_us,
                                   .tries = one.tries + 1, .busy = true};
        slot->client->busy++;
        load_client_give(slot->client, slot);
    }
}

static bool slots_make(void)
{
    slot_count = (size_t)load_options.connections * (size_t)load_options.streams;
    slots = calloc(slot_count, sizeof(*slots));
    idle = calloc(slot_count, sizeof(struct load_slot *));
    again = calloc(slot_count * 2, sizeof(*again));
    load_counts.latency_room = 1 << 16;
    load_counts.latency_us = calloc(load_counts.latency_room, sizeof(uint32_t));
    if (!slots || !idle || !again || !load_counts.latency_us)
        return false;
    /* Connections take turns, not the streams of one connection. */
    for (int stream = 0; stream < load_options.streams; stream++)
        for (int i = 0; i < load_options.connections; i++) {
            struct load_client *client = load_client(i);
            client->slots = slots + (size_t)i * (size_t)load_options.streams;
            client->slots[stream].client = client;
            idle[idle_count++] = &client->slots[stream];
        }
    return true;
}

static void connect_all(void)
{
    int64_t end = load_now_us() + CONNECT_WAIT_US;
    for (int i = 0; i < load_options.connections; i++)
        if (!load_client_dial(load_client(i)))
            load_client_drop(load_client(i));
    for (;;) {
        bool all = true;
        for (int i = 0; i < load_options.connections; i++)
            all = all && (load_client(i)->ready || load_client(i)->fd < 0);
        if (all || load_now_us() >= end)
            return;
        load_clients_wait(load_now_us() + 10000);
    }
}

/* For who measures the processes under load: when the measured time begins and ends. */
static void mark(const char *word)
{
    if (load_options.marks) {
        printf("%s\n", word);
        fflush(stdout);
    }
}

static void run(void)
{
    bool began = false, ended = false;
    begin_us = load_now_us();
    window_us = begin_us + (int64_t)(load_options.warm_seconds * 1e6);
    end_us = window_us + (int64_t)(load_options.seconds * 1e6);
    total = (uint64_t)((load_options.warm_seconds + load_options.seconds) * load_options.rate);
    for (;;) {
        int64_t now = load_now_us();
        if (!began && now >= window_us) {
            began = true;
            mark("begin");
        }
        if (!ended && now >= end_us) {
            ended = true;
            mark("end");
        }
        bool more = load_options.closed ? now < end_us : next_number < total;
        if ((!more && again_count == 0 && idle_count == slot_count) || now >= end_us + END_WAIT_US)
            break;
        assign(now);
        int64_t until = now + 100000;
        if (!load_options.closed && more && idle_count > 0 && due_us(next_number) < until)
            until = due_us(next_number);
        if (!ended && end_us < until)
            until = end_us;
        load_clients_wait(until);
    }
    if (!ended)
        mark("end");
    load_counts.broken += load_counts.asked - load_counts.done;
    load_counts.seconds = (double)(load_now_us() - begin_us) / 1e6;
}

int main(int argc, char **argv)
{
    if (!load_options_read(argc, argv))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    /* Due times are in microseconds: the usual slack of 50 would show in the figures. */
    prctl(PR_SET_TIMERSLACK, 1);
    if (!load_clients_start() || !slots_make() || !load_keys_start() || !load_http1_start()) {
        fprintf(stderr, "load: no memory, or the certificate files are not readable\n");
        return 1;
    }
    connect_all();
    run();
    load_report();
    return 0;
}
