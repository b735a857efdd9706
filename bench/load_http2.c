/*
 * load_http2.c - requests as streams of one HTTP/2 connection (RFC 9113), by nghttp2.
 *
 * Promises: after GOAWAY no new stream is begun; streams that the peer did not take are given back.
 * Does not: use server push or priorities.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define FIELDS_OWN 8 /* :method :scheme :authority :path, content-type, content-length, authorization, key */

static nghttp2_nv fields[FIELDS_OWN + LOAD_FIELDS_MAX];
static size_t field_count;
static char names[LOAD_FIELDS_MAX][64];
static char length[32], bearer[LOAD_TOKEN_BYTES_MAX + 8], key[LOAD_KEY_CHARS];

static void add(const char *name, const char *value, size_t value_len)
{
    fields[field_count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                                         value_len, NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* The key is the last field: its value is written anew for each request. */
static void fields_make(void)
{
    add(":method", "POST", 4);
    add(":scheme", "https", 5);
    add(":authority", load_options.host, strlen(load_options.host));
    add(":path", load_options.path, strlen(load_options.path));
    add("content-type", "application/json", 16);
    snprintf(length, sizeof(length), "%zu", load_options.body_len);
    add("content-length", length, strlen(length));
    if (load_options.token[0]) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", load_options.token);
        add("authorization", bearer, strlen(bearer));
    }
    for (size_t i = 0; i < load_options.field_count; i++) {
        const char *colon = strstr(load_options.fields[i], ": ");
        size_t len = (size_t)(colon - load_options.fields[i]);
        for (size_t at = 0; at < len && at < sizeof(names[i]) - 1; at++) {
            char c = load_options.fields[i][at];
            names[i][at] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; /* RFC 9113 8.2: names in lower case */
        }
        add(names[i], colon + 2, strlen(colon + 2));
    }
    add("idempotency-key", key, sizeof(key));
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)flags;
    (void)user;
    struct load_slot *slot = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (slot && name_len == 7 && memcmp(name, ":status", 7) == 0 && value_len == 3) {
        slot->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
        slot->answered = true;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    (void)user;
    struct load_slot *slot = nghttp2_session_get_stream_user_data(session, stream);
    if (slot && slot->busy && slot->stream == stream) {
        if (error != NGHTTP2_NO_ERROR)
            slot->status = 0;
        load_finish(slot);
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct load_client *client = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->leaving = true;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)stream;
    (void)user;
    struct load_slot *slot = source->ptr;
    size_t left = load_options.body_len - slot->body_sent;
    size_t now = left < room ? left : room;
    memcpy(to, load_options.body + slot->body_sent, now);
    slot->body_sent += now;
    if (slot->body_sent == load_options.body_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)now;
}

bool load_http2_open(struct load_client *client)
{
    static nghttp2_session_callbacks *callbacks;
    if (!callbacks) {
        if (nghttp2_session_callbacks_new(&callbacks) != 0)
            return false;
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        fields_make();
    }
    nghttp2_session *session = NULL;
    if (nghttp2_session_client_new(&session, callbacks, client) != 0)
        return false;
    client->session = session;
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 2) == 0 &&
           nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 1 << 24) == 0;
}

void load_http2_close(struct load_client *client)
{
    nghttp2_session_del(client->session);
    client->session = NULL;
}

bool load_http2_send(struct load_client *client, struct load_slot *slot)
{
    nghttp2_data_provider body = {.source.ptr = slot, .read_callback = read_body};
    load_key(slot->number, key);
    slot->stream = nghttp2_submit_request(client->session, NULL, fields, field_count, &body, slot);
    return slot->stream > 0;
}

bool load_http2_receive(struct load_client *client)
{
    ssize_t used = nghttp2_session_mem_recv(client->session, client->input, client->input_len);
    client->input_len = 0;
    return used >= 0 && (nghttp2_session_want_read(client->session) || client->busy > 0);
}

bool load_http2_pull(struct load_client *client)
{
    while (client->output_len < LOAD_OUTPUT_BYTES / 2) {
        const uint8_t *bytes = NULL;
        ssize_t len = nghttp2_session_mem_send(client->session, &bytes);
        if (len < 0 || (size_t)len > LOAD_OUTPUT_BYTES - client->output_len)
            return false;
        if (len == 0)
            return true;
        memcpy(client->output + client->output_len, bytes, (size_t)len);
        client->output_len += (size_t)len;
    }
    return true;
}
