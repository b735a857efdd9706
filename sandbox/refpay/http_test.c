/*
 * http_test.c - what the request parser takes and what it refuses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http.h"

static struct tg_http_request request;

static int status_of(const char *text)
{
    size_t size;
    int status;
    enum tg_http_state state = tg_http_read(tg_span(text, strlen(text)), &request, &size, &status);
    return state == TG_HTTP_DONE ? 200 : state == TG_HTTP_MORE ? 0 : status;
}

static void reads_a_request(void **state)
{
    (void)state;
    size_t size;
    int status;
    static const char text[] =
        "POST /v1/payments?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nX-Y:  z \t\r\n\r\nbodyGET /";
    assert_int_equal(tg_http_read(TG_SPAN(text), &request, &size, &status), TG_HTTP_DONE);
    assert_int_equal(size, sizeof(text) - 1 - 5);
    assert_true(tg_span_equal(request.method, TG_SPAN("POST")));
    assert_true(tg_span_equal(request.path, TG_SPAN("/v1/payments")));
    assert_true(tg_span_equal(request.query, TG_SPAN("x=1")));
    assert_true(tg_span_equal(request.body, TG_SPAN("body")));
    assert_true(tg_span_equal(tg_http_field(&request, TG_SPAN("x-y"))->value, TG_SPAN("z")));
    assert_false(request.close);
}

static void every_shorter_part_wants_more(void **state)
{
    (void)state;
    static const char text[] =
        "POST /v1/notes HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}";
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        size_t size;
        int status;
        char *copy = malloc(len + 1); /* on the heap, so that a sanitizer sees a read past the end */
        memcpy(copy, text, len);
        assert_int_equal(tg_http_read(tg_span(copy, len), &request, &size, &status), TG_HTTP_MORE);
        free(copy);
    }
    assert_int_equal(status_of(text), 200);
    assert_true(request.close);
}

static void refuses_ambiguous_framing(void **state)
{
    (void)state;
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 400);
    assert_int_equal(
        status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"), 400);
    assert_int_equal(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx"), 400);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx"), 400);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx"), 400);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 262145\r\n\r\n"), 413);
    assert_int_equal(status_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"), 413);
}

static void refuses_broken_lines(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n"), 400);
    assert_int_equal(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    assert_int_equal(status_of("GET /\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"), 417);
}

static void bounds_the_head(void **state)
{
    (void)state;
    size_t size;
    int status;
    char *text = malloc(TG_HTTP_HEAD_BYTES_MAX);
    memset(text, 'a', TG_HTTP_HEAD_BYTES_MAX);
    assert_int_equal(tg_http_read(tg_span(text, TG_HTTP_HEAD_BYTES_MAX), &request, &size, &status), TG_HTTP_BAD);
    assert_int_equal(status, 431);
    char *end = text + TG_HTTP_HEAD_BYTES_MAX;
    char *at = text;
    static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\n", field[] = "X: y\r\n";
    memcpy(at, first, sizeof(first) - 1);
    at += sizeof(first) - 1;
    for (size_t i = 0; i < TG_HTTP_FIELDS_MAX; i++) {
        memcpy(at, field, sizeof(field) - 1);
        at += sizeof(field) - 1;
    }
    memcpy(at, "\r\n", 2);
    assert_true(at + 2 < end);
    assert_int_equal(tg_http_read(tg_span(text, (size_t)(at + 2 - text)), &request, &size, &status), TG_HTTP_BAD);
    assert_int_equal(status, 431);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_request),           cmocka_unit_test(every_shorter_part_wants_more),
        cmocka_unit_test(refuses_ambiguous_framing), cmocka_unit_test(refuses_broken_lines),
        cmocka_unit_test(bounds_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
