/*
 * act_fuzz.c - any bytes as an operator's act: who, what, before and after, as texts and as JSON.
 *
 * Promises to find: an event that our own strict reader does not read, a text that comes back changed though it was
 * UTF-8, one that is over its bound.
 */
#include "base/utf8.h"
#include "core/json/json.h"
#include "store/event.h"

#include "fuzz.h"

static uint8_t block[1024 * 1024];

/* What our reader takes with room for one more object around it. */
static bool is_json(struct tg_span text)
{
    struct tg_arena arena = tg_arena(block, sizeof(block));
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        depth += text.ptr[i] == '[' || text.ptr[i] == '{' ? 1 : 0;
    }
    return depth < TG_VALUE_DEPTH_MAX - 1 && tg_json_parse(text, &arena, &root, &place) == TG_REASON_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t event[TG_EVENT_BYTES_MAX];
    struct tg_span input = tg_span(data, size < 2048 ? size : 2048);
    uint8_t id[TG_REQUEST_ID_BYTES] = {1, 2, 3};
    struct tg_event_act act = {.sequence = 1};
    act.at_us = (int64_t)(tg_fuzz_u8(&input) * UINT64_C(0x0101010101010101));
    act.request_id = tg_span(id, sizeof(id));
    act.actor = tg_fuzz_span(&input, tg_fuzz_u8(&input));
    act.what = tg_fuzz_span(&input, tg_fuzz_u8(&input));
    act.before = tg_fuzz_span(&input, tg_fuzz_u8(&input));
    act.after = input;
    act.before_json = is_json(act.before);
    act.after_json = is_json(act.after);
    struct tg_buf out = tg_buf(event, sizeof(event));
    tg_event_act_write(&out, &act);

    struct tg_arena arena = tg_arena(block, sizeof(block));
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK);
    enum tg_reason reason = tg_json_parse(tg_buf_span(&out), &arena, &root, &place);
    tg_fuzz_expect(reason == TG_REASON_OK || reason == TG_REASON_JSON_LIMIT);
    const struct tg_value *actor = root == NULL ? NULL : tg_value_at(root, TG_SPAN("/actor"));
    if (actor != NULL && tg_utf8_check(act.actor) == act.actor.len) {
        tg_fuzz_expect(tg_span_equal(actor->text, act.actor));
    }
    return 0;
}
