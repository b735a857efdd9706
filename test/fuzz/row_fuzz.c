/*
 * row_fuzz.c - the first byte is a kind of row, the rest its bytes.
 *
 * Promises to find: reads outside the bytes, a row that is taken and written back as other bytes, one that is over its
 * bound, an event of it that our own strict reader does not read.
 */
#include "core/json/json.h"
#include "store/event.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[1024 * 1024];
    static uint8_t event[TG_EVENT_BYTES_MAX];
    uint8_t room[TG_ROW_BYTES_MAX];
    struct tg_span body = tg_span(data, size);
    struct tg_row row;
    enum tg_row_kind kind = (enum tg_row_kind)(tg_fuzz_u8(&body) % 12);
    if (tg_row_read(kind, 7, body, &row) != TG_OK) {
        return 0;
    }
    struct tg_buf out = tg_buf(room, sizeof(room));
    tg_row_write(&out, &row);
    tg_fuzz_expect(tg_buf_done(&out) == TG_OK && tg_span_equal(tg_buf_span(&out), body));

    struct tg_buf json = tg_buf(event, sizeof(event));
    struct tg_arena arena = tg_arena(block, sizeof(block));
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    tg_event_row_write(&json, &row);
    tg_fuzz_expect(tg_buf_done(&json) == TG_OK &&
                   tg_json_parse(tg_buf_span(&json), &arena, &root, &place) == TG_REASON_OK);
    tg_fuzz_expect(tg_value_at(root, TG_SPAN("/kind")) != NULL && tg_value_at(root, TG_SPAN("/at")) != NULL);
    return 0;
}
