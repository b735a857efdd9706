/*
 * load_http1.c - one request and its answer on an HTTP/1.1 connection (RFC 9112).
 *
 * Promises: head and body of a request leave in one write; only the key differs between two.
 * Does not: pipeline.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"

static char head[LOAD_OUTPUT_BYTES / 2];
static size_t head_len;

static bool put(const char *a, const char *b, const char *c)
{
    int len = snprintf(head + head_len, sizeof(head) - head_len, "%s%s%s", a, b, c);
    if (len < 0 || (size_t)len >= sizeof(head) - head_len)
        return false;
    head_len += (size_t)len;
    return true;
}

bool load_http1_start(void)
{
    char length[32];
    snprintf(length, sizeof(length), "%zu", load_options.body_len);
    bool fine = put("POST ", load_options.path, " HTTP/1.1\r\n") && put("Host: ", load_options.host, "\r\n") &&
                put("Content-Type: application/json\r\nContent-Length: ", length, "\r\n");
    if (fine && load_options.token[0])
        fine = put("Authorization: Bearer ", load_options.token, "\r\n");
    for (size_t i = 0; fine && i < load_options.field_count; i++)
        fine = put(load_options.fields[i], "\r\n", "");
    return fine && put("Idempotency-Key: ", "", "");
}

void load_http1_send(struct load_client *client, struct load_slot *slot)
{
    uint8_t *at = client->output;
    memcpy(at, head, head_len);
    at += head_len;
    load_key(slot->number, (char *)at);
    at += LOAD_KEY_CHARS;
    memcpy(at, "\r\n\r\n", 4);
    at += 4;
    memcpy(at, load_options.body, load_options.body_len);
    client->output_len = (size_t)(at - client->output) + load_options.body_len;
    client->output_sent = 0;
    client->input_len = 0;
}

/* Bytes of the whole answer in the input, 0 while it is not whole; *status and *close_after as it says. */
static size_t whole_answer(struct load_client *client, int *status, bool *close_after)
{
    char *text = (char *)client->input;
    text[client->input_len] = 0;
    char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    size_t len = (size_t)(end - text) + 4;
    *status = (int)strtol(text + 9, NULL, 10);
    if (*status < 200) { /* 100 Continue: skip it */
        memmove(text, text + len, client->input_len - len);
        client->input_len -= len;
        return whole_answer(client, status, close_after);
    }
    size_t body = 0;
    bool chunked = false;
    for (char *line = strstr(text, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n")) {
        const char *field = line + 2;
        if (strncasecmp(field, "Content-Length:", 15) == 0)
            body = strtoul(field + 15, NULL, 10);
        else if (strncasecmp(field, "Transfer-Encoding: chunked", 26) == 0)
            chunked = true;
        else if (strncasecmp(field, "Connection: close", 17) == 0)
            *close_after = true;
    }
    if (chunked) {
        char *last = strstr(text + len - 2, "\r\n0\r\n\r\n");
        return last ? (size_t)(last - text) + 7 : 0;
    }
    return client->input_len >= len + body ? len + body : 0;
}

bool load_http1_receive(struct load_client *client)
{
    bool close_after = false;
    int status = 0;
    struct load_slot *slot = client->slots;
    if (!slot->busy) { /* nothing was asked */
        client->input_len = 0;
        return true;
    }
    if (!whole_answer(client, &status, &close_after))
        return client->input_len < LOAD_INPUT_BYTES - 1;
    slot->status = status;
    client->input_len = 0;
    load_finish(slot);
    return !close_after;
}
