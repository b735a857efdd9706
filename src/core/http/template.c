/*
 * template.c - segments, one after the other.
 *
 * Promises: as template.h; linear in the path.
 * Does not: allocate.
 */
#include "core/http/template.h"

#include "base/hex.h"

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

/* unreserved, sub-delims without ';', ':' and '@' (RFC 3986 3.3). */
static bool is_pchar(uint8_t byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')) {
        return true;
    }
    struct tg_span others = TG_SPAN("-._~!$&'()*+,=:@");
    return tg_span_find(others, byte) < others.len;
}

static bool is_dots(struct tg_span segment)
{
    return tg_span_equal(segment, TG_SPAN(".")) || tg_span_equal(segment, TG_SPAN(".."));
}

static bool escape_ok(struct tg_span segment, size_t at)
{
    int high = segment.len - at > 2 ? tg_hex_digit(segment.ptr[at + 1]) : -1;
    int low = segment.len - at > 2 ? tg_hex_digit(segment.ptr[at + 2]) : -1;
    if (high < 0 || low < 0) {
        return false;
    }
    int byte = high << 4 | low;
    return byte > 0x1f && byte != 0x7f && byte != '/' && byte != '\\' && byte != '.' && byte != ';' && byte != '%';
}

static bool segment_ok(struct tg_span segment)
{
    for (size_t i = 0; i < segment.len; i++) {
        if (segment.ptr[i] == '%') {
            if (!escape_ok(segment, i)) {
                return false;
            }
            i += 2;
        } else if (!is_pchar(segment.ptr[i])) {
            return false;
        }
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
    while (path_template.len > 0 && path.len > 0) {
        struct tg_span expected = segment_take(&path_template);
        struct tg_span segment = segment_take(&path);
        if (segment.len == 0 || (!is_variable(expected) && !tg_span_equal(expected, segment))) {
            return false;
        }
    }
    return path_template.len == 0 && path.len == 0;
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
