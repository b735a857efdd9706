/*
 * field_fuzz.c - any bytes as a field's name, a value, a media type, a trace parent, a request id.
 *
 * Promises to find: a name or value that a naive reader of RFC 9110 judges otherwise, a trace parent that is not the
 * shape of the specification, a media type that changes with the letters' case, trust that hangs on the spelling.
 */
#include <string.h>

#include "core/http/field.h"

#include "naive.h"

#define TEXT_BYTES_MAX 512

static bool naive_value(struct tg_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        bool control = value.ptr[i] < 0x20 || value.ptr[i] == 0x7f;
        if (control && value.ptr[i] != '\t') {
            return false;
        }
    }
    return value.len == 0 || (!tg_fuzz_in(value.ptr[0], " \t") && !tg_fuzz_in(value.ptr[value.len - 1], " \t"));
}

/* W3C Trace Context 3.2: "00-" 32 hex "-" 16 hex "-" 2 hex; a later version may go on behind a dash. */
static bool naive_trace(struct tg_span value)
{
    static const char shape[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    size_t trace = 0;
    size_t parent = 0;
    for (size_t i = 0; i < 55; i++) {
        if (i >= value.len || (shape[i] == '-' ? value.ptr[i] != '-' : !tg_fuzz_in(value.ptr[i], "0123456789abcdef"))) {
            return false;
        }
        trace += i > 2 && i < 35 && value.ptr[i] != '0' ? 1 : 0;
        parent += i > 35 && i < 52 && value.ptr[i] != '0' ? 1 : 0;
    }
    bool zero = value.ptr[0] == '0' && value.ptr[1] == '0';
    bool last = value.ptr[0] == 'f' && value.ptr[1] == 'f';
    return trace > 0 && parent > 0 && !last && (value.len == 55 || (!zero && value.ptr[55] == '-'));
}

static bool naive_request_id(struct tg_span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!tg_fuzz_in(value.ptr[i], "._-" NAIVE_DIGITS NAIVE_LOWER NAIVE_UPPER)) {
            return false;
        }
    }
    return value.len >= 1 && value.len <= 64;
}

/* The other case, and '_' for '-' and back: an upstream may see the same name. */
static struct tg_span spelled(struct tg_span text, uint8_t room[TEXT_BYTES_MAX], bool dashes)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool letter = tg_fuzz_in(byte, NAIVE_LOWER NAIVE_UPPER);
        room[i] = letter ? (uint8_t)(byte ^ 0x20) : byte;
        if (dashes && (byte == '-' || byte == '_')) {
            room[i] = byte == '-' ? '_' : '-';
        }
    }
    return tg_span(room, text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span text = tg_span(data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
    uint8_t room[TEXT_BYTES_MAX];
    tg_fuzz_expect(tg_field_name_ok(text) == naive_token(text));
    tg_fuzz_expect(tg_field_value_ok(text) == naive_value(text));
    tg_fuzz_expect(tg_traceparent_ok(text) == naive_trace(text));
    tg_fuzz_expect(tg_client_request_id_ok(text) == naive_request_id(text));
    tg_fuzz_expect(!tg_field_is_override(text) || tg_field_is_trust(text));
    tg_fuzz_expect(tg_field_is_trust(text) == tg_field_is_trust(spelled(text, room, true)));
    bool json = tg_media_type_is(text, TG_SPAN("application/json"));
    tg_fuzz_expect(json == tg_media_type_is(spelled(text, room, false), TG_SPAN("application/json")));
    if (json) { /* one type at a time, and what is one begins with it */
        struct tg_span trimmed = tg_span_trim(text);
        tg_fuzz_expect(tg_span_equal_nocase(tg_span_sub(trimmed, 0, 16), TG_SPAN("application/json")) &&
                       (trimmed.len == 16 || tg_fuzz_in(trimmed.ptr[16], "; \t")));
        tg_fuzz_expect(!tg_media_type_is(text, TG_SPAN("application/x-www-form-urlencoded")));
    }
    return 0;
}
