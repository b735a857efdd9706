/*
 * api_key.c - the shape of API keys: "tgk_live_", 52 base 32 of 256 random bits, 7 base 32 of CRC-32.
 *
 * Promises: a key has one text; the checksum covers the prefix too, so that a
 * mistyped or cut key is refused without asking the keeper, and a leaked one
 * is found by scanners that know the prefix.
 * Does not: say whether a key is known. The checksum protects against slips, not against anybody.
 */
#include "base/base32.h"
#include "base/crc32.h"
#include "core/http/field.h"

#include "base/banned.h"

#define MARK_CHARS 9 /* "tgk_test_" */
#define RANDOM_BYTES 32
#define RANDOM_CHARS 52
#define SUM_BYTES 4
#define SUM_CHARS 7

_Static_assert(MARK_CHARS + RANDOM_CHARS + SUM_CHARS == TG_API_KEY_CHARS, "the layout that limits.h names");

static void sum_write(struct tg_buf *out, struct tg_span body)
{
    uint8_t sum[SUM_BYTES];
    struct tg_buf sum_buf = tg_buf(sum, sizeof sum);
    tg_buf_put_u32(&sum_buf, tg_crc32(body));
    tg_base32_write(out, tg_buf_span(&sum_buf));
}

bool tg_api_key_shape_ok(struct tg_span key)
{
    if (key.len != TG_API_KEY_CHARS ||
        (!tg_span_starts(key, TG_SPAN("tgk_test_")) && !tg_span_starts(key, TG_SPAN("tgk_live_")))) {
        return false;
    }
    uint8_t secret[RANDOM_BYTES];
    struct tg_buf secret_buf = tg_buf(secret, sizeof secret);
    bool ok = tg_base32_read(tg_span_sub(key, MARK_CHARS, RANDOM_CHARS), &secret_buf) == TG_OK;
    /* The decoded key must not stay on the stack; the barrier keeps the compiler from dropping the stores. */
    for (size_t i = 0; i < sizeof secret; i++) {
        *(volatile uint8_t *)&secret[i] = 0;
    }
    uint8_t sum[SUM_CHARS];
    struct tg_buf sum_buf = tg_buf(sum, sizeof sum);
    sum_write(&sum_buf, tg_span_sub(key, 0, MARK_CHARS + RANDOM_CHARS));
    return ok && tg_span_equal(tg_buf_span(&sum_buf), tg_span_sub(key, MARK_CHARS + RANDOM_CHARS, SUM_CHARS));
}

void tg_api_key_write(const uint8_t secret[32], bool live, char ret[TG_API_KEY_CHARS])
{
    struct tg_buf out = tg_buf(ret, TG_API_KEY_CHARS);
    tg_buf_put_string(&out, live ? "tgk_live_" : "tgk_test_");
    tg_base32_write(&out, tg_span(secret, RANDOM_BYTES));
    sum_write(&out, tg_buf_span(&out));
}
