/*
 * key_fuzz.c - any bytes as an idempotency key, an API key, a media type, a trace or request id, a path.
 *
 * Promises to find: reads outside the value, a key that is over its limit, a key that changes when it is quoted again.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "core/http/field.h"
#include "core/http/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was parsed, quoted, must parse to the same. */
static void check_quoted(struct tg_span key)
{
    uint8_t text[2 * TG_IDEMPOTENCY_KEY_BYTES_MAX + 2];
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    struct tg_buf out = tg_buf(text, sizeof text);
    tg_buf_put_u8(&out, '"');
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '"' || key.ptr[i] == '\\') {
            tg_buf_put_u8(&out, '\\');
        }
        tg_buf_put_u8(&out, key.ptr[i]);
    }
    tg_buf_put_u8(&out, '"');
    struct tg_span again = {0};
    if (tg_idempotency_key_parse(tg_buf_span(&out), TG_IDEMPOTENCY_KEY_BYTES_MAX, unquoted, &again) != TG_OK ||
        !tg_span_equal(again, key)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span value = tg_span(data, size);
    uint8_t unquoted[TG_IDEMPOTENCY_KEY_BYTES_MAX];
    struct tg_span key = {0};
    uint64_t length = 0;
    if (tg_idempotency_key_parse(value, TG_IDEMPOTENCY_KEY_BYTES_MAX, unquoted, &key) == TG_OK) {
        if (key.len == 0 || key.len > TG_IDEMPOTENCY_KEY_BYTES_MAX) {
            abort();
        }
        check_quoted(key);
    }
    if (tg_api_key_shape_ok(value) && size != TG_API_KEY_CHARS) {
        abort();
    }
    (void)tg_media_type_is(value, TG_SPAN("application/json"));
    (void)tg_traceparent_ok(value);
    (void)tg_client_request_id_ok(value);
    (void)tg_field_is_trust(value);
    (void)tg_content_length_parse(value, &length);
    if (tg_path_ok(value)) {
        (void)tg_template_matches(TG_SPAN("/v1/payments/{id}/capture"), value);
    }
    if (tg_template_ok(value) && tg_template_compare(value, value) != 0) {
        abort();
    }
    return 0;
}
