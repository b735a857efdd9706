/*
 * message_fuzz.c - the first byte picks a message, the rest is its body.
 *
 * Promises to find: reads outside the body, a body that is taken and written back as other bytes (a message has one
 * form), a size bound below what the writer writes, a struct that is half filled after a refusal.
 */
#include <string.h>

#include "wire/message.h"

#include "fuzz.h"

#define SLOT 7
#define TURN 9

static uint8_t room[TG_FRAME_HEADER_BYTES + TG_FRAME_BODY_BYTES_MAX];

static void check(const struct tg_buf *out, struct tg_span body, size_t bound)
{
    tg_fuzz_expect(tg_buf_done(out) == TG_OK && out->len <= bound &&
                   tg_span_equal(tg_span_sub(tg_buf_span(out), TG_FRAME_HEADER_BYTES, out->len), body));
}

static void refused(const void *message, size_t size)
{
    const uint8_t *bytes = message;
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    tg_fuzz_expect(any == 0);
}

#define TRY(kind, bound, ...)                                                                                          \
    do {                                                                                                               \
        struct tg_##kind message;                                                                                      \
        memset(&message, 0xa5, sizeof(message));                                                                       \
        if (tg_##kind##_read(body, &message) == TG_OK) {                                                               \
            tg_##kind##_write(__VA_ARGS__);                                                                            \
            check(&out, body, bound);                                                                                  \
        } else {                                                                                                       \
            refused(&message, sizeof(message));                                                                        \
        }                                                                                                              \
    } while (false)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span body = tg_span(data, size);
    struct tg_buf out = tg_buf(room, sizeof(room));
    switch (tg_fuzz_u8(&body) % 9) {
    case 0:
        TRY(hello, TG_SMALL_FRAME_BYTES_MAX, &out, TG_FRAME_HELLO, &message);
        break;
    case 1:
        TRY(auth, TG_SMALL_FRAME_BYTES_MAX, &out, SLOT, TURN, &message);
        break;
    case 2:
        TRY(auth_answer, TG_SMALL_FRAME_BYTES_MAX, &out, SLOT, TURN, &message);
        break;
    case 3:
        TRY(admit, TG_SMALL_FRAME_BYTES_MAX, &out, SLOT, TURN, &message);
        break;
    case 4:
        TRY(admit_answer, tg_admit_answer_size(&message), &out, SLOT, TURN, &message);
        break;
    case 5:
        TRY(settle, tg_settle_size(&message), &out, SLOT, TURN, &message);
        break;
    case 6:
        TRY(settle_answer, TG_SMALL_FRAME_BYTES_MAX, &out, SLOT, TURN, &message);
        break;
    case 7:
        TRY(note, TG_SMALL_FRAME_BYTES_MAX, &out, &message);
        break;
    default:
        tg_bytes_write(&out, TG_FRAME_ADMIN, SLOT, TURN, body);
        check(&out, body, TG_FRAME_HEADER_BYTES + body.len);
        break;
    }
    return 0;
}
