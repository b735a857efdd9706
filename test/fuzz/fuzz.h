/*
 * fuzz.h - what the targets share: a broken promise ends the run, an input is taken apart from its front.
 *
 * Promises: a take past the end gives zero or an empty span. Spans borrow from the fuzzer's own block, which ends
 * where the input ends, so that a read behind it is seen.
 * Does not: keep anything between inputs.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <stdlib.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void tg_fuzz_expect(bool kept)
{
    if (!kept) {
        abort();
    }
}

static inline uint8_t tg_fuzz_u8(struct tg_span *input)
{
    uint8_t byte = input->len > 0 ? input->ptr[0] : 0;
    *input = tg_span_sub(*input, 1, input->len);
    return byte;
}

static inline struct tg_span tg_fuzz_span(struct tg_span *input, size_t len)
{
    struct tg_span taken = tg_span_sub(*input, 0, len);
    *input = tg_span_sub(*input, len, input->len);
    return taken;
}

static inline bool tg_fuzz_in(uint8_t byte, const char *set)
{
    for (; *set != '\0'; set++) {
        if ((uint8_t)*set == byte) {
            return true;
        }
    }
    return false;
}

#endif
