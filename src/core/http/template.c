/*
 * template.c - segments, one after the other.
 *
 * Promises: as template.h; linear in the path.
 * Does not: allocate.
 */
#include "core/http/template.h"

#include "base/byte_set.h"
#include "base/hex.h"
#include "base/utf8.h"

#include "base/banned.h"

/* Takes "/segment" from the front of *rest. */
static struct tg_span segment_take(struct tg_span *rest)
{
    struct tg_span after = tg_span_sub(*rest, 1, rest->len);
    size_t len = tg_span_find(after, '/');
    *rest = tg_span_sub(after, len, after.len);
    return tg_span_sub(after, 0, len);
}

static bool is_variable(struct tg_span segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool is_one_of(struct tg_span bytes, uint8_t byte)
{
    return tg_span_find(bytes, byte) < bytes.len;
}

/* RFC 3986 2.3: letters, digits and -._~ */
static const struct tg_byte_set unreserved = {{0x3ff600000000000, 0x47fffffe87fffffe, 0, 0}};

/* unreserved, sub-delims without ';', ':' and '@' (RFC 3986 3.3): with !$&'()*+,=:@ */
static const struct tg_byte_set pchar = {{0x27ff7fd200000000, 0x47fffffe87ffffff, 0, 0}};

static bool is_dots(struct tg_span segment)
{
    return tg_span_equal(segment, TG_SPAN(".")) || tg_span_equal(segment, TG_SPAN(".."));
}

/* The byte that "%XX" at `at` stands for; negative when there is none. */
static int escaped_byte(struct tg_span segment, size_t at)
{
    if (at >= segment.len || segment.len - at <= 2 || segment.ptr[at] != '%') {
        return -1;
    }
    int high = tg_hex_digit(segment.ptr[at + 1]);
    int low = tg_hex_digit(segment.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/*
 * Length of the escapes at `at` that are one character, 0 when they are none or may not be. One that stands for a byte
 * which needs none would be another text to us than to an upstream that decodes: "/v1/payments/%73earch" is no id there
 * (RFC 3986 6.2.2.2). Beyond ASCII only UTF-8 is taken: lenient decoders make '/' and '.' of its overlong forms.
 */
static size_t escape_len(struct tg_span segment, size_t at)
{
    uint8_t bytes[4];
    size_t len = 0;
    uint32_t character = 0;
    int byte = escaped_byte(segment, at);
    while (byte >= 0 && len < sizeof bytes) {
        bytes[len++] = (uint8_t)byte;
        byte = escaped_byte(segment, at + 3 * len);
    }
    len = tg_utf8_next(tg_span(bytes, len), &character);
    if (len == 1 && (bytes[0] <= 0x1f || bytes[0] == 0x7f || is_one_of(TG_SPAN("/\\;%"), bytes[0]) ||
                     tg_byte_set_has(&unreserved, bytes[0]))) {
        return 0;
    }
    return 3 * len;
}

static bool segment_ok(struct tg_span segment)
{
    for (size_t i = 0; i < segment.len;) {
        size_t len = segment.ptr[i] == '%' ? escape_len(segment, i) : tg_byte_set_has(&pchar, segment.ptr[i]);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return segment.len > 0 && !is_dots(segment);
}

bool tg_path_ok(struct tg_span path)
{
    if (path.len < 2 || path.ptr[0] != '/') {
        return false;
    }
    for (struct tg_span rest = path; rest.len > 0;) {
        if (!segment_ok(segment_take(&rest))) {
            return false;
        }
    }
    return true;
}

bool tg_query_ok(struct tg_span query)
{
    for (size_t i = 0; i < query.len; i++) {
        uint8_t byte = query.ptr[i];
        if (byte == '%') {
            if (escaped_byte(query, i) < 0) {
                return false;
            }
            i += 2;
        } else if (!tg_byte_set_has(&pchar, byte) && !is_one_of(TG_SPAN("/?;[]"), byte)) {
            return false;
        }
    }
    return true;
}

bool tg_template_ok(struct tg_span path_template)
{
    if (path_template.len < 2 || path_template.ptr[0] != '/') {
        return false;
    }
    for (struct tg_span rest = path_template; rest.len > 0;) {
        struct tg_span segment = segment_take(&rest);
        struct tg_span name = is_variable(segment) ? tg_span_sub(segment, 1, segment.len - 2) : segment;
        if (!segment_ok(name) || tg_span_find(name, '%') < name.len) {
            return false;
        }
    }
    return true;
}

bool tg_template_matches(struct tg_span path_template, struct tg_span path)
{
    size_t i = tg_span_find(path_template, '{');
    size_t k = i;
    if (!tg_span_starts(path, tg_span_sub(path_template, 0, i))) {
        return false;
    }
    while (i < path_template.len && k < path.len) {
        if (path_template.ptr[i] == '{') {
            /* Only a whole segment is a variable (tg_template_ok): it takes one segment of the path, not an empty one.
             */
            size_t from = k;
            i += tg_span_find(tg_span_sub(path_template, i, path_template.len), '/');
            k += tg_span_find(tg_span_sub(path, k, path.len), '/');
            if (k == from) {
                return false;
            }
        } else if (path_template.ptr[i++] != path.ptr[k++]) {
            return false;
        }
    }
    return i == path_template.len && k == path.len;
}

int tg_template_compare(struct tg_span a, struct tg_span b)
{
    while (a.len > 0 && b.len > 0) {
        struct tg_span in_a = segment_take(&a);
        struct tg_span in_b = segment_take(&b);
        if (is_variable(in_a) && is_variable(in_b)) {
            continue;
        }
        if (is_variable(in_a) != is_variable(in_b)) {
            return is_variable(in_a) ? 1 : -1;
        }
        int order = tg_span_compare(in_a, in_b);
        if (order != 0) {
            return order;
        }
    }
    return a.len != b.len ? (a.len > b.len ? -1 : 1) : 0;
}
