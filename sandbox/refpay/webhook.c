/*
 * webhook.c - a queue of events and one small HTTP client.
 *
 * Promises: see webhook.h. Events are told from the transaction that makes them; nothing is sent before the
 * loop's next turn, and so never before the commit.
 */
#include "webhook.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "base/base64url.h"
#include "daemon/log.h"
#include "generic.h"

#define SECRET_PREFIX "whsec_"
#define SECRET_PREFIX_BYTES (sizeof(SECRET_PREFIX) - 1)
#define BASE64_BYTES 44 /* of 32 bytes, with one '=' */
#define HEAD_BYTES_MAX 1024
#define ANSWER_BYTES 12 /* "HTTP/1.1 200" is all that is looked at */

struct tg_webhook_try {
    struct tg_webhook *webhook;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    uint8_t handles;
    bool over;
    bool delivered;
    char *request;
    size_t request_len;
    char answer[ANSWER_BYTES];
    size_t answer_len;
};

static void start_try(struct tg_webhook *webhook);

/* Standard alphabet with padding (RFC 4648 4), as Standard Webhooks writes keys and signatures. */
static enum tg_err base64(struct tg_span bytes, char *ret, size_t cap)
{
    struct tg_buf out = tg_buf(ret, cap - 1);
    tg_base64url_write(&out, bytes);
    for (size_t i = 0; i < out.len; i++) {
        ret[i] = ret[i] == '-' ? '+' : ret[i] == '_' ? '/' : ret[i];
    }
    while (out.len % 4 != 0 && !out.over) {
        tg_buf_put_u8(&out, '=');
    }
    ret[out.len] = '\0';
    return tg_buf_done(&out);
}

enum tg_err tg_webhook_sign(struct tg_span secret, struct tg_span id, struct tg_span timestamp, struct tg_span body,
                            char ret[TG_WEBHOOK_SIGNATURE_BYTES])
{
    uint8_t mac[TG_DIGEST_BYTES];
    size_t cap = id.len + timestamp.len + body.len + 2;
    uint8_t *room = malloc(cap);
    if (room == NULL) {
        return TG_ERR_ROOM;
    }
    struct tg_buf signed_bytes = tg_buf(room, cap);
    tg_buf_put(&signed_bytes, id);
    tg_buf_put_u8(&signed_bytes, '.');
    tg_buf_put(&signed_bytes, timestamp);
    tg_buf_put_u8(&signed_bytes, '.');
    tg_buf_put(&signed_bytes, body);
    enum tg_err err = tg_hmac_sha256(secret, tg_buf_span(&signed_bytes), mac);
    free(room);
    if (err != TG_OK) {
        return err;
    }
    memcpy(ret, "v1,", 3);
    return base64(tg_span(mac, sizeof(mac)), ret + 3, TG_WEBHOOK_SIGNATURE_BYTES - 3);
}

static enum tg_err write_secret(struct tg_webhook *webhook, const char *path)
{
    char text[SECRET_PREFIX_BYTES + BASE64_BYTES + 2] = SECRET_PREFIX;
    enum tg_err err = tg_random(webhook->secret.ptr, TG_WEBHOOK_SECRET_BYTES);
    if (err == TG_OK) {
        err =
            base64(tg_span(webhook->secret.ptr, TG_WEBHOOK_SECRET_BYTES), text + SECRET_PREFIX_BYTES, BASE64_BYTES + 1);
    }
    if (err != TG_OK) {
        return err;
    }
    size_t len = SECRET_PREFIX_BYTES + BASE64_BYTES;
    text[len++] = '\n';
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = file >= 0 && write(file, text, len) == (ssize_t)len && fsync(file) == 0;
    if (file >= 0) {
        close(file);
    }
    tg_wipe(text, sizeof(text));
    return done ? TG_OK : TG_ERR_DOWN;
}

/* The file of an earlier run, or a new one. */
static enum tg_err open_secret(struct tg_webhook *webhook, const char *path)
{
    enum tg_secret_kind kind; /* a sandbox takes whatever protection there is */
    enum tg_err err = tg_secret_make(&webhook->secret, TG_WEBHOOK_SECRET_BYTES, &kind);
    if (err != TG_OK) {
        return err;
    }
    webhook->secret.len = TG_WEBHOOK_SECRET_BYTES;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return write_secret(webhook, path);
    }
    char text[SECRET_PREFIX_BYTES + BASE64_BYTES] = "";
    bool whole = read(file, text, sizeof(text)) == (ssize_t)sizeof(text) &&
                 memcmp(text, SECRET_PREFIX, SECRET_PREFIX_BYTES) == 0 && text[sizeof(text) - 1] == '=';
    close(file);
    for (size_t i = SECRET_PREFIX_BYTES; i < sizeof(text); i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }
    struct tg_buf out = tg_buf(webhook->secret.ptr, TG_WEBHOOK_SECRET_BYTES);
    err = tg_base64url_read(tg_span(text + SECRET_PREFIX_BYTES, BASE64_BYTES - 1), &out);
    tg_wipe(text, sizeof(text));
    return whole && err == TG_OK && out.len == TG_WEBHOOK_SECRET_BYTES ? TG_OK : TG_ERR_CORRUPT;
}

static enum tg_err read_url(struct tg_webhook *webhook, const char *url)
{
    struct tg_span rest = tg_span_string(url);
    struct tg_span scheme = TG_SPAN("http://");
    if (!tg_span_starts(rest, scheme)) {
        return TG_ERR_INPUT;
    }
    rest = tg_span_sub(rest, scheme.len, rest.len);
    size_t slash = tg_span_find(rest, '/');
    struct tg_span host = tg_span_sub(rest, 0, slash);
    struct tg_span path = tg_span_sub(rest, slash, rest.len);
    if (host.len >= sizeof(webhook->host) || path.len == 0 || path.len > TG_WEBHOOK_PATH_BYTES_MAX ||
        tg_address_read(host, &webhook->address) != TG_OK || !tg_address_is_loopback(&webhook->address)) {
        return TG_ERR_INPUT;
    }
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] <= 0x20 || path.ptr[i] >= 0x7f) {
            return TG_ERR_INPUT;
        }
    }
    memcpy(webhook->host, host.ptr, host.len);
    memcpy(webhook->path, path.ptr, path.len);
    return TG_OK;
}

enum tg_err tg_webhook_open(struct tg_webhook *ret, uv_loop_t *loop, const char *url, const char *secret_path)
{
    memset(ret, 0, sizeof(*ret));
    ret->loop = loop;
    enum tg_err err = read_url(ret, url);
    if (err == TG_OK) {
        err = open_secret(ret, secret_path);
    }
    uint8_t tag[4];
    if (err == TG_OK) {
        err = tg_random(tag, sizeof(tag));
    }
    if (err != TG_OK) {
        tg_secret_free(&ret->secret);
        return err;
    }
    struct tg_buf hex = tg_buf(ret->tag, sizeof(ret->tag) - 1);
    tg_buf_put_hex(&hex, tg_span(tag, sizeof(tag)));
    uv_timer_init(loop, &ret->timer);
    ret->timer.data = ret;
    return TG_OK;
}

static void pop(struct tg_webhook *webhook)
{
    free(webhook->queue[webhook->first]);
    webhook->queue[webhook->first] = NULL;
    webhook->first = (webhook->first + 1) % TG_WEBHOOK_QUEUE_MAX;
    webhook->count--;
    webhook->number++;
    webhook->tries = 0;
}

static void on_backoff(uv_timer_t *timer)
{
    start_try(timer->data);
}

/* After the last handle of a try is closed: the next event, or this one again later. */
static void on_closed(uv_handle_t *handle)
{
    struct tg_webhook_try *try = handle->data;
    struct tg_webhook *webhook = try->webhook;
    if (--try->handles > 0) {
        return;
    }
    bool delivered = try->delivered;
    free(try->request);
    free(try);
    webhook->open = NULL;
    if (webhook->stopped) {
        return;
    }
    uint64_t wait_ms = 0;
    if (delivered) {
        webhook->delivered++;
        pop(webhook);
    } else if (++webhook->tries >= TG_WEBHOOK_TRIES_MAX) {
        webhook->failed++;
        tg_log_say(TG_LOG_WARNING, "webhook_failed", "given up after the last try");
        pop(webhook);
    } else {
        wait_ms = (uint64_t)TG_WEBHOOK_BACKOFF_MS << (webhook->tries - 1);
    }
    if (webhook->count > 0) {
        uv_timer_start(&webhook->timer, on_backoff, wait_ms, 0);
    }
}

static void end_try(struct tg_webhook_try *try)
{
    if (!try->over) {
        try->over = true;
        uv_close((uv_handle_t *)&try->tcp, on_closed);
        uv_close((uv_handle_t *)&try->timer, on_closed);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    end_try(timer->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tg_webhook_try *try = handle->data;
    (void)suggested;
    *buf = uv_buf_init(try->answer + try->answer_len, (unsigned int)(ANSWER_BYTES - try->answer_len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct tg_webhook_try *try = stream->data;
    (void)buf;
    if (got > 0) {
        try->answer_len += (size_t)got;
        if (try->answer_len < ANSWER_BYTES) {
            return;
        }
        /* 2xx is thanks; all else is tried again. */
        try->delivered = memcmp(try->answer, "HTTP/1.", 7) == 0 && memcmp(try->answer + 8, " 2", 2) == 0;
    }
    if (got != 0) {
        end_try(try);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct tg_webhook_try *try = write->data;
    if (!try->over && (status != 0 || uv_read_start((uv_stream_t *)&try->tcp, on_alloc, on_read) != 0)) {
        end_try(try);
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct tg_webhook_try *try = connect->data;
    if (try->over) {
        return;
    }
    uv_buf_t buf = uv_buf_init(try->request, (unsigned int)try->request_len);
    if (status != 0 || uv_write(&try->write, (uv_stream_t *)&try->tcp, &buf, 1, on_written) != 0) {
        end_try(try);
    }
}

/* The POST of the first event, signed for this moment. */
static enum tg_err make_request(struct tg_webhook *webhook, struct tg_webhook_try *try)
{
    struct tg_span body = tg_span_string(webhook->queue[webhook->first]);
    char id[40], timestamp[24], signature[TG_WEBHOOK_SIGNATURE_BYTES];
    snprintf(id, sizeof(id), "msg_%s%012llx", webhook->tag, (unsigned long long)webhook->number);
    snprintf(timestamp, sizeof(timestamp), "%lld", (long long)time(NULL));
    enum tg_err err = tg_webhook_sign(tg_span(webhook->secret.ptr, webhook->secret.len), tg_span_string(id),
                                      tg_span_string(timestamp), body, signature);
    size_t cap = HEAD_BYTES_MAX + body.len;
    try->request = malloc(cap);
    if (err != TG_OK || try->request == NULL) {
        return err != TG_OK ? err : TG_ERR_ROOM;
    }
    struct tg_buf out = tg_buf(try->request, cap);
    const char *const parts[] = {"POST ",
                                 webhook->path,
                                 " HTTP/1.1\r\nHost: ",
                                 webhook->host,
                                 "\r\nContent-Type: application/json\r\nConnection: close\r\nwebhook-id: ",
                                 id,
                                 "\r\nwebhook-timestamp: ",
                                 timestamp,
                                 "\r\nwebhook-signature: ",
                                 signature,
                                 "\r\nContent-Length: "};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        tg_buf_put_string(&out, parts[i]);
    }
    tg_buf_put_decimal(&out, (int64_t)body.len);
    tg_buf_put_string(&out, "\r\n\r\n");
    tg_buf_put(&out, body);
    try->request_len = out.len;
    return tg_buf_done(&out);
}

static void start_try(struct tg_webhook *webhook)
{
    struct tg_webhook_try *try = webhook->open != NULL ? NULL : calloc(1, sizeof(*try));
    if (try == NULL) {
        return;
    }
    webhook->open = try;
    try->webhook = webhook;
    try->handles = 2;
    try->tcp.data = try->timer.data = try->connect.data = try->write.data = try;
    uv_tcp_init(webhook->loop, &try->tcp);
    uv_timer_init(webhook->loop, &try->timer);
    uv_timer_start(&try->timer, on_timeout, TG_WEBHOOK_TIMEOUT_MS, 0);
    if (make_request(webhook, try) != TG_OK ||
        uv_tcp_connect(&try->connect, &try->tcp, (const struct sockaddr *)&webhook->address, on_connected) != 0) {
        end_try(try);
    }
}

void tg_webhook_tell(void *context, const char *name, const struct tg_payment *payment)
{
    struct tg_webhook *webhook = context;
    if (webhook->count == TG_WEBHOOK_QUEUE_MAX) {
        webhook->dropped++;
        return;
    }
    json_t *event =
        json_pack("{s:s, s:I, s:o}", "type", name, "time_s", (json_int_t)time(NULL), "data", tg_generic_show(payment));
    char *body = event == NULL ? NULL : json_dumps(event, JSON_COMPACT);
    json_decref(event);
    if (body == NULL) {
        webhook->dropped++;
        return;
    }
    webhook->queue[(webhook->first + webhook->count++) % TG_WEBHOOK_QUEUE_MAX] = body;
    if (webhook->open == NULL && !uv_is_active((uv_handle_t *)&webhook->timer)) {
        uv_timer_start(&webhook->timer, on_backoff, 0, 0);
    }
}

json_t *tg_webhook_show(const struct tg_webhook *webhook)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "queued", (json_int_t)webhook->count, "delivered",
                     (json_int_t)webhook->delivered, "failed", (json_int_t)webhook->failed, "dropped",
                     (json_int_t)webhook->dropped);
}

void tg_webhook_close(struct tg_webhook *webhook)
{
    webhook->stopped = true;
    if (webhook->open != NULL) {
        end_try(webhook->open);
    }
    while (webhook->count > 0) {
        pop(webhook);
    }
    uv_close((uv_handle_t *)&webhook->timer, NULL);
    tg_secret_free(&webhook->secret);
}
