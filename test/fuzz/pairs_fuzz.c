/*
 * pairs_fuzz.c - any bytes as a form that refpay reads.
 *
 * Promises to find: reads outside the text or the arena, a form whose pairs a naive reader decodes otherwise, one that
 * does not come back when every byte of it is escaped, a member key with a bracket in it.
 */
#include <string.h>

#include "base/buf.h"

#include "../../sandbox/refpay/form.h"
#include "naive.h"

#define TEXT_BYTES_MAX 2048
/* Each pair takes two pieces with an end and up to 15 bytes to align them. */
#define ARENA_BYTES_MAX (TEXT_BYTES_MAX + TG_FORM_PAIRS_MAX * 2 * 17 + 64)

static uint8_t room[8 * TEXT_BYTES_MAX];

static bool naive_decode(struct tg_span text, uint8_t *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int escape = naive_escape(tg_span_sub(text, i, 3));
        if ((text.ptr[i] == '%' && escape <= 0) || text.ptr[i] == 0) {
            return false;
        }
        out[(*len)++] = escape > 0 ? (uint8_t)escape : text.ptr[i] == '+' ? ' ' : text.ptr[i];
        i += escape > 0 ? 2 : 0;
    }
    return true;
}

static void check_pair(struct tg_span pair, struct tg_span name, struct tg_span value)
{
    static uint8_t decoded[TEXT_BYTES_MAX];
    size_t len = 0;
    size_t equals = tg_span_find(pair, '=');
    tg_fuzz_expect(naive_decode(tg_span_sub(pair, 0, equals), decoded, &len) &&
                   tg_span_equal(name, tg_span(decoded, len)));
    tg_fuzz_expect(naive_decode(tg_span_sub(pair, equals + 1, pair.len), decoded, &len) &&
                   tg_span_equal(value, tg_span(decoded, len)));
}

static void put_escaped(struct tg_buf *out, struct tg_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        tg_buf_put_u8(out, '%');
        tg_buf_put_hex(out, tg_span_sub(text, i, 1));
    }
}

static void check_again(const struct tg_form *form)
{
    static uint8_t block[8 * TEXT_BYTES_MAX + ARENA_BYTES_MAX];
    static struct tg_form again;
    struct tg_arena arena = tg_arena(block, sizeof(block));
    struct tg_buf out = tg_buf(room, sizeof(room));
    for (size_t i = 0; i < form->count; i++) {
        tg_buf_put_string(&out, i == 0 ? "" : "&");
        put_escaped(&out, form->names[i]);
        tg_buf_put_u8(&out, '=');
        put_escaped(&out, form->values[i]);
    }
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK && tg_form_read(tg_buf_span(&out), &arena, &again) == TG_OK &&
                   again.count == form->count);
    for (size_t i = 0; i < form->count; i++) {
        struct tg_span key;
        tg_fuzz_expect(tg_span_equal(again.names[i], form->names[i]) &&
                       tg_span_equal(again.values[i], form->values[i]));
        if (tg_form_member(form, i, TG_SPAN("metadata"), &key)) {
            tg_fuzz_expect(key.len > 0 && tg_span_find(key, '[') == key.len && tg_span_find(key, ']') == key.len);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_form form;
    struct tg_span text = tg_span(data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX);
    uint8_t block[ARENA_BYTES_MAX];
    struct tg_arena arena = tg_arena(block, sizeof(block));
    enum tg_err err = tg_form_read(text, &arena, &form);
    tg_fuzz_expect(err != TG_ERR_ROOM && form.count <= TG_FORM_PAIRS_MAX);
    if (err != TG_OK) {
        return 0;
    }
    struct tg_span rest = text;
    for (size_t i = 0; i < form.count; i++) {
        size_t end = tg_span_find(rest, '&');
        check_pair(tg_span_sub(rest, 0, end), form.names[i], form.values[i]);
        rest = tg_span_sub(rest, end + 1, rest.len);
    }
    tg_fuzz_expect(rest.len == 0);
    check_again(&form);
    return 0;
}
