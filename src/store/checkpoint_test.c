/* checkpoint_test.c - the log is copied back, begins anew under a steady writer, and big files are cut in steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/testkit.h"

static atomic_bool stop;

static void *checkpoint_until(void *user)
{
    struct kit *kit = user;
    while (!atomic_load(&stop))
        if (!tg_store_checkpoint(kit->store))
            (void)usleep(100);
    return NULL;
}

static off_t size_of(const struct kit *kit, uint32_t number, const char *suffix)
{
    char path[TG_STORE_PATH_BYTES_MAX];
    struct stat stat_;
    assert_int_equal(tg_segment_path(kit->path, number, suffix, path), TG_OK);
    return stat(path, &stat_) == 0 ? stat_.st_size : -1;
}

/* The writer never pauses, and still the log stops growing. */
static void test_log_begins_anew(void **state)
{
    struct kit *kit = *state;
    pthread_t thread;
    static uint8_t answer[60000];
    assert_int_equal(pthread_create(&thread, NULL, checkpoint_until, kit), 0);
    int restarts = 0, before = 0;
    for (uint64_t i = 1; i <= 6000 && restarts < 3; i++) {
        struct tg_work pair[2] = {kit_admit(kit, i, i, 1), kit_settle(kit, i, 0, TG_OUTCOME_FINAL, 200)};
        struct tg_work *works[2] = {&pair[0], &pair[1]};
        pair[1].settle.sealed = tg_span(answer, sizeof(answer));
        assert_int_equal(tg_store_commit(kit->store, kit->now_us, works, 2, &kit->arena), TG_OK);
        int frames = atomic_load(&kit->store->checkpointer.frames);
        restarts += frames < before;
        before = frames;
    }
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
    assert_true(restarts > 0);
    assert_true(size_of(kit, 1, "sqlite-wal") < 100 << 20);
    assert_int_equal(kit_ask(kit, 90001, 1, 1), TG_CLAIM_REPLAY);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 90001, 1, 1), TG_CLAIM_REPLAY);
}

static void test_cut_in_steps(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    kit_reopen(kit);
    char path[TG_STORE_PATH_BYTES_MAX];
    assert_int_equal(tg_segment_path(kit->path, 1, "sqlite", path), TG_OK);
    while (tg_store_checkpoint(kit->store))
        continue;
    for (unsigned i = 0; i < 4 && tg_state_info(kit->store, 1)->leaving == TG_LEAVING_NO; i++)
        kit_rotate(kit, kit->now_us + 31 * KIT_DAY);
    assert_int_equal(tg_state_info(kit->store, 1)->leaving, TG_LEAVING_BEGUN);
    assert_int_equal(truncate(path, 30 << 20), 0);
    unsigned steps = 0;
    while (size_of(kit, 1, "sqlite") > 0 && steps < 100) {
        (void)tg_store_checkpoint(kit->store);
        steps++;
    }
    assert_int_equal(steps, 5); /* four, and before them the key file of the segment that was sealed meanwhile */
    assert_int_equal(size_of(kit, 1, "sqlite"), -1);
    assert_int_equal(size_of(kit, 1, "keys"), -1);
    kit_rotate(kit, kit->now_us);
    assert_int_equal(tg_state_info(kit->store, 1)->leaving, TG_LEAVING_GONE);
}

/* A stop in the middle of a removal: the next start goes on with it. */
static void test_removal_goes_on(void **state)
{
    struct kit *kit = *state;
    kit_fill(kit);
    for (unsigned i = 0; i < 4 && tg_state_info(kit->store, 1)->leaving == TG_LEAVING_NO; i++)
        kit_rotate(kit, kit->now_us + 31 * KIT_DAY);
    kit_reopen(kit);
    assert_true(size_of(kit, 1, "sqlite") > 0);
    while (tg_store_checkpoint(kit->store))
        continue;
    assert_int_equal(size_of(kit, 1, "sqlite"), -1);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 9999, 50, 1), TG_CLAIM_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_begins_anew, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_cut_in_steps, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_removal_goes_on, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
