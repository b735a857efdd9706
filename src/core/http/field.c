/*
 * field.c - names and values of request fields.
 *
 * Promises: as field.h; one pass over the bytes, no state.
 * Does not: split lists or fold lines; a folded line never gets here (nginx and the gate refuse it).
 */
#include "core/http/field.h"

#include "base/byte_set.h"
#include "base/word.h"

#include "base/banned.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TRACEPARENT_CHARS 55 /* version 00: 2 + 1 + 32 + 1 + 16 + 1 + 2 */
#define CLIENT_REQUEST_ID_CHARS_MAX 64

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_alpha(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* tchar of RFC 9110 5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
static const struct tg_byte_set token = {{0x3ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0}};

bool tg_field_name_ok(struct tg_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!tg_byte_set_has(&token, name.ptr[i])) {
            return false;
        }
    }
    return name.len > 0;
}

static bool is_control(uint8_t byte)
{
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

bool tg_field_value_ok(struct tg_span value)
{
    size_t i = 0;
    while (value.len - i >= TG_WORD_BYTES) {
        uint64_t word = tg_word(value.ptr + i);
        uint64_t marks = tg_word_below(word, 0x20) | tg_word_is(word, 0x7f);
        /* HTAB is the one control byte that may be there: such words are looked at byte by byte. */
        for (size_t k = 0; marks != 0 && k < TG_WORD_BYTES; k++) {
            if (is_control(value.ptr[i + k])) {
                return false;
            }
        }
        i += TG_WORD_BYTES;
    }
    for (; i < value.len; i++) {
        if (is_control(value.ptr[i])) {
            return false;
        }
    }
    /* What a parser leaves of OWS at the ends would be read differently by the next one. */
    return tg_span_trim(value).len == value.len;
}

/* Letters without case, '_' as '-': what a CGI-like upstream would see as the same name. */
static uint8_t folded(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return (uint8_t)(byte + ('a' - 'A'));
    }
    return byte == '_' ? '-' : byte;
}

static bool folded_starts(struct tg_span name, struct tg_span prefix)
{
    if (name.len < prefix.len) {
        return false;
    }
    for (size_t i = 0; i < prefix.len; i++) {
        if (folded(name.ptr[i]) != prefix.ptr[i]) {
            return false;
        }
    }
    return true;
}

struct family {
    struct tg_span text;
    bool whole; /* the whole name, not its beginning */
};

static bool is_among(struct tg_span name, const struct family *families, size_t count)
{
    uint8_t first = name.len == 0 ? 0 : folded(name.ptr[0]);
    for (size_t i = 0; i < count; i++) {
        if (first == families[i].text.ptr[0] && folded_starts(name, families[i].text) &&
            (!families[i].whole || name.len == families[i].text.len)) {
            return true;
        }
    }
    return false;
}

bool tg_field_is_override(struct tg_span name)
{
    /* Frameworks take another method or target from these than the one that was judged. */
    static const struct family families[] = {
        {{(const uint8_t *)"x-http-method", 13}, false},
        {{(const uint8_t *)"x-method-override", 17}, true},
        {{(const uint8_t *)"x-original-", 11}, false},
        {{(const uint8_t *)"x-rewrite-", 10}, false},
    };
    return is_among(name, families, COUNT(families));
}

bool tg_field_is_trust(struct tg_span name)
{
    static const struct family families[] = {
        {{(const uint8_t *)"forwarded", 9}, true},      {{(const uint8_t *)"x-forwarded", 11}, true},
        {{(const uint8_t *)"x-forwarded-", 12}, false}, {{(const uint8_t *)"x-real-ip", 9}, true},
        {{(const uint8_t *)"client-cert", 11}, false},  {{(const uint8_t *)"x-ssl-", 6}, false},
        {{(const uint8_t *)"x-tollgate-", 11}, false},  {{(const uint8_t *)"tollgate-", 9}, false},
    };
    return is_among(name, families, COUNT(families)) || tg_field_is_override(name);
}

enum tg_err tg_content_length_parse(struct tg_span value, uint64_t *ret)
{
    *ret = 0;
    if (value.len == 0) {
        return TG_ERR_INPUT;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i])) {
            return TG_ERR_INPUT;
        }
    }
    uint64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (__builtin_mul_overflow(length, UINT64_C(10), &length) ||
            __builtin_add_overflow(length, (uint64_t)(value.ptr[i] - '0'), &length)) {
            return TG_ERR_LIMIT;
        }
    }
    *ret = length;
    return TG_OK;
}

static bool is_lower_hex(struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) && !(text.ptr[i] >= 'a' && text.ptr[i] <= 'f')) {
            return false;
        }
    }
    return true;
}

static bool is_zero(struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0') {
            return false;
        }
    }
    return true;
}

/* version-traceid-parentid-flags (W3C Trace Context 3.2). */
bool tg_traceparent_ok(struct tg_span value)
{
    if (value.len < TRACEPARENT_CHARS || value.ptr[2] != '-' || value.ptr[35] != '-' || value.ptr[52] != '-') {
        return false;
    }
    struct tg_span version = tg_span_sub(value, 0, 2);
    struct tg_span trace = tg_span_sub(value, 3, 32);
    struct tg_span parent = tg_span_sub(value, 36, 16);
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) ||
        !is_lower_hex(tg_span_sub(value, 53, 2)) || tg_span_equal(version, TG_SPAN("ff")) || is_zero(trace) ||
        is_zero(parent)) {
        return false;
    }
    /* A later version may carry more after another dash (3.2.2.5 of the specification); version 00 may not. */
    return value.len == TRACEPARENT_CHARS || (!is_zero(version) && value.ptr[TRACEPARENT_CHARS] == '-');
}

bool tg_client_request_id_ok(struct tg_span value)
{
    if (value.len == 0 || value.len > CLIENT_REQUEST_ID_CHARS_MAX) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.ptr[i];
        if (!is_digit(byte) && !is_alpha(byte) && byte != '.' && byte != '_' && byte != '-') {
            return false;
        }
    }
    return true;
}
