/*
 * load.h - what the files of the load generator share: options, connections, slots, counts.
 *
 * Promises: one thread, one epoll, no allocation while it measures but for the list of latencies.
 * A slot is one request on its way; HTTP/1.1 has one a connection, HTTP/2 as many as --streams.
 * Does not: judge answers; it counts them by status.
 */
#ifndef TG_BENCH_LOAD_H
#define TG_BENCH_LOAD_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_CONNECTIONS_MAX 1024 /* descriptors of one ordinary process */
#define LOAD_STREAMS_MAX 128      /* what nginx allows on one connection */
#define LOAD_FIELDS_MAX 16
#define LOAD_TOKEN_BYTES_MAX 4096 /* an API key, or a token with its claims */
#define LOAD_BODY_BYTES_MAX 16384
#define LOAD_INPUT_BYTES 65536    /* an answer with its header */
#define LOAD_OUTPUT_BYTES 65536   /* a request, or what HTTP/2 has to say at once */
#define LOAD_KEY_CHARS 32
#define LOAD_TRIES_MAX 2          /* the first, and one more on a connection that closed before any answer */

struct load_options {
    struct sockaddr_in address;
    const char *host, *ca, *path, *label, *certificate, *certificate_key;
    char token[LOAD_TOKEN_BYTES_MAX];
    char body[LOAD_BODY_BYTES_MAX];
    size_t body_len;
    const char *fields[LOAD_FIELDS_MAX]; /* "Name: value" */
    size_t field_count;
    int connections, streams, rate;
    double seconds, warm_seconds;
    bool closed, http2, marks;
};

struct load_client;

struct load_slot {
    struct load_client *client;
    uint64_t number; /* of the request: its key comes from it */
    int64_t due_us;
    int tries;
    int status;
    int32_t stream;
    bool busy, sent, answered;
    size_t body_sent;
};

struct load_client {
    int fd;
    SSL *ssl;
    void *session; /* nghttp2_session */
    bool ready;    /* the handshake is done */
    bool leaving;  /* the peer said that this connection ends */
    bool wants_write;
    int busy;
    struct load_slot *slots;
    size_t input_len, output_len, output_sent;
    uint8_t *input, *output;
};

struct load_counts {
    uint64_t by_status[600], asked, done, broken, retried, connects;
    uint64_t in_window; /* ended inside the measured time */
    uint32_t *latency_us;
    size_t latency_count, latency_room;
    double seconds; /* whole run */
};

extern struct load_options load_options;
extern struct load_counts load_counts;

bool load_options_read(int argc, char **argv);
void load_report(void);
int64_t load_now_us(void);

/* The fresh key of a request: a random half for the run and a half that no two numbers share. */
bool load_keys_start(void);
void load_key(uint64_t number, char to[LOAD_KEY_CHARS]);

/* load.c: a request has its answer (status 0: none will come), or is to be tried again. */
void load_finish(struct load_slot *slot);

/* load_client.c: the connections. */
bool load_clients_start(void);
struct load_client *load_client(int number);
bool load_client_dial(struct load_client *client);
void load_client_give(struct load_client *client, struct load_slot *slot);
void load_client_drop(struct load_client *client);
void load_client_flush(struct load_client *client);
void load_clients_wait(int64_t until_us);

/* The two protocols. send: puts the slot's request into the output. receive: takes what is in the input; false: drop. */
bool load_http1_start(void);
void load_http1_send(struct load_client *client, struct load_slot *slot);
bool load_http1_receive(struct load_client *client);
bool load_http2_open(struct load_client *client);
void load_http2_close(struct load_client *client);
bool load_http2_send(struct load_client *client, struct load_slot *slot);
bool load_http2_receive(struct load_client *client);
bool load_http2_pull(struct load_client *client);

#endif
