/* api_key_test.c - the shape of API keys: every single slip is seen. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/http/field.h"

static void written_keys_have_the_shape(void **state)
{
    (void)state;
    uint8_t bytes[32];
    char key[TG_API_KEY_CHARS];
    for (unsigned seed = 0; seed < 50; seed++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(seed * 37 + i * 101);
        }
        tg_api_key_write(bytes, seed % 2 == 0, key);
        assert_memory_equal(key, seed % 2 == 0 ? "tgk_live_" : "tgk_test_", 9);
        assert_true(tg_api_key_shape_ok(tg_span(key, sizeof key)));
    }
}

static void a_changed_character_is_seen(void **state)
{
    (void)state;
    uint8_t bytes[32] = {1, 2, 3};
    char key[TG_API_KEY_CHARS];
    tg_api_key_write(bytes, true, key);
    for (size_t i = 0; i < sizeof key; i++) {
        char kept = key[i];
        for (unsigned byte = 0; byte < 256; byte++) {
            key[i] = (char)byte;
            assert_int_equal(tg_api_key_shape_ok(tg_span(key, sizeof key)), key[i] == kept);
        }
        key[i] = kept;
    }
}

static void other_lengths_and_swaps_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[32] = {9, 8, 7, 6};
    char key[TG_API_KEY_CHARS + 1];
    tg_api_key_write(bytes, false, key);
    key[TG_API_KEY_CHARS] = 'a';
    for (size_t len = 0; len <= sizeof key; len++) {
        assert_int_equal(tg_api_key_shape_ok(tg_span(key, len)), len == TG_API_KEY_CHARS);
    }
    memcpy(key, "tgk_live_", 9); /* the checksum covers the prefix */
    assert_false(tg_api_key_shape_ok(tg_span(key, TG_API_KEY_CHARS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_keys_have_the_shape),
        cmocka_unit_test(a_changed_character_is_seen),
        cmocka_unit_test(other_lengths_and_swaps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
