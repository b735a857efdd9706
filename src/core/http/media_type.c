/*
 * media_type.c - reading a Content-Type (RFC 9110 8.3.1).
 *
 * Promises: the whole value is read; anything malformed is no match.
 * Does not: care for parameters other than charset.
 */
#include "core/http/field.h"

#include "base/banned.h"

/* Takes one token from the front of *rest. */
static struct tg_span take_token(struct tg_span *rest)
{
    size_t len = 0;
    while (len < rest->len && tg_field_name_ok(tg_span_sub(*rest, len, 1))) {
        len++;
    }
    struct tg_span token = tg_span_sub(*rest, 0, len);
    *rest = tg_span_sub(*rest, len, rest->len);
    return token;
}

/* Takes a quoted string without escapes: no charset needs one. Empty when there is none. */
static struct tg_span take_quoted(struct tg_span *rest)
{
    if (rest->len < 2 || rest->ptr[0] != '"') {
        return tg_span(NULL, 0);
    }
    struct tg_span inner = tg_span_sub(*rest, 1, rest->len);
    size_t end = tg_span_find(inner, '"');
    struct tg_span text = tg_span_sub(inner, 0, end);
    if (end == inner.len || tg_span_find(text, '\\') < text.len) {
        return tg_span(NULL, 0);
    }
    *rest = tg_span_sub(inner, end + 1, inner.len);
    return text;
}

/* One parameter after its ';'. */
static bool parameter_ok(struct tg_span *rest, bool *charset_seen)
{
    *rest = tg_span_trim(*rest);
    struct tg_span name = take_token(rest);
    if (name.len == 0 || rest->len < 2 || rest->ptr[0] != '=') {
        return false;
    }
    *rest = tg_span_sub(*rest, 1, rest->len);
    struct tg_span value = rest->ptr[0] == '"' ? take_quoted(rest) : take_token(rest);
    if (value.len == 0) {
        return false;
    }
    if (tg_span_equal_nocase(name, TG_SPAN("charset"))) {
        if (*charset_seen || !tg_span_equal_nocase(value, TG_SPAN("utf-8"))) {
            return false;
        }
        *charset_seen = true;
    }
    return true;
}

bool tg_media_type_is(struct tg_span content_type, struct tg_span type)
{
    struct tg_span rest = tg_span_trim(content_type);
    if (type.len == 0 || !tg_span_equal_nocase(tg_span_sub(rest, 0, type.len), type)) {
        return false;
    }
    rest = tg_span_trim(tg_span_sub(rest, type.len, rest.len));
    bool charset_seen = false;
    while (rest.len > 0) {
        if (rest.ptr[0] != ';') {
            return false;
        }
        rest = tg_span_sub(rest, 1, rest.len);
        if (!parameter_ok(&rest, &charset_seen)) {
            return false;
        }
        rest = tg_span_trim(rest);
    }
    return true;
}
