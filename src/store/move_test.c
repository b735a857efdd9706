/* move_test.c - a folder with everything in it, copied to a server: the same to every question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/move.h"
#include "store/testkit.h"

static void ignore(void *user, const char *what, uint64_t count)
{
    (void)user;
    (void)what;
    (void)count;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void fill(struct kit *kit)
{
    struct tg_act act = {.kind = TG_ACT_PARTNER_ADD, .at_us = kit->now_us, .what = TG_SPAN("partner.add shop"),
                         .after = TG_SPAN("{\"name\":\"shop\"}"), .partner = {.name = "shop"}};
    for (uint64_t i = 0; i < 60; i++) {
        (void)kit_pair(kit, i, i, "an answer that is kept");
        assert_int_equal(kit_ask(kit, 1000 + i, i, 77), TG_CLAIM_MISMATCH);
        kit_rotate(kit, kit->now_us + KIT_SECOND);
        if (i % 20 == 0)
            (void)snprintf(act.partner.name, sizeof(act.partner.name), "shop%d", (int)i);
        if (i % 20 == 0)
            assert_int_equal(tg_store_act(kit->store, &act), TG_OK);
    }
    struct tg_work work = kit_admit(kit, 500, 500, 500);
    work.admit.has_quota = true;
    work.admit.quota_day = KIT_QUOTA_DAY;
    work.admit.quota_day_minor = 1000;
    kit_commit(kit, &work);
    work = kit_settle(kit, 500, work.admit.ticket, TG_OUTCOME_UNKNOWN, 504);
    kit_commit(kit, &work);
    assert_int_equal(kit_ask(kit, 501, 501, 501), TG_CLAIM_TAKEN); /* in flight, and lost by the move */
}

static void compare(struct tg_store *from, struct tg_store *to, int64_t now_us)
{
    struct tg_move_sum here, there;
    assert_int_equal(tg_move_sum_folder(from, now_us, &here), TG_OK);
    assert_int_equal(tg_move_sum_server(to, now_us, &there), TG_OK);
    assert_int_equal(here.events, there.events);
    assert_int_equal(here.claims, 62);
    assert_int_equal(here.claims, there.claims);
    assert_memory_equal(here.event_digest, there.event_digest, TG_DIGEST_BYTES);
    assert_memory_equal(here.claim_digest, there.claim_digest, TG_DIGEST_BYTES);
}

static void test_copy(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store_options server = kit->options;
    struct tg_store *to = kit->store;
    char path[] = "/tmp/tollgate-store-XXXXXX";
    assert_non_null(mkdtemp(path));
    kit->options = (struct tg_store_options){.path = path, .segment_rows_max = 50};
    assert_int_equal(tg_store_open(&kit->options, kit->now_us, &kit->store), TG_OK);
    fill(kit);
    const uint8_t sealer[TG_STORE_SEALER_BYTES] = {1}, other[TG_STORE_SEALER_BYTES] = {2};
    assert_int_equal(tg_store_sealer(kit->store, sealer), TG_OK);
    kit_reopen(kit);
    struct tg_store *from = kit->store;
    assert_int_equal(tg_move_copy(from, to, kit->now_us, ignore, NULL), TG_OK);
    compare(from, to, kit->now_us);
    assert_int_equal(tg_move_copy(from, to, kit->now_us, ignore, NULL), TG_ERR_DENIED); /* not empty */
    tg_store_close(from);
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    kit->options = server;
    kit->store = to;
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 2000, 7, 7), TG_CLAIM_REPLAY);
    assert_int_equal(kit_ask(kit, 2001, 500, 500), TG_CLAIM_UNKNOWN);
    assert_int_equal(kit_ask(kit, 2002, 501, 501), TG_CLAIM_UNKNOWN);
    assert_int_equal(tg_store_sealer(kit->store, other), TG_ERR_DENIED);
    assert_int_equal(tg_store_sealer(kit->store, sealer), TG_OK);
    int64_t reserved = 0, committed = 0;
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 100);
    struct tg_work end = kit_resolve(kit, 500, false);
    kit_commit(kit, &end);
    assert_int_equal(end.resolve.result, TG_OK);
    assert_int_equal(kit_ask(kit, 2003, 9000, 1), TG_CLAIM_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copy, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
