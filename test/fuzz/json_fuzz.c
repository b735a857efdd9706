/*
 * json_fuzz.c - any bytes as JSON.
 *
 * Promises to find: reads outside the text or the arena, a tree that its own pointers do not find again, an arena
 * bound that is too small.
 */
#include <stdlib.h>

#include "core/json/json.h"
#include "core/payment/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_found(const struct tg_value *root)
{
    uint8_t text[4096];
    size_t left = 64; /* finding is linear: a few are enough */
    for (const struct tg_value *value = root; value != NULL && left > 0; value = tg_value_walk(root, value), left--) {
        struct tg_buf out = tg_buf(text, sizeof text);
        tg_value_pointer_write(&out, value);
        bool whole = out.len < sizeof text / 2;
        if (!tg_pointer_ok(tg_buf_span(&out)) ||
            (whole && tg_value_at(root, tg_buf_span(&out)) != value && value->key.len < 64)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = tg_value_arena_size(size);
    uint8_t *block = malloc(room);
    struct tg_arena arena = tg_arena(block, room);
    const struct tg_value *root = NULL;
    struct tg_json_place place;
    enum tg_reason reason = tg_json_parse(tg_span(data, size), &arena, &root, &place);
    if ((reason == TG_REASON_OK) != (root != NULL) || place.offset > size) {
        abort();
    }
    if (root != NULL) {
        check_found(root);
        (void)tg_card_found_in(root);
    }
    free(block);
    return 0;
}
