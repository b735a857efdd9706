/*
 * template_fuzz.c - any bytes as a path, a query, and a template with a path (parted by a line end).
 *
 * Promises to find: a path or query that a naive reader of RFC 3986 3.3, 3.4 and our own bars judges otherwise, a
 * literal path that does not fit itself, an order of templates that is none.
 */
#include <string.h>

#include "core/http/template.h"

#include "naive.h"

#define PATH_BYTES_MAX 4096
#define UNRESERVED "-._~" NAIVE_DIGITS NAIVE_LOWER NAIVE_UPPER
#define PLAIN UNRESERVED "!$&'()*+,=:@"

static bool naive_segment(struct tg_span segment)
{
    uint8_t decoded[PATH_BYTES_MAX];
    size_t len = 0;
    for (size_t i = 0; i < segment.len; i++) {
        int escape = naive_escape(tg_span_sub(segment, i, 3));
        if (escape < 0 && !tg_fuzz_in(segment.ptr[i], PLAIN)) {
            return false;
        }
        if (escape >= 0 && (escape < 0x20 || escape == 0x7f || tg_fuzz_in((uint8_t)escape, "/\\;%" UNRESERVED))) {
            return false;
        }
        decoded[len++] = escape < 0 ? segment.ptr[i] : (uint8_t)escape;
        i += escape < 0 ? 0 : 2;
    }
    bool dots = (len == 1 && decoded[0] == '.') || (len == 2 && decoded[0] == '.' && decoded[1] == '.');
    return len > 0 && !dots && naive_utf8_check(tg_span(decoded, len)) == len;
}

static bool naive_path(struct tg_span path)
{
    if (path.len == 0 || path.ptr[0] != '/') {
        return false;
    }
    size_t begin = 1;
    for (size_t i = 1; i <= path.len; i++) {
        if (i == path.len || path.ptr[i] == '/') {
            if (!naive_segment(tg_span_sub(path, begin, i - begin))) {
                return false;
            }
            begin = i + 1;
        }
    }
    return true;
}

static bool naive_query(struct tg_span query)
{
    for (size_t i = 0; i < query.len; i++) {
        bool escape = naive_escape(tg_span_sub(query, i, 3)) >= 0;
        if (!escape && !tg_fuzz_in(query.ptr[i], PLAIN "/?;[]")) {
            return false;
        }
        i += escape ? 2 : 0;
    }
    return true;
}

/* Segment by segment, from the back. */
static bool naive_matches(struct tg_span path_template, struct tg_span path)
{
    size_t t = path_template.len;
    size_t p = path.len;
    while (t > 0 && p > 0) {
        size_t t_end = t;
        size_t p_end = p;
        while (path_template.ptr[t - 1] != '/') {
            t--;
        }
        while (path.ptr[p - 1] != '/') {
            p--;
        }
        struct tg_span expected = tg_span_sub(path_template, t, t_end - t);
        struct tg_span segment = tg_span_sub(path, p, p_end - p);
        bool variable = expected.len > 0 && expected.ptr[0] == '{';
        if (!variable && (expected.len != segment.len || memcmp(expected.ptr, segment.ptr, segment.len) != 0)) {
            return false;
        }
        t--;
        p--;
    }
    return t == 0 && p == 0;
}

static int sign(int value)
{
    return value < 0 ? -1 : value > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size < PATH_BYTES_MAX ? size : PATH_BYTES_MAX);
    size_t parted = tg_span_find(input, '\n');
    struct tg_span path_template = tg_span_sub(input, 0, parted);
    struct tg_span path = tg_span_sub(input, parted + 1, input.len);
    bool template_ok = tg_template_ok(path_template);
    tg_fuzz_expect(tg_path_ok(path_template) == naive_path(path_template) && tg_path_ok(path) == naive_path(path));
    tg_fuzz_expect(tg_query_ok(path) == naive_query(path) && tg_query_ok(path_template) == naive_query(path_template));
    if (tg_path_ok(path_template) && tg_span_find(path_template, '%') == path_template.len) {
        tg_fuzz_expect(template_ok && tg_template_matches(path_template, path_template));
    }
    if (template_ok && tg_path_ok(path)) {
        tg_fuzz_expect(tg_template_matches(path_template, path) == naive_matches(path_template, path));
    }
    if (template_ok && tg_template_ok(path)) {
        tg_fuzz_expect(sign(tg_template_compare(path_template, path)) ==
                       -sign(tg_template_compare(path, path_template)));
        tg_fuzz_expect(tg_template_compare(path, path) == 0);
    }
    return 0;
}
