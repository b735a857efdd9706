/*
 * postgres_act.c - see postgres_act.h.
 *
 * Promises: integers big-endian, texts with a length before them. Does not: read other versions by guessing.
 */
#include "store/postgres_act.h"

#include <stdlib.h>

#include "core/json/json.h"

#define ACT_VERSION 1

/* Strict JSON is shown as such, anything else as a text; without memory too: it is only how it looks. */
static bool is_json(struct tg_span text)
{
    if (text.len == 0)
        return false;
    size_t size = tg_value_arena_size(text.len);
    void *memory = malloc(size);
    if (memory == NULL)
        return false;
    struct tg_arena arena = tg_arena(memory, size);
    const struct tg_value *value = NULL;
    struct tg_json_place place;
    bool json = tg_json_parse(text, &arena, &value, &place) == TG_REASON_OK;
    free(memory);
    return json;
}

static struct tg_span put_text(struct tg_buf *out, struct tg_span text, size_t max)
{
    struct tg_span kept = tg_span_sub(text, 0, max);
    tg_buf_put_u16(out, (uint16_t)kept.len);
    tg_buf_put(out, kept);
    return kept;
}

void tg_pg_act_write(struct tg_buf *out, const struct tg_event_act *act)
{
    tg_buf_put_u8(out, ACT_VERSION);
    tg_buf_put_u64(out, (uint64_t)act->at_us);
    put_text(out, act->request_id, TG_REQUEST_ID_BYTES);
    tg_buf_put_u32(out, (uint32_t)act->result);
    tg_buf_put_u8(out, is_json(tg_span_sub(act->before, 0, TG_ACT_JSON_BYTES_MAX)));
    tg_buf_put_u8(out, is_json(tg_span_sub(act->after, 0, TG_ACT_JSON_BYTES_MAX)));
    put_text(out, act->actor, TG_ACT_WORDS_BYTES_MAX);
    put_text(out, act->what, TG_ACT_WORDS_BYTES_MAX);
    put_text(out, act->before, TG_ACT_JSON_BYTES_MAX);
    put_text(out, act->after, TG_ACT_JSON_BYTES_MAX);
}

static struct tg_span take_text(struct tg_cursor *in)
{
    return tg_cursor_span(in, tg_cursor_u16(in));
}

enum tg_err tg_pg_act_read(struct tg_span body, struct tg_event_act *ret)
{
    struct tg_cursor in = tg_cursor(body);
    *ret = (struct tg_event_act){0};
    if (tg_cursor_u8(&in) != ACT_VERSION)
        return TG_ERR_CORRUPT;
    ret->at_us = (int64_t)tg_cursor_u64(&in);
    ret->request_id = take_text(&in);
    ret->result = (enum tg_err)(int32_t)tg_cursor_u32(&in);
    ret->before_json = tg_cursor_u8(&in) != 0;
    ret->after_json = tg_cursor_u8(&in) != 0;
    ret->actor = take_text(&in);
    ret->what = take_text(&in);
    ret->before = take_text(&in);
    ret->after = take_text(&in);
    return tg_cursor_done(&in) == TG_OK ? TG_OK : TG_ERR_CORRUPT;
}
