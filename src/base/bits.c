/*
 * bits.c - regrouping bits.
 *
 * Promises: as bits.h. At most width + 7 bits are held at a time.
 * Does not: know alphabets.
 */
#include "base/bits.h"

#include "base/banned.h"

void tg_bits_write(struct tg_buf *out, struct tg_span bytes, const char *alphabet, unsigned width)
{
    uint32_t held = 0;
    unsigned count = 0;
    uint32_t mask = (1u << width) - 1;
    for (size_t i = 0; i < bytes.len; i++) {
        held = (held << 8) | bytes.ptr[i];
        count += 8;
        while (count >= width) {
            count -= width;
            tg_buf_put_u8(out, (uint8_t)alphabet[(held >> count) & mask]);
        }
        held &= (1u << count) - 1;
    }
    if (count > 0) {
        tg_buf_put_u8(out, (uint8_t)alphabet[(held << (width - count)) & mask]);
    }
}

enum tg_err tg_bits_read(struct tg_span text, struct tg_buf *out, int (*digit)(uint8_t byte), unsigned width)
{
    uint32_t held = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = digit(text.ptr[i]);
        if (value < 0) {
            return TG_ERR_INPUT;
        }
        held = (held << width) | (uint32_t)value;
        count += width;
        if (count >= 8) {
            count -= 8;
            tg_buf_put_u8(out, (uint8_t)(held >> count));
            held &= (1u << count) - 1;
        }
    }
    /* A whole character left over, or bits set in the padding: no writer made this text. */
    if (count >= width || held != 0) {
        return TG_ERR_INPUT;
    }
    return tg_buf_done(out);
}
