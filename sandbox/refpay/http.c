/*
 * http.c - a request parser over bytes that are already there.
 *
 * Promises: see http.h.
 */
#include "http.h"

#include <string.h>

struct reader {
    struct tg_span bytes;
    struct tg_http_request *request;
    size_t content_length;
    bool has_length;
    bool old; /* HTTP/1.0 */
    int status;
};

/* RFC 9110 5.6.2 */
static bool is_token_byte(uint8_t byte)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
        return true;
    }
    return byte != 0 && memchr("!#$%&'*+-.^_`|~", byte, 15) != NULL;
}

static bool is_token(struct tg_span span)
{
    for (size_t i = 0; i < span.len; i++) {
        if (!is_token_byte(span.ptr[i])) {
            return false;
        }
    }
    return span.len > 0;
}

/* RFC 9110 5.5: HTAB, SP, visible ASCII, obs-text. */
static bool is_value(struct tg_span span)
{
    for (size_t i = 0; i < span.len; i++) {
        if ((span.ptr[i] < 0x20 && span.ptr[i] != '\t') || span.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Origin form only (RFC 9112 3.2.1). */
static bool is_target(struct tg_span span)
{
    for (size_t i = 0; i < span.len; i++) {
        if (span.ptr[i] <= 0x20 || span.ptr[i] >= 0x7f || span.ptr[i] == '#') {
            return false;
        }
    }
    return span.len > 0 && span.ptr[0] == '/';
}

static bool bad(struct reader *reader, int status)
{
    reader->status = status;
    return false;
}

static bool read_first_line(struct reader *reader, struct tg_span line)
{
    struct tg_http_request *request = reader->request;
    size_t space = tg_span_find(line, ' ');
    request->method = tg_span_sub(line, 0, space);
    struct tg_span rest = tg_span_sub(line, space + 1, line.len);
    space = tg_span_find(rest, ' ');
    struct tg_span target = tg_span_sub(rest, 0, space);
    struct tg_span version = tg_span_sub(rest, space + 1, rest.len);
    if (!is_token(request->method) || !is_target(target)) {
        return bad(reader, 400);
    }
    if (tg_span_equal(version, TG_SPAN("HTTP/1.0"))) {
        reader->old = true;
        request->close = true;
    } else if (!tg_span_equal(version, TG_SPAN("HTTP/1.1"))) {
        return bad(reader, tg_span_starts(version, TG_SPAN("HTTP/")) ? 505 : 400);
    }
    size_t mark = tg_span_find(target, '?');
    request->path = tg_span_sub(target, 0, mark);
    request->query = tg_span_sub(target, mark + 1, target.len);
    return true;
}

static bool read_length(struct reader *reader, struct tg_span value)
{
    if (reader->has_length || value.len == 0 || value.len > 9) {
        return bad(reader, value.len > 9 ? 413 : 400);
    }
    size_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return bad(reader, 400);
        }
        length = length * 10 + (value.ptr[i] - '0');
    }
    reader->has_length = true;
    reader->content_length = length;
    return length > TG_HTTP_BODY_BYTES_MAX ? bad(reader, 413) : true;
}

/* Connection is a list of tokens; "close" is the one that matters here. */
static bool has_close(struct tg_span value)
{
    while (value.len > 0) {
        size_t comma = tg_span_find(value, ',');
        if (tg_span_equal_nocase(tg_span_trim(tg_span_sub(value, 0, comma)), TG_SPAN("close"))) {
            return true;
        }
        value = tg_span_sub(value, comma + 1, value.len);
    }
    return false;
}

static bool read_field(struct reader *reader, struct tg_span line)
{
    struct tg_http_request *request = reader->request;
    size_t colon = tg_span_find(line, ':');
    struct tg_span name = tg_span_sub(line, 0, colon);
    struct tg_span value = tg_span_trim(tg_span_sub(line, colon + 1, line.len));
    /* A fold begins with a space, so it fails as a name too. */
    if (colon == line.len || !is_token(name) || !is_value(value)) {
        return bad(reader, 400);
    }
    if (request->field_count == TG_HTTP_FIELDS_MAX) {
        return bad(reader, 431);
    }
    request->fields[request->field_count++] = (struct tg_http_field){name, value};
    if (tg_span_equal_nocase(name, TG_SPAN("content-length"))) {
        return read_length(reader, value);
    }
    if (tg_span_equal_nocase(name, TG_SPAN("connection")) && has_close(value)) {
        request->close = true;
    }
    return true;
}

/* What only the whole head can tell. */
static bool check_head(struct reader *reader)
{
    const struct tg_http_request *request = reader->request;
    const struct tg_http_field *coding = tg_http_field(request, TG_SPAN("transfer-encoding"));
    if (coding != NULL) {
        if (reader->has_length || reader->old) {
            return bad(reader, 400);
        }
        return bad(reader, tg_span_equal_nocase(coding->value, TG_SPAN("chunked")) ? 411 : 501);
    }
    size_t hosts = tg_http_count(request, TG_SPAN("host"));
    if (hosts > 1 || (hosts == 0 && !reader->old)) {
        return bad(reader, 400);
    }
    if (tg_http_count(request, TG_SPAN("expect")) > 0) {
        return bad(reader, 417);
    }
    return true;
}

/* The length of the head with its empty line, or 0 when it is not whole. */
static size_t head_length(struct tg_span bytes)
{
    const uint8_t *end = bytes.len < 4 ? NULL : memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - bytes.ptr) + 4;
}

static bool read_head(struct reader *reader, size_t head_len)
{
    struct tg_span rest = tg_span_sub(reader->bytes, 0, head_len - 2);
    bool first = true;
    while (rest.len > 0) {
        size_t end = tg_span_find(rest, '\r');
        struct tg_span line = tg_span_sub(rest, 0, end);
        if (end + 1 >= rest.len || rest.ptr[end + 1] != '\n' || tg_span_find(line, '\n') != line.len) {
            return bad(reader, 400);
        }
        if (first ? !read_first_line(reader, line) : !read_field(reader, line)) {
            return false;
        }
        first = false;
        rest = tg_span_sub(rest, end + 2, rest.len);
    }
    return check_head(reader);
}

enum tg_http_state tg_http_read(struct tg_span bytes, struct tg_http_request *ret, size_t *size, int *status)
{
    *size = 0;
    *status = 0;
    ret->field_count = 0;
    ret->close = false;
    ret->body = tg_span(NULL, 0);
    size_t head_len = head_length(bytes);
    if (head_len == 0 || head_len > TG_HTTP_HEAD_BYTES_MAX) {
        if (bytes.len < TG_HTTP_HEAD_BYTES_MAX && head_len == 0) {
            return TG_HTTP_MORE;
        }
        *status = 431;
        return TG_HTTP_BAD;
    }
    struct reader reader = {.bytes = bytes, .request = ret};
    if (!read_head(&reader, head_len)) {
        *status = reader.status;
        return TG_HTTP_BAD;
    }
    *size = head_len + reader.content_length;
    if (bytes.len < *size) {
        return TG_HTTP_MORE;
    }
    ret->body = tg_span_sub(bytes, head_len, reader.content_length);
    return TG_HTTP_DONE;
}

const struct tg_http_field *tg_http_field(const struct tg_http_request *request, struct tg_span name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (tg_span_equal_nocase(request->fields[i].name, name)) {
            return &request->fields[i];
        }
    }
    return NULL;
}

size_t tg_http_count(const struct tg_http_request *request, struct tg_span name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        count += tg_span_equal_nocase(request->fields[i].name, name) ? 1 : 0;
    }
    return count;
}

const char *tg_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}
