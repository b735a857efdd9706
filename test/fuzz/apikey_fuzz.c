/*
 * apikey_fuzz.c - any bytes as an API key, and as the secret of one that is then damaged.
 *
 * Promises to find: a key that is taken and could not have been written, a written one that is refused, a slip of one
 * character that passes (a CRC-32 sees every error of up to 32 bits in a row).
 */
#include <string.h>

#include "base/base32.h"
#include "base/crc32.h"
#include "core/http/field.h"

#include "naive.h"

/* CRC-32 (ISO 3309), bit by bit. */
static uint32_t naive_crc(const uint8_t *bytes, size_t len)
{
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bool one = ((sum ^ (uint32_t)bytes[i] >> bit) & 1) != 0;
            sum = sum >> 1 ^ (one ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~sum;
}

static void check_taken(struct tg_span text)
{
    uint8_t secret[32];
    char again[TG_API_KEY_CHARS];
    struct tg_buf out = tg_buf(secret, sizeof(secret));
    if (!tg_api_key_shape_ok(text)) {
        return;
    }
    tg_fuzz_expect(text.len == TG_API_KEY_CHARS && tg_base32_read(tg_span_sub(text, 9, 52), &out) == TG_OK);
    tg_api_key_write(secret, tg_span_starts(text, TG_SPAN("tgk_live_")), again);
    tg_fuzz_expect(tg_span_equal(tg_span(again, sizeof(again)), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_span input = tg_span(data, size);
    uint8_t secret[32] = {0};
    char key[TG_API_KEY_CHARS];
    check_taken(input);
    tg_fuzz_expect(tg_crc32(input) == naive_crc(data, size));
    uint8_t place = tg_fuzz_u8(&input) % TG_API_KEY_CHARS;
    uint8_t other = tg_fuzz_u8(&input);
    struct tg_span random = tg_fuzz_span(&input, sizeof(secret));
    if (random.len > 0) {
        memcpy(secret, random.ptr, random.len);
    }
    tg_api_key_write(secret, other % 2 == 0, key);
    tg_fuzz_expect(tg_api_key_shape_ok(tg_span(key, sizeof(key))));
    check_taken(tg_span(key, sizeof(key)));
    bool same = (uint8_t)key[place] == other;
    key[place] = (char)other;
    tg_fuzz_expect(tg_api_key_shape_ok(tg_span(key, sizeof(key))) == same);
    return 0;
}
