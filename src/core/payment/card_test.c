/*
 * card_test.c - card numbers however they are written, and numbers that are none.
 *
 * The numbers are made here from a beginning and its check digit, so that no whole one stands in the tree.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/json/json.h"
#include "core/payment/card.h"

static char text[128];

/* begin, filled with zeroes to len - 1 digits, and the check digit. */
static const char *card(const char *begin, size_t len)
{
    memset(text, '0', len);
    memcpy(text, begin, strlen(begin));
    text[len] = '\0';
    for (char digit = '0'; digit <= '9'; digit++) {
        text[len - 1] = digit;
        if (tg_luhn_ok(tg_span(text, len))) {
            return text;
        }
    }
    fail();
    return text;
}

static bool found(const char *bytes)
{
    return tg_card_found(tg_span_string(bytes));
}

static void luhn(void **state)
{
    (void)state;
    assert_true(tg_luhn_ok(TG_SPAN("79927398713"))); /* the textbook example: 11 digits */
    assert_false(tg_luhn_ok(TG_SPAN("79927398710")));
    assert_true(tg_luhn_ok(TG_SPAN("0")));
    assert_false(tg_luhn_ok(TG_SPAN("")));
    assert_false(tg_luhn_ok(TG_SPAN("7992739871a")));
}

static void every_length_and_issuer_is_found(void **state)
{
    (void)state;
    static const char *const begins[] = {"22", "34", "37", "41", "51", "60", "62"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        for (size_t len = TG_CARD_DIGITS_MIN; len <= TG_CARD_DIGITS_MAX; len++) {
            assert_true(found(card(begins[i], len)));
            text[len - 1] = text[len - 1] == '9' ? '0' : (char)(text[len - 1] + 1);
            assert_false(found(text));
        }
    }
}

static void other_lengths_and_beginnings_are_not(void **state)
{
    (void)state;
    static const char *const begins[] = {"0", "1", "7", "8", "9"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        assert_false(found(card(begins[i], 16)));
    }
    assert_false(found(card("41", 12)));
    assert_false(found(card("41", 20)));
    assert_false(found(""));
    assert_false(found("1736899200000 and 2025-01-15T00:00:00Z"));
}

/* The 16 digits with a separator after every fourth. */
static void grouped(char separator, char *out)
{
    const char *digits = card("4242", 16);
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i > 0 && i % 4 == 0) {
            out[at++] = separator;
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

static void groups_with_one_separator(void **state)
{
    (void)state;
    char out[64];
    grouped(' ', out);
    assert_true(found(out));
    grouped('-', out);
    assert_true(found(out));
    grouped('.', out);
    assert_false(found(out));
    grouped('/', out);
    assert_false(found(out));
}

static void neighbours_hide_nothing(void **state)
{
    (void)state;
    static const char *const heads[] = {"",   "x", "card:", "2024-01-02 ", "7 ", "12-", "00000000000000000000 ",
                                        "4 ", "+"};
    static const char *const tails[] = {"", "x", " 12-29", "-1", " 2024", ".00", "e0", "/", " 00000000000000000000"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        for (size_t j = 0; j < sizeof tails / sizeof tails[0]; j++) {
            char memory[128];
            struct tg_buf out = tg_buf(memory, sizeof memory);
            tg_buf_put_string(&out, heads[i]);
            tg_buf_put_string(&out, card("5555", 16));
            tg_buf_put_string(&out, tails[j]);
            assert_true(tg_card_found(tg_buf_span(&out)));
        }
    }
}

static void trees_are_searched_whole(void **state)
{
    (void)state;
    static const struct {
        const char *head, *tail;
    } places[] = {{"{\"a\":\"", "\"}"},
                  {"{\"a\":", "}"},
                  {"{\"", "\":1}"},
                  {"[[[\"", "\"]]]"},
                  {"{\"a\":[1,{\"b\":\"", "\"}]}"},
                  {"\"", "\""},
                  {"{\"a\":\"\\u0034", "\"}"},
                  {"{\"a\":", ".0}"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char memory[128];
        static uint8_t block[32768];
        const char *digits = card("4242", 16);
        struct tg_buf out = tg_buf(memory, sizeof memory);
        tg_buf_put_string(&out, places[i].head);
        tg_buf_put_string(&out, i == 6 ? digits + 1 : digits);
        tg_buf_put_string(&out, places[i].tail);
        struct tg_arena arena = tg_arena(block, sizeof block);
        const struct tg_value *root = NULL;
        struct tg_json_place place;
        assert_int_equal(tg_json_parse(tg_buf_span(&out), &arena, &root, &place), TG_REASON_OK);
        assert_true(tg_card_found_in(root));
    }
    assert_false(tg_card_found_in(NULL));
}

static void identifiers_are_no_cards(void **state)
{
    (void)state;
    const char *const passed_over[] = {
        "4242424242424242abcdefab",             /* 24 hexadecimal characters with a letter */
        "ab4242424242424242cdef0123456789ab",
        "42424242-4242-4242-a242-4242424242ab", /* UUID */
        "id=42424242-4242-4242-8242-424242424242.",
    };
    const char *const found[] = {
        "card4242424242424242",           /* glued to a word that is not hexadecimal */
        "ab4242424242424242cd",           /* too short for an identifier */
        "x-4242-4242-4242-4242",          /* groups that are no UUID */
        "4242424242424242abcdefab 4242424242424242",
    };
    for (size_t i = 0; i < sizeof passed_over / sizeof passed_over[0]; i++) {
        assert_false(tg_card_found(tg_span_string(passed_over[i])));
    }
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
        assert_true(tg_card_found(tg_span_string(found[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(luhn),
        cmocka_unit_test(every_length_and_issuer_is_found),
        cmocka_unit_test(other_lengths_and_beginnings_are_not),
        cmocka_unit_test(groups_with_one_separator),
        cmocka_unit_test(neighbours_hide_nothing),
        cmocka_unit_test(trees_are_searched_whole),
        cmocka_unit_test(identifiers_are_no_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
