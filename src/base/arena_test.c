/*
 * arena_test.c - pieces are aligned, zeroed and bounded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static void test_pieces(void **state)
{
    (void)state;
    uint8_t block[256];
    memset(block, 0xff, sizeof(block));
    struct tg_arena arena = tg_arena(block + 1, sizeof(block) - 1);
    uint8_t *first = tg_arena_take(&arena, 3);
    uint8_t *second = tg_arena_take(&arena, 16);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_int_equal((uintptr_t)second % 16, 0);
    assert_true(second >= first + 3);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(second[i], 0);
    }
    assert_null(tg_arena_take(&arena, sizeof(block)));
    assert_null(tg_arena_take(&arena, SIZE_MAX));
    assert_non_null(tg_arena_take(&arena, 1)); /* a failed take costs nothing */
    tg_arena_reset(&arena);
    assert_ptr_equal(tg_arena_take(&arena, 1), first);
}

static void test_arrays_and_copies(void **state)
{
    (void)state;
    uint8_t block[64];
    struct tg_arena arena = tg_arena(block, sizeof(block));
    assert_null(tg_arena_take_array(&arena, SIZE_MAX / 2, 3));
    struct tg_span copy = tg_arena_copy(&arena, TG_SPAN("abc"));
    assert_true(tg_span_equal(copy, TG_SPAN("abc")));
    assert_null(tg_arena_copy(&arena, tg_span(block, 64)).ptr);
    assert_int_equal(tg_arena_copy(&arena, (struct tg_span){NULL, 0}).len, 0);
    assert_non_null(tg_arena_take_array(&arena, 2, 8));
    struct tg_arena none = tg_arena(NULL, 0);
    assert_null(tg_arena_take(&none, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_arrays_and_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
