/*
 * word_test.c - every byte at every place beside neighbours that could carry into it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/word.h"

static const uint8_t neighbours[] = {0x00, 0x01, 0x1f, 0x20, '0',  '9',  'A', 'Z',
                                     'a',  'z',  0x7e, 0x7f, 0x80, 0xc1, 0xff};

static const struct {
    uint8_t first;
    uint8_t last;
} ranges[] = {{0x00, 0x1f}, {0x00, 0x00}, {'0', '9'}, {'A', 'Z'}, {'"', '"'}, {'\\', '\\'}, {0x7f, 0x7f}, {0x00, 0x7f}};

/* Marks of the word, byte by byte. */
static void expect_range(const uint8_t bytes[TG_WORD_BYTES], uint8_t first, uint8_t last)
{
    uint64_t marks = tg_word_range(tg_word(bytes), first, last);
    uint8_t got[TG_WORD_BYTES];
    size_t count = 0;
    size_t at_first = TG_WORD_BYTES;
    memcpy(got, &marks, sizeof(got));
    for (size_t i = 0; i < TG_WORD_BYTES; i++) {
        bool in = bytes[i] >= first && bytes[i] <= last;
        assert_int_equal(got[i], in ? 0x80 : 0);
        at_first = in && at_first == TG_WORD_BYTES ? i : at_first;
        count += in;
    }
    assert_int_equal(tg_word_count(marks), count);
    if (count > 0) {
        assert_int_equal(tg_word_first(marks), at_first);
    }
}

static void expect_below(const uint8_t bytes[TG_WORD_BYTES], uint8_t limit)
{
    uint64_t marks = tg_word_below(tg_word(bytes), limit);
    uint8_t got[TG_WORD_BYTES];
    memcpy(got, &marks, sizeof(got));
    for (size_t i = 0; i < TG_WORD_BYTES; i++) {
        assert_int_equal(got[i], bytes[i] < limit ? 0x80 : 0);
    }
}

static void expect_is(const uint8_t bytes[TG_WORD_BYTES], uint8_t byte)
{
    uint64_t marks = tg_word_is(tg_word(bytes), byte);
    uint8_t got[TG_WORD_BYTES];
    memcpy(got, &marks, sizeof(got));
    for (size_t i = 0; i < TG_WORD_BYTES; i++) {
        assert_int_equal(got[i], bytes[i] == byte ? 0x80 : 0);
    }
}

static void expect_lower(const uint8_t bytes[TG_WORD_BYTES])
{
    uint64_t word = tg_word_lower(tg_word(bytes));
    uint8_t got[TG_WORD_BYTES];
    memcpy(got, &word, sizeof(got));
    for (size_t i = 0; i < TG_WORD_BYTES; i++) {
        bool upper = bytes[i] >= 'A' && bytes[i] <= 'Z';
        assert_int_equal(got[i], upper ? bytes[i] + ('a' - 'A') : bytes[i]);
    }
}

static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(neighbours); n++) {
        for (size_t place = 0; place < TG_WORD_BYTES; place++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t bytes[TG_WORD_BYTES];
                memset(bytes, neighbours[n], sizeof(bytes));
                bytes[place] = (uint8_t)byte;
                for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
                    expect_range(bytes, ranges[i].first, ranges[i].last);
                    expect_below(bytes, (uint8_t)(ranges[i].last + 1));
                    expect_is(bytes, ranges[i].first);
                }
                expect_lower(bytes);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
