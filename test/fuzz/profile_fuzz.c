/*
 * profile_fuzz.c - any bytes as a profile, and a path against it.
 *
 * Promises to find: reads outside the text or the arena, a refusal without a text, an operation that its own template
 * does not fit.
 */
#include <stdlib.h>

#include "core/http/template.h"
#include "core/payment/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_operations(const struct tg_profile *profile)
{
    for (size_t i = 0; i < profile->operation_count; i++) {
        const struct tg_operation *operation = &profile->operations[i];
        bool known = false;
        bool literal = tg_span_find(operation->path, '{') == operation->path.len;
        if (!tg_template_ok(operation->path) ||
            (literal && tg_profile_match(profile, operation->method, operation->path, &known) != operation)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = tg_profile_arena_size(size);
    uint8_t *block = malloc(room);
    struct tg_arena arena = tg_arena(block, room);
    const struct tg_profile *profile = NULL;
    struct tg_profile_error why;
    enum tg_err err = tg_profile_parse(tg_span(data, size), &arena, &profile, &why);
    if (err == TG_OK) {
        check_operations(profile);
    } else if (why.text[0] == '\0' || profile != NULL || err == TG_ERR_ROOM) {
        abort();
    }
    free(block);
    return 0;
}
