/* postgres_events_test.c - events of two keepers come in one order, from any number on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres.h"
#include "store/testkit.h"

struct seen {
    uint64_t last;
    size_t count;
};

static bool see(void *user, uint64_t sequence, struct tg_span json)
{
    struct seen *seen = user;
    assert_true(json.len > 0);
    assert_int_equal(sequence, seen->last + 1);
    seen->last = sequence;
    seen->count++;
    return true;
}

static void test_one_order(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    for (uint64_t i = 0; i < 60; i++) {
        struct tg_work work = kit_admit(kit, i, i, i);
        kit_commit_to(kit, i % 2 == 0 ? kit->store : other, &work);
    }
    assert_int_equal(tg_store_last_event(kit->store), 60);
    assert_int_equal(tg_store_last_event(other), 60);
    struct seen seen = {0, 0};
    assert_int_equal(tg_store_events(kit->store, 0, 1000, see, &seen), TG_OK);
    assert_int_equal(seen.count, 60);
    seen = (struct seen){49, 0};
    assert_int_equal(tg_store_events(other, 50, 5, see, &seen), TG_OK);
    assert_int_equal(seen.count, 5);
    tg_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_order, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
