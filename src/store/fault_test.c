/* fault_test.c - kill -9 in the middle, a sync that fails, a disk that is full: what was acknowledged is there, no half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/testkit.h"

/* ---- a VFS that is the default one until it is told to fail ---- */

static struct {
    int sync_in, write_in; /* fail at the n-th call from now; 0: never */
    unsigned syncs;        /* made so far, of every file */
} fault;

struct fault_file {
    sqlite3_file base;
    sqlite3_io_methods methods;
    sqlite3_file *real;
};

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct fault_file *)(void *)file)->real;
}

static int fault_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    if (fault.write_in > 0 && --fault.write_in == 0) {
        fault.write_in = 1; /* full from now on */
        return SQLITE_FULL;
    }
    return real(file)->pMethods->xWrite(real(file), bytes, len, at);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    fault.syncs++;
    if (fault.sync_in > 0 && --fault.sync_in == 0)
        return SQLITE_IOERR_FSYNC;
    return real(file)->pMethods->xSync(real(file), flags);
}

#define PASS(name, arguments, ...)                                                                                     \
    static int fault_##name arguments                                                                                  \
    {                                                                                                                  \
        return real(file)->pMethods->x##name(__VA_ARGS__);                                                             \
    }
PASS(Read, (sqlite3_file * file, void *bytes, int len, sqlite3_int64 at), real(file), bytes, len, at)
PASS(Truncate, (sqlite3_file * file, sqlite3_int64 size), real(file), size)
PASS(FileSize, (sqlite3_file * file, sqlite3_int64 *size), real(file), size)
PASS(Lock, (sqlite3_file * file, int lock), real(file), lock)
PASS(Unlock, (sqlite3_file * file, int lock), real(file), lock)
PASS(CheckReservedLock, (sqlite3_file * file, int *ret), real(file), ret)
PASS(FileControl, (sqlite3_file * file, int op, void *arg), real(file), op, arg)
PASS(SectorSize, (sqlite3_file * file), real(file))
PASS(DeviceCharacteristics, (sqlite3_file * file), real(file))
PASS(ShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **ret), real(file), page, size, extend,
     ret)
PASS(ShmLock, (sqlite3_file * file, int offset, int n, int flags), real(file), offset, n, flags)
PASS(ShmUnmap, (sqlite3_file * file, int remove_it), real(file), remove_it)

static void fault_ShmBarrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int fault_close(sqlite3_file *file)
{
    struct fault_file *mine = (struct fault_file *)(void *)file;
    int rc = mine->real->pMethods->xClose(mine->real);
    free(mine->real);
    return rc;
}

static sqlite3_vfs *under;

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    struct fault_file *mine = (struct fault_file *)(void *)file;
    memset(mine, 0, sizeof(*mine));
    mine->real = calloc(1, (size_t)under->szOsFile);
    int rc = under->xOpen(under, name, mine->real, flags, ret_flags);
    if (rc != SQLITE_OK) {
        free(mine->real);
        return rc;
    }
    mine->methods = (sqlite3_io_methods){2, fault_close, fault_Read, fault_write, fault_Truncate, fault_sync,
                                         fault_FileSize, fault_Lock, fault_Unlock, fault_CheckReservedLock,
                                         fault_FileControl, fault_SectorSize, fault_DeviceCharacteristics,
                                         fault_ShmMap, fault_ShmLock, fault_ShmBarrier, fault_ShmUnmap, NULL, NULL};
    mine->base.pMethods = &mine->methods;
    return SQLITE_OK;
}

static void use_fault_vfs(void)
{
    static sqlite3_vfs mine;
    under = sqlite3_vfs_find(NULL);
    mine = *under;
    mine.zName = "fault";
    mine.szOsFile = (int)sizeof(struct fault_file);
    mine.xOpen = fault_open;
    assert_int_equal(sqlite3_vfs_register(&mine, 1), SQLITE_OK);
}

/* ---- what must hold ---- */

/* A batch of eight admits and settlements of the batch before, so that a half would be seen. */
static void make_batch(const struct kit *kit, uint64_t round, struct tg_work works[16], struct tg_work *pointers[16])
{
    for (uint64_t i = 0; i < 8; i++) {
        works[i] = kit_admit(kit, round * 8 + i, round * 8 + i, 1);
        works[i].admit.has_quota = true;
        works[i].admit.quota_day_minor = INT64_MAX;
        works[8 + i] = kit_settle(kit, (round - 1) * 8 + i, 0, TG_OUTCOME_FINAL, 200);
    }
    for (uint64_t i = 0; i < 16; i++)
        pointers[i] = &works[i];
}

/* Rounds 1..n are whole: n claims in flight (unknown now), the rest answered; n + 1 and later are not there at all. */
static uint64_t whole_rounds(struct kit *kit)
{
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
    struct tg_store_counts counts;
    tg_store_count(kit->store, &counts);
    assert_int_equal(counts.claims_live % 8, 0);
    uint64_t rounds = counts.claims_live / 8;
    assert_int_equal(counts.claims_unknown, rounds == 0 ? 0 : 8);
    assert_int_equal(tg_store_last_event(kit->store), rounds == 0 ? 0 : rounds * 16 - 8);
    struct tg_quota_key key = {7, 0, TG_ENVIRONMENT_TEST, {'E', 'U', 'R'}};
    const struct tg_quota_counter *counter = tg_quota_counter(&kit->store->quota, &key);
    assert_non_null(counter);
    assert_int_equal(counter->reserved, rounds == 0 ? 0 : 800);
    assert_int_equal(counter->committed, rounds == 0 ? 0 : (int64_t)(rounds - 1) * 800);
    for (uint64_t i = 8; i < rounds * 8; i += 3)
        assert_int_equal(kit_ask(kit, 1000000 + i, i, 1), TG_CLAIM_REPLAY);
    return rounds;
}

static enum tg_err commit_round(struct kit *kit, uint64_t round)
{
    struct tg_work works[16], *pointers[16];
    make_batch(kit, round, works, pointers);
    tg_arena_reset(&kit->arena);
    return tg_store_commit(kit->store, kit->now_us, pointers, 16, &kit->arena);
}

static void *checkpoint_for_ever(void *store)
{
    for (;;)
        if (!tg_store_checkpoint(store))
            (void)usleep(200);
    return NULL;
}

static void be_killed(struct kit *kit, int pipe_fd)
{
    pthread_t thread;
    if (tg_store_open(&kit->options, kit->now_us, &kit->store) != TG_OK ||
        pthread_create(&thread, NULL, checkpoint_for_ever, kit->store) != 0)
        _exit(1);
    for (uint64_t round = 1;; round++) {
        uint32_t fresh = 0, destroy[1];
        size_t count = 0;
        if (commit_round(kit, round) != TG_OK || write(pipe_fd, &round, sizeof(round)) != sizeof(round) ||
            tg_store_rotate(kit->store, kit->now_us, &fresh, destroy, 1, &count) != TG_OK)
            _exit(1);
    }
}

static void test_killed(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 12; turn++) {
        void *own = NULL;
        assert_int_equal(kit_setup(&own), 0);
        struct kit *kit = own;
        tg_store_close(kit->store);
        kit->store = NULL;
        kit->options.segment_rows_max = 160;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            be_killed(kit, ends[1]);
        (void)close(ends[1]);
        /* Counted from the first round: how long a store takes to be made is the disk's to say. */
        uint64_t told = 0, round = 0;
        assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
        (void)usleep(turn * 7919);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &round, sizeof(round)) == sizeof(round))
            told = round;
        (void)close(ends[0]);
        assert_true(told > 0);
        uint64_t rounds = whole_rounds(kit);
        assert_true(rounds == told || rounds == told + 1); /* durable, and killed before it could say so */
        assert_int_equal(kit_teardown(&own), 0);
    }
}

static void fail_at(struct kit *kit, int sync_in, int write_in)
{
    tg_store_close(kit->store);
    kit->store = NULL;
    uint64_t rounds = whole_rounds(kit);
    /* The asks of whole_rounds left rows behind; start from a store of rounds only. */
    tg_store_close(kit->store);
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
    assert_int_equal(rounds, 0);
    for (uint64_t round = 1; round <= 5; round++)
        assert_int_equal(commit_round(kit, round), TG_OK);
    fault.sync_in = sync_in;
    fault.write_in = write_in;
    enum tg_err err = TG_OK;
    for (uint64_t round = 6; err == TG_OK && round < 200; round++) {
        err = commit_round(kit, round);
        rounds = round - (err != TG_OK);
    }
    assert_int_equal(err, TG_ERR_DOWN);
    fault.sync_in = 0; /* the disk is well again, the store must not be */
    fault.write_in = 0;
    assert_int_equal(commit_round(kit, 300), TG_ERR_DOWN);
    tg_store_close(kit->store);
    kit->store = NULL;
    uint64_t found = whole_rounds(kit);
    assert_true(found == rounds || found == rounds + 1); /* after a failed sync the last batch may be there, whole */
}

static void test_failed_sync(void **state)
{
    for (int at = 1; at <= 3; at++) {
        fail_at(*state, at, 0);
        assert_int_equal(kit_teardown(state), 0);
        assert_int_equal(kit_setup(state), 0);
    }
}

static void test_full_disk(void **state)
{
    for (int at = 1; at <= 40; at += 3) {
        fail_at(*state, 0, at);
        assert_int_equal(kit_teardown(state), 0);
        assert_int_equal(kit_setup(state), 0);
    }
}

/* A batch is one transaction is one sync, whatever the batch holds. */
static void test_one_sync_a_batch(void **state)
{
    struct kit *kit = *state;
    for (uint64_t round = 1; round <= 100; round++) {
        unsigned before = fault.syncs;
        assert_int_equal(commit_round(kit, round), TG_OK);
        assert_int_equal(fault.syncs - before, 1);
    }
}

static void test_failed_checkpoint(void **state)
{
    struct kit *kit = *state;
    uint64_t round = 1;
    while (atomic_load(&kit->store->checkpointer.frames) < 500)
        assert_int_equal(commit_round(kit, round++), TG_OK);
    fault.sync_in = 1;
    assert_true(tg_store_checkpoint(kit->store));
    fault.sync_in = 0;
    assert_int_equal(commit_round(kit, round), TG_ERR_DOWN);
    tg_store_close(kit->store);
    kit->store = NULL;
    assert_int_equal(whole_rounds(kit), round - 1);
}

int main(void)
{
    use_fault_vfs();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test_setup_teardown(test_failed_sync, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_one_sync_a_batch, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_failed_checkpoint, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
