/*
 * http_fuzz.c - any bytes as what a connection to refpay received.
 *
 * Promises to find: reads outside the bytes, a request that is read otherwise when it comes in pieces or with more
 * behind it, one that does not come back when it is written again, a head that RFC 9112 forbids.
 */
#include "base/buf.h"

#include "../../sandbox/refpay/http.h"
#include "naive.h"

static uint8_t room[2 * TG_HTTP_HEAD_BYTES_MAX + TG_HTTP_BODY_BYTES_MAX];

static bool same(const struct tg_http_request *a, const struct tg_http_request *b)
{
    bool fine = tg_span_equal(a->method, b->method) && tg_span_equal(a->path, b->path) &&
                tg_span_equal(a->query, b->query) && tg_span_equal(a->body, b->body) &&
                a->field_count == b->field_count && a->close == b->close;
    for (size_t i = 0; fine && i < a->field_count; i++) {
        fine = tg_span_equal(a->fields[i].name, b->fields[i].name) &&
               tg_span_equal(a->fields[i].value, b->fields[i].value);
    }
    return fine;
}

static void check_fields(const struct tg_http_request *request)
{
    tg_fuzz_expect(naive_token(request->method) && request->path.len > 0 && request->path.ptr[0] == '/');
    tg_fuzz_expect(request->field_count <= TG_HTTP_FIELDS_MAX && tg_http_count(request, TG_SPAN("Host")) <= 1 &&
                   tg_http_count(request, TG_SPAN("Content-Length")) <= 1 &&
                   tg_http_field(request, TG_SPAN("Transfer-Encoding")) == NULL);
    tg_fuzz_expect(request->body.len == 0 || tg_http_count(request, TG_SPAN("Content-Length")) == 1);
    for (size_t i = 0; i < request->field_count; i++) {
        const struct tg_http_field *field = &request->fields[i];
        tg_fuzz_expect(naive_token(field->name) && tg_span_find(field->value, '\n') == field->value.len &&
                       tg_span_find(field->value, '\r') == field->value.len &&
                       tg_span_find(field->value, 0) == field->value.len);
    }
}

static void check_again(const struct tg_http_request *request, bool old)
{
    struct tg_buf out = tg_buf(room, sizeof(room));
    struct tg_http_request again;
    size_t size = 0;
    int status = 0;
    tg_buf_put(&out, request->method);
    tg_buf_put_u8(&out, ' ');
    tg_buf_put(&out, request->path);
    tg_buf_put_string(&out, request->query.len > 0 ? "?" : "");
    tg_buf_put(&out, request->query);
    tg_buf_put_string(&out, old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (size_t i = 0; i < request->field_count; i++) {
        tg_buf_put(&out, request->fields[i].name);
        tg_buf_put_u8(&out, ':');
        tg_buf_put(&out, request->fields[i].value);
        tg_buf_put_string(&out, "\r\n");
    }
    tg_buf_put_string(&out, "\r\n");
    tg_buf_put(&out, request->body);
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK &&
                   tg_http_read(tg_buf_span(&out), &again, &size, &status) == TG_HTTP_DONE && size == out.len &&
                   same(request, &again));
}

static bool is_old(struct tg_span bytes)
{
    size_t end = tg_span_find(bytes, '\r');
    return end > 0 && bytes.ptr[end - 1] == '0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size);
    size_t cut = (size_t)tg_fuzz_u8(&input) * 7;
    struct tg_http_request request;
    struct tg_http_request other;
    size_t used = 0;
    size_t other_used = 0;
    int status = 0;
    int other_status = 0;
    enum tg_http_state state = tg_http_read(input, &request, &used, &status);
    tg_fuzz_expect((state == TG_HTTP_BAD) == (status != 0) && (state != TG_HTTP_MORE || used == 0 || used > input.len));
    if (state == TG_HTTP_BAD) {
        tg_fuzz_expect(status >= 400 && status < 600 && tg_http_reason(status)[0] != 'U');
        return 0;
    }
    /* A part of what is whole or may become whole is not refused. */
    size_t whole = state == TG_HTTP_DONE ? used : input.len;
    cut = cut < whole ? cut : 0;
    tg_fuzz_expect(tg_http_read(tg_span_sub(input, 0, cut), &other, &other_used, &other_status) == TG_HTTP_MORE ||
                   cut == whole);
    if (state == TG_HTTP_DONE) {
        tg_fuzz_expect(used <= input.len);
        check_fields(&request);
        tg_fuzz_expect(tg_http_read(tg_span_sub(input, 0, used), &other, &other_used, &other_status) == TG_HTTP_DONE &&
                       other_used == used && same(&request, &other));
        check_again(&request, is_old(input));
    }
    return 0;
}
