/*
 * load_client.c - connections: TCP, TLS 1.3, and the events on them.
 *
 * Promises: certificates are verified against --ca and --host; a connection that breaks gives its requests back.
 * Does not: know HTTP.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

static struct load_client *clients;
static SSL_CTX *tls;
static int poller;
static uint64_t run_half;

bool load_keys_start(void)
{
    return RAND_bytes((unsigned char *)&run_half, sizeof(run_half)) == 1;
}

/* A permutation of the 64-bit numbers: different numbers, different keys. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void load_key(uint64_t number, char to[LOAD_KEY_CHARS])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t halves[2] = {run_half, mix(number)};
    for (int i = 0; i < LOAD_KEY_CHARS; i++)
        to[i] = digits[halves[i / 16] >> (60 - i % 16 * 4) & 15];
}

struct load_client *load_client(int number)
{
    return &clients[number];
}

bool load_clients_start(void)
{
    clients = calloc((size_t)load_options.connections, sizeof(*clients));
    tls = SSL_CTX_new(TLS_client_method());
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !tls || poller < 0 || SSL_CTX_load_verify_locations(tls, load_options.ca, NULL) != 1)
        return false;
    if (load_options.certificate &&
        (SSL_CTX_use_certificate_chain_file(tls, load_options.certificate) != 1 ||
         SSL_CTX_use_PrivateKey_file(tls, load_options.certificate_key, SSL_FILETYPE_PEM) != 1))
        return false;
    static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
    if (SSL_CTX_set_alpn_protos(tls, load_options.http2 ? h2 : h1, load_options.http2 ? 3 : 9) != 0)
        return false;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(tls, 1);
    for (int i = 0; i < load_options.connections; i++) {
        clients[i].fd = -1;
        clients[i].input = malloc(LOAD_INPUT_BYTES);
        clients[i].output = malloc(LOAD_OUTPUT_BYTES);
        if (!clients[i].input || !clients[i].output)
            return false;
    }
    return true;
}

static void watch(struct load_client *client, bool write, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = client};
    epoll_ctl(poller, operation, client->fd, &event);
    client->wants_write = write;
}

bool load_client_dial(struct load_client *client)
{
    int one = 1;
    client->input_len = client->output_len = client->output_sent = 0;
    client->ready = client->leaving = false;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return false;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    load_counts.connects++;
    if (connect(client->fd, (const struct sockaddr *)&load_options.address, sizeof(load_options.address)) != 0 &&
        errno != EINPROGRESS)
        return false;
    client->ssl = SSL_new(tls);
    if (!client->ssl)
        return false;
    SSL_set_fd(client->ssl, client->fd);
    SSL_set_tlsext_host_name(client->ssl, load_options.host);
    SSL_set1_host(client->ssl, load_options.host);
    SSL_set_connect_state(client->ssl);
    watch(client, true, EPOLL_CTL_ADD);
    return true;
}

/* Closes. Requests of which no byte of an answer came are given back to be tried again. */
void load_client_drop(struct load_client *client)
{
    if (client->session)
        load_http2_close(client);
    if (client->ssl)
        SSL_free(client->ssl);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->ssl = NULL;
    client->ready = client->leaving = false;
    bool answered = !load_options.http2 && client->input_len > 0;
    client->input_len = client->output_len = client->output_sent = 0;
    for (int i = 0; client->slots && i < load_options.streams; i++) {
        struct load_slot *slot = &client->slots[i];
        if (slot->busy) {
            slot->status = 0;
            slot->answered = slot->answered || answered;
            load_finish(slot);
        }
    }
}

static bool send_slot(struct load_client *client, struct load_slot *slot)
{
    slot->sent = true;
    if (load_options.http2)
        return load_http2_send(client, slot);
    load_http1_send(client, slot);
    return true;
}

void load_client_give(struct load_client *client, struct load_slot *slot)
{
    if (client->leaving)
        load_client_drop(client); /* its other slots are idle; this one is tried again at once */
    else if (client->fd < 0 && !load_client_dial(client))
        load_client_drop(client);
    else if (client->ready && !send_slot(client, slot))
        load_client_drop(client);
    else if (client->ready)
        load_client_flush(client);
}

/* False: the connection is broken. *wait: nothing more can be done now. */
static bool may_go_on(struct load_client *client, int done, bool *wants_write)
{
    int why = SSL_get_error(client->ssl, done);
    ERR_clear_error();
    *wants_write = why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

void load_client_flush(struct load_client *client)
{
    bool wants_write = false;
    for (;;) {
        if (client->output_sent == client->output_len) {
            client->output_sent = client->output_len = 0;
            if (load_options.http2 && !load_http2_pull(client)) {
                load_client_drop(client);
                return;
            }
            if (client->output_len == 0)
                break;
        }
        int done = SSL_write(client->ssl, client->output + client->output_sent,
                             (int)(client->output_len - client->output_sent));
        if (done <= 0) {
            if (!may_go_on(client, done, &wants_write)) {
                load_client_drop(client);
                return;
            }
            break;
        }
        client->output_sent += (size_t)done;
    }
    if (wants_write != client->wants_write)
        watch(client, wants_write, EPOLL_CTL_MOD);
}

static void handshake(struct load_client *client)
{
    bool wants_write = false;
    int done = SSL_do_handshake(client->ssl);
    if (done != 1) {
        if (!may_go_on(client, done, &wants_write))
            load_client_drop(client);
        else if (wants_write != client->wants_write)
            watch(client, wants_write, EPOLL_CTL_MOD);
        return;
    }
    client->ready = true;
    if (load_options.http2 && !load_http2_open(client)) {
        load_client_drop(client);
        return;
    }
    for (int i = 0; client->slots && i < load_options.streams; i++)
        if (client->slots[i].busy && !client->slots[i].sent && !send_slot(client, &client->slots[i])) {
            load_client_drop(client);
            return;
        }
    load_client_flush(client);
}

static void receive(struct load_client *client)
{
    bool wants_write = false;
    do {
        int got = SSL_read(client->ssl, client->input + client->input_len,
                           (int)(LOAD_INPUT_BYTES - 1 - client->input_len));
        if (got <= 0) {
            if (!may_go_on(client, got, &wants_write))
                load_client_drop(client);
            return;
        }
        client->input_len += (size_t)got;
        if (!(load_options.http2 ? load_http2_receive(client) : load_http1_receive(client))) {
            load_client_drop(client);
            return;
        }
    } while (client->fd >= 0 && SSL_has_pending(client->ssl));
    if (load_options.http2 && client->fd >= 0)
        load_client_flush(client);
}

void load_clients_wait(int64_t until_us)
{
    struct epoll_event events[256];
    int64_t left_us = until_us - load_now_us();
    left_us = left_us < 0 ? 0 : left_us;
    struct timespec wait = {left_us / 1000000, left_us % 1000000 * 1000};
    int count = epoll_pwait2(poller, events, 256, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct load_client *client = events[i].data.ptr;
        if (client->fd < 0)
            continue;
        if (!client->ready) {
            handshake(client);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            load_client_flush(client);
        if (client->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
            receive(client);
    }
}
