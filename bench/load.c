/*
 * load.c - payments at a fixed rate over TLS, each with a fresh idempotency key.
 *
 * For: reload and restart tests now, benchmarks later.
 * Promises: an open loop (a request's latency counts from the moment it was
 * due, not from when a connection was free); one JSON line at the end with
 * counts by status and percentiles; a request whose connection closes before
 * any byte of an answer is tried once more with the same key, as a careful
 * client may (RFC 9110 9.2.2), and counted as retried. Bounded in time.
 * Does not: speak HTTP/2, or prove anything about correctness by itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024  /* descriptors of one ordinary process */
#define INPUT_BYTES_MAX 65536 /* an answer with its header */
#define TRIES_MAX 2           /* the first and one more on a closed connection */

enum state { IDLE, CONNECTING, HANDSHAKE, WRITING, READING };

struct request {
    int64_t due_us;
    unsigned char key[16];
    int tries;
};

struct client {
    int fd;
    SSL *ssl;
    enum state state;
    struct request *request; /* NULL: nothing to do */
    char output[2048];
    size_t output_len, output_sent;
    char input[INPUT_BYTES_MAX];
    size_t input_len;
};

static struct {
    struct sockaddr_in address;
    const char *host, *ca, *path, *body, *label;
    char api_key[256];
    int connections, seconds, rate;
} option = {.host = "localhost", .path = "/v1/payments", .connections = 32, .seconds = 10, .rate = 1000, .label = "load"};

static SSL_CTX *tls;
static int poller;
static struct client *clients;
static struct request *requests;
static uint32_t *latency_us;
static size_t due_count, sent_next, done_count, total;
static uint64_t by_status[600], broken, retried, connects;
static struct request **again; /* requests to be tried once more */
static size_t again_count;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void watch(struct client *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event) != 0)
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void finish(struct request *request, int status)
{
    if (status)
        by_status[status < 600 ? status : 0]++;
    else
        broken++;
    latency_us[done_count++] = (uint32_t)(now_us() - request->due_us);
}

/* Closes; the request in hand is tried once more if no byte of an answer came. */
static void drop(struct client *c)
{
    struct request *request = c->request;
    if (c->ssl)
        SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->ssl = NULL;
    c->state = IDLE;
    c->request = NULL;
    if (!request)
        return;
    if (c->input_len == 0 && request->tries < TRIES_MAX) {
        retried++;
        again[again_count++] = request;
    } else {
        finish(request, 0);
    }
    c->input_len = 0;
}

static bool dial(struct client *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connects++;
    if (connect(c->fd, (struct sockaddr *)&option.address, sizeof(option.address)) != 0 && errno != EINPROGRESS)
        return false;
    c->ssl = SSL_new(tls);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, option.host);
    SSL_set1_host(c->ssl, option.host);
    SSL_set_connect_state(c->ssl);
    c->state = HANDSHAKE;
    watch(c, EPOLLOUT);
    return true;
}

static void write_request(struct client *c)
{
    char key[33];
    for (int i = 0; i < 16; i++)
        snprintf(key + 2 * i, 3, "%02x", c->request->key[i]);
    int len = snprintf(c->output, sizeof(c->output),
                       "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       option.path, option.host, option.api_key, key, strlen(option.body), option.body);
    c->output_len = (size_t)len;
    c->output_sent = 0;
    c->input_len = 0;
}

static void give(struct client *c, struct request *request)
{
    /* The second try takes a connection of its own: an old one may be closed just as the first one was. */
    if (request->tries > 0 && c->fd >= 0)
        drop(c);
    request->tries++;
    c->request = request;
    c->input_len = 0;
    write_request(c);
    if (c->fd < 0) {
        if (!dial(c))
            drop(c);
        return;
    }
    c->state = WRITING;
    watch(c, EPOLLOUT | EPOLLIN);
}

/* Bytes of the whole answer in the input, 0 while it is not whole; *status and *close_after as it says. */
static size_t whole_answer(struct client *c, int *status, bool *close_after)
{
    c->input[c->input_len] = 0;
    char *end = strstr(c->input, "\r\n\r\n");
    if (!end)
        return 0;
    size_t head = (size_t)(end - c->input) + 4;
    *status = (int)strtol(c->input + 9, NULL, 10);
    if (*status < 200) { /* 100 Continue: skip it */
        memmove(c->input, c->input + head, c->input_len - head);
        c->input_len -= head;
        return whole_answer(c, status, close_after);
    }
    *end = 0;
    *close_after = strcasestr(c->input, "\r\nConnection: close") != NULL;
    char *length = strcasestr(c->input, "\r\nContent-Length:");
    bool chunked = strcasestr(c->input, "\r\nTransfer-Encoding: chunked") != NULL;
    *end = '\r';
    if (chunked) {
        char *last = strstr(c->input + head - 2, "\r\n0\r\n\r\n");
        return last ? (size_t)(last - c->input) + 7 : 0;
    }
    size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
    return c->input_len >= head + body ? head + body : 0;
}

static void read_answer(struct client *c)
{
    int status = 0;
    bool close_after = false;
    int got = SSL_read(c->ssl, c->input + c->input_len, (int)(INPUT_BYTES_MAX - 1 - c->input_len));
    if (got <= 0) {
        int why = SSL_get_error(c->ssl, got);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            drop(c);
        return;
    }
    c->input_len += (size_t)got;
    if (!c->request || !whole_answer(c, &status, &close_after)) {
        if (!c->request)
            c->input_len = 0;
        return;
    }
    finish(c->request, status);
    c->request = NULL;
    c->input_len = 0;
    c->state = IDLE;
    if (close_after)
        drop(c);
}

static void step(struct client *c)
{
    int done;
    switch (c->state) {
    case HANDSHAKE:
    case CONNECTING:
        done = SSL_do_handshake(c->ssl);
        if (done == 1) {
            c->state = c->request ? WRITING : IDLE;
            watch(c, EPOLLOUT | EPOLLIN);
            return;
        }
        done = SSL_get_error(c->ssl, done);
        if (done == SSL_ERROR_WANT_READ)
            watch(c, EPOLLIN);
        else if (done == SSL_ERROR_WANT_WRITE)
            watch(c, EPOLLOUT);
        else
            drop(c);
        return;
    case WRITING:
        done = SSL_write(c->ssl, c->output + c->output_sent, (int)(c->output_len - c->output_sent));
        if (done > 0) {
            c->output_sent += (size_t)done;
            if (c->output_sent == c->output_len) {
                c->state = READING;
                watch(c, EPOLLIN);
            }
            return;
        }
        done = SSL_get_error(c->ssl, done);
        if (done != SSL_ERROR_WANT_READ && done != SSL_ERROR_WANT_WRITE)
            drop(c);
        return;
    case READING:
    case IDLE:
        read_answer(c);
        if (c->fd >= 0 && c->state == IDLE)
            watch(c, EPOLLIN);
        return;
    }
}

static void assign(int64_t begin_us)
{
    int64_t now = now_us();
    while (due_count < total && requests[due_count].due_us <= now)
        due_count++;
    for (int i = 0; i < option.connections && (again_count || sent_next < due_count); i++) {
        struct client *c = &clients[i];
        if (c->state != IDLE || c->request)
            continue;
        if (again_count)
            give(c, again[--again_count]);
        else
            give(c, &requests[sent_next++]);
    }
    (void)begin_us;
}

static int order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(double seconds)
{
    qsort(latency_us, done_count, sizeof(*latency_us), order);
    printf("{\"label\":\"%s\",\"asked\":%zu,\"done\":%zu,\"seconds\":%.3f,\"broken\":%llu,\"retried\":%llu,"
           "\"connects\":%llu,\"status\":{",
           option.label, total, done_count, seconds, (unsigned long long)broken, (unsigned long long)retried,
           (unsigned long long)connects);
    bool first = true;
    for (int i = 0; i < 600; i++)
        if (by_status[i]) {
            printf("%s\"%d\":%llu", first ? "" : ",", i, (unsigned long long)by_status[i]);
            first = false;
        }
    printf("}");
    if (done_count)
        printf(",\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u", latency_us[done_count / 2], latency_us[done_count * 99 / 100],
               latency_us[done_count - 1]);
    printf("}\n");
}

static int usage(void)
{
    fprintf(stderr, "load --port N --ca FILE --key-file FILE [--host NAME] [--rate N] [--seconds N] [--connections N]\n"
                    "     [--path PATH] [--body JSON] [--label TEXT]\n"
                    "Payments at a fixed rate to 127.0.0.1, each with a fresh idempotency key; one JSON line at the end.\n");
    return 2;
}

static bool read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t len = fread(option.api_key, 1, sizeof(option.api_key) - 1, file);
    fclose(file);
    while (len && (option.api_key[len - 1] == '\n' || option.api_key[len - 1] == ' '))
        option.api_key[--len] = 0;
    return len > 0;
}

static bool options(int argc, char **argv)
{
    static const struct option known[] = {{"port", 1, 0, 'p'}, {"ca", 1, 0, 'a'}, {"key-file", 1, 0, 'k'}, {"host", 1, 0, 'h'},
                                          {"rate", 1, 0, 'r'}, {"seconds", 1, 0, 's'}, {"connections", 1, 0, 'c'},
                                          {"path", 1, 0, 'P'}, {"body", 1, 0, 'b'}, {"label", 1, 0, 'l'}, {0, 0, 0, 0}};
    long port = 0;
    bool key = false;
    int c;
    option.body = "{\"amount\":1050,\"currency\":\"EUR\",\"payee\":{\"account\":\"shop-1\"},\"payer\":{\"id\":\"payer-77\"},"
                  "\"instrument\":{\"token\":\"tok_load\"},\"reference\":\"load\"}";
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'p': port = strtol(optarg, NULL, 10); break;
        case 'a': option.ca = optarg; break;
        case 'k': key = read_key(optarg); break;
        case 'h': option.host = optarg; break;
        case 'r': option.rate = (int)strtol(optarg, NULL, 10); break;
        case 's': option.seconds = (int)strtol(optarg, NULL, 10); break;
        case 'c': option.connections = (int)strtol(optarg, NULL, 10); break;
        case 'P': option.path = optarg; break;
        case 'b': option.body = optarg; break;
        case 'l': option.label = optarg; break;
        default: return false;
        }
    }
    option.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return port > 0 && port < 65536 && key && option.ca && option.rate > 0 && option.rate <= 100000 &&
           option.seconds > 0 && option.seconds <= 3600 && option.connections > 0 && option.connections <= CONNECTIONS_MAX;
}

static bool prepare(void)
{
    total = (size_t)option.rate * (size_t)option.seconds;
    requests = calloc(total, sizeof(*requests));
    latency_us = calloc(total, sizeof(*latency_us));
    again = calloc(total, sizeof(struct request *));
    clients = calloc((size_t)option.connections, sizeof(*clients));
    tls = SSL_CTX_new(TLS_client_method());
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!requests || !latency_us || !again || !clients || !tls || poller < 0)
        return false;
    if (SSL_CTX_load_verify_locations(tls, option.ca, NULL) != 1)
        return false;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (int i = 0; i < option.connections; i++)
        clients[i].fd = -1;
    for (size_t i = 0; i < total; i++)
        if (RAND_bytes(requests[i].key, 16) != 1)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    if (!options(argc, argv))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    if (!prepare()) {
        fprintf(stderr, "load: no memory, or the CA file is not readable\n");
        return 1;
    }
    int64_t begin = now_us(), end = begin + (int64_t)(option.seconds + 20) * 1000000;
    for (size_t i = 0; i < total; i++)
        requests[i].due_us = begin + (int64_t)i * 1000000 / option.rate;
    while (done_count < total && now_us() < end) {
        assign(begin);
        int n = epoll_wait(poller, events, 256, 1);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (c->fd >= 0)
                step(c);
        }
    }
    report((double)(now_us() - begin) / 1e6);
    return 0;
}
