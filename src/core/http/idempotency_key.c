/*
 * idempotency_key.c - the key in an Idempotency-Key field or what a dialect calls it.
 *
 * Promises: "abc" quoted (RFC 8941 3.3.3) and abc raw are one key; two keys that
 * differ in any byte stay two: no case folding, trimming or normalising.
 * Does not: take structured-field parameters after a quoted key; no client sends them.
 */
#include "core/http/field.h"

#include "base/banned.h"

/* Printable ASCII and SP: what RFC 8941 strings can hold, so that raw and quoted keys are one set. */
static bool is_key_byte(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e;
}

static enum tg_err raw_parse(struct tg_span value, size_t bytes_max, struct tg_span *ret)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!is_key_byte(value.ptr[i])) {
            return TG_ERR_INPUT;
        }
    }
    /* A parser on the way may or may not cut spaces at the ends: one key would become two. */
    if (value.ptr[0] == ' ' || value.ptr[value.len - 1] == ' ') {
        return TG_ERR_INPUT;
    }
    if (value.len > bytes_max) {
        return TG_ERR_LIMIT;
    }
    *ret = value;
    return TG_OK;
}

static enum tg_err quoted_parse(struct tg_span value, size_t bytes_max, uint8_t *unquoted, struct tg_span *ret)
{
    size_t len = 0;
    bool escapes = false;
    size_t at = 1;
    for (; at < value.len && value.ptr[at] != '"'; at++) {
        uint8_t byte = value.ptr[at];
        if (byte == '\\') {
            at++;
            if (at == value.len || (value.ptr[at] != '"' && value.ptr[at] != '\\')) {
                return TG_ERR_INPUT;
            }
            byte = value.ptr[at];
            escapes = true;
        }
        if (!is_key_byte(byte)) {
            return TG_ERR_INPUT;
        }
        if (len < bytes_max) {
            unquoted[len] = byte;
        }
        len++;
    }
    if (at + 1 != value.len || len == 0) {
        return TG_ERR_INPUT;
    }
    if (len > bytes_max) {
        return TG_ERR_LIMIT;
    }
    *ret = escapes ? tg_span(unquoted, len) : tg_span_sub(value, 1, len);
    return TG_OK;
}

enum tg_err tg_idempotency_key_parse(struct tg_span value, size_t bytes_max, uint8_t *unquoted, struct tg_span *ret)
{
    *ret = tg_span(NULL, 0);
    if (bytes_max > TG_IDEMPOTENCY_KEY_BYTES_MAX) {
        bytes_max = TG_IDEMPOTENCY_KEY_BYTES_MAX; /* what unquoted holds */
    }
    if (value.len == 0) {
        return TG_ERR_INPUT;
    }
    if (value.ptr[0] == '"') {
        return quoted_parse(value, bytes_max, unquoted, ret);
    }
    return raw_parse(value, bytes_max, ret);
}
