/* index_test.c - the table against a plain array, through growth, removal and sweeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "store/index.h"

#define PAIRS 200000u

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool holds(const struct tg_index *index, uint64_t tag, uint64_t sequence)
{
    struct tg_index_find find = tg_index_find(index, tag);
    for (uint64_t found = tg_index_next(index, &find); found != 0; found = tg_index_next(index, &find))
        if (found == sequence)
            return true;
    return false;
}

static void test_put_find_remove(void **state)
{
    (void)state;
    struct tg_index index;
    assert_int_equal(tg_index_init(&index, 0), TG_OK);
    for (uint64_t i = 1; i <= PAIRS; i++)
        assert_int_equal(tg_index_put(&index, mix(i), i), TG_OK);
    assert_int_equal(index.count, PAIRS);
    assert_true(tg_index_bytes(&index) < (size_t)PAIRS * 26 + 2300000);
    for (uint64_t i = 1; i <= PAIRS; i++)
        assert_true(holds(&index, mix(i), i));
    for (uint64_t i = 1; i <= PAIRS; i += 3)
        assert_true(tg_index_remove(&index, mix(i), i));
    assert_false(tg_index_remove(&index, mix(1), 1));
    for (uint64_t i = 1; i <= PAIRS; i++)
        assert_int_equal(holds(&index, mix(i), i), i % 3 != 1);
    tg_index_free(&index);
}

static void test_one_tag_many_sequences(void **state)
{
    (void)state;
    struct tg_index index;
    assert_int_equal(tg_index_init(&index, 0), TG_OK);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(tg_index_put(&index, 0xffffffffffffffffu, i), TG_OK); /* home is the last slot: wraps */
    for (uint64_t i = 2; i <= 100; i += 2)
        assert_true(tg_index_remove(&index, 0xffffffffffffffffu, i));
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(holds(&index, 0xffffffffffffffffu, i), i % 2);
    assert_int_equal(tg_index_put(&index, 1, 0), TG_ERR_BUG);
    tg_index_free(&index);
}

static void test_sweep(void **state)
{
    (void)state;
    struct tg_index index;
    assert_int_equal(tg_index_init(&index, PAIRS), TG_OK);
    for (uint64_t i = 1; i <= PAIRS; i++)
        assert_int_equal(tg_index_put(&index, mix(i), i), TG_OK);
    uint64_t removed = 0;
    size_t before = tg_index_bytes(&index);
    for (uint32_t shard = 0; shard < TG_INDEX_SHARDS; shard++)
        removed += tg_index_sweep(&index, shard, 1, PAIRS - 1000);
    assert_int_equal(removed, PAIRS - 1000);
    assert_int_equal(index.count, 1000);
    for (uint64_t i = 1; i <= PAIRS; i++)
        assert_int_equal(holds(&index, mix(i), i), i > PAIRS - 1000);
    assert_true(tg_index_bytes(&index) <= before);
    tg_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_find_remove),
        cmocka_unit_test(test_one_tag_many_sequences),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
