/*
 * form_fuzz.c - any bytes as a form.
 *
 * Promises to find: reads outside the text or the arena, leaves that are no strings, an arena bound that is too small.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "core/form/form.h"
#include "core/payment/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = tg_value_arena_size(size);
    uint8_t *block = malloc(room);
    struct tg_arena arena = tg_arena(block, room);
    const struct tg_value *root = NULL;
    const struct tg_value *where = NULL;
    enum tg_reason reason = tg_form_parse(tg_span(data, size), &arena, &root, &where);
    if ((reason == TG_REASON_OK) != (root != NULL)) {
        abort();
    }
    for (const struct tg_value *value = root; value != NULL; value = tg_value_walk(root, value)) {
        bool leaf = value->kind == TG_VALUE_STRING;
        bool group = value->kind == TG_VALUE_OBJECT || value->kind == TG_VALUE_ARRAY;
        if ((!leaf && !group) || (leaf && value->first != NULL) || tg_utf8_check(value->text) != value->text.len) {
            abort();
        }
    }
    (void)tg_card_found_in(root);
    free(block);
    return 0;
}
