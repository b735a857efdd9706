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
#include "store/postgres.h"
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

/* One of each kind that operators set up. */
static void fill_setup(struct kit *kit)
{
    struct tg_act acts[] = {
        {.kind = TG_ACT_CREDENTIAL_ADD,
         .credential = {.partner = 1, .environment = 1, .hash = {1}, .prefix = "tgk_test_abc", .operations = "*",
                        .created_us = 5, .expires_us = 6}},
        {.kind = TG_ACT_LIMIT_SET,
         .limit = {.partner = 1, .environment = 1, .currency = "EUR", .payment_minor_max = 100, .day_minor_max = 1000}},
        {.kind = TG_ACT_CERTIFICATE_ADD, .certificate = {.partner = 1, .sha256 = {2}, .not_after_us = 7}},
        {.kind = TG_ACT_ROUTE_SET, .route = {.route = "main", .sealed = TG_SPAN("sealed credential")}},
    };
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        acts[i].at_us = kit->now_us;
        acts[i].what = TG_SPAN("a test");
        assert_int_equal(tg_store_act(kit->store, &acts[i]), TG_OK);
    }
}

static void compare(const struct tg_move_sum *here, struct tg_store *to, int64_t now_us)
{
    struct tg_move_sum there;
    assert_int_equal(tg_move_sum_server(to, now_us, &there, ignore, NULL), TG_OK);
    assert_int_equal(here->counts[TG_MOVE_CLAIMS], 62);
    for (int i = 0; i < TG_MOVE_KINDS; i++) {
        print_message("# %s: %d\n", tg_move_kind_name((enum tg_move_kind)i), (int)here->counts[i]);
        assert_true(here->counts[i] > 0); /* else nothing was compared */
        assert_true(tg_move_sum_equal(here, &there, (enum tg_move_kind)i));
    }
}

/* One row on the server is another than in the folder, or is gone: that kind differs, and no other. */
static void spoil(const struct kit *kit, const struct tg_move_sum *here, struct tg_store *to, enum tg_move_kind kind,
                  const char *sql)
{
    struct tg_move_sum there;
    PGconn *conn = tg_postgres_of(to)->link.conn;
    print_message("# %s\n", sql);
    assert_int_equal(PQexitPipelineMode(conn), 1);
    PQclear(PQexec(conn, "BEGIN"));
    PGresult *result = PQexec(conn, sql);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    assert_string_not_equal(PQcmdTuples(result), "0");
    PQclear(result);
    assert_int_equal(PQenterPipelineMode(conn), 1);
    enum tg_err err = tg_move_sum_server(to, kit->now_us, &there, ignore, NULL);
    assert_int_equal(PQexitPipelineMode(conn), 1);
    PQclear(PQexec(conn, "ROLLBACK")); /* before anything is asserted: the schema is dropped at the end */
    assert_int_equal(PQenterPipelineMode(conn), 1);
    assert_int_equal(err, TG_OK);
    for (int i = 0; i < TG_MOVE_KINDS; i++)
        assert_int_equal(tg_move_sum_equal(here, &there, (enum tg_move_kind)i), i != (int)kind);
}

static void spoil_all(const struct kit *kit, const struct tg_move_sum *here, struct tg_store *to)
{
    static const struct {
        enum tg_move_kind kind;
        const char *sql;
    } rows[] = {
        {TG_MOVE_EVENTS, "DELETE FROM tollgate_event WHERE first = (SELECT max(first) FROM tollgate_event)"},
        {TG_MOVE_EVENTS, "UPDATE tollgate_state SET next_event = next_event - 1"},
        {TG_MOVE_CLAIMS, "UPDATE tollgate_settlement SET upstream_status = 500 WHERE ticket = (SELECT max(ticket) FROM "
                         "tollgate_settlement)"},
        {TG_MOVE_CLAIMS, "UPDATE tollgate_claim SET claim_key = '00000000-0000-0000-0000-000000000001' WHERE ticket = "
                         "(SELECT max(ticket) FROM tollgate_claim)"},
        {TG_MOVE_CLAIMS, "UPDATE tollgate_claim SET request_id = '00000000-0000-0000-0000-000000000001' WHERE ticket = "
                         "(SELECT max(ticket) FROM tollgate_claim)"},
        {TG_MOVE_CLAIMS, "UPDATE tollgate_settlement SET outcome = 3 WHERE ticket = (SELECT max(ticket) FROM "
                         "tollgate_settlement)"},
        {TG_MOVE_CLAIMS, "DELETE FROM tollgate_settlement WHERE ticket = (SELECT min(ticket) FROM "
                         "tollgate_settlement)"},
        {TG_MOVE_PARTNERS, "UPDATE tollgate_partner SET name = 'another' WHERE id = 1"},
        {TG_MOVE_PARTNERS, "DELETE FROM tollgate_partner WHERE id = 2"},
        {TG_MOVE_CREDENTIALS, "DELETE FROM tollgate_credential"},
        {TG_MOVE_CREDENTIALS, "UPDATE tollgate_credential SET expires_us = 0"},
        {TG_MOVE_CREDENTIALS, "UPDATE tollgate_credential SET operations = 'charge'"},
        {TG_MOVE_LIMITS, "DELETE FROM tollgate_payment_limit"},
        {TG_MOVE_LIMITS, "UPDATE tollgate_payment_limit SET day_minor_max = 0"},
        {TG_MOVE_CERTIFICATES, "UPDATE tollgate_certificate SET not_after_us = 0"},
        {TG_MOVE_ROUTES, "DELETE FROM tollgate_route"},
        {TG_MOVE_ROUTES, "UPDATE tollgate_route SET sealed = 'sealed otherwise'"},
        {TG_MOVE_SEALERS, "DELETE FROM tollgate_sealer"},
        {TG_MOVE_COUNTERS, "UPDATE tollgate_counter SET reserved = 0, committed = 0"},
        {TG_MOVE_COUNTERS, "UPDATE tollgate_counter SET committed = committed + 1"},
        {TG_MOVE_COUNTERS, "DELETE FROM tollgate_counter"},
        {TG_MOVE_SEGMENTS, "UPDATE tollgate_segment SET purged = true WHERE number = 1"},
        {TG_MOVE_SEGMENTS, "DELETE FROM tollgate_segment WHERE number = 1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        spoil(kit, here, to, rows[i].kind, rows[i].sql);
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
    fill_setup(kit);
    const uint8_t sealer[TG_STORE_SEALER_BYTES] = {1}, other[TG_STORE_SEALER_BYTES] = {2};
    assert_int_equal(tg_store_sealer(kit->store, sealer), TG_OK);
    kit_reopen(kit);
    struct tg_store *from = kit->store;
    assert_int_equal(tg_move_copy(from, to, kit->now_us, ignore, NULL), TG_OK);
    struct tg_move_sum here;
    assert_int_equal(tg_move_sum_folder(from, kit->now_us, &here, ignore, NULL), TG_OK);
    compare(&here, to, kit->now_us);
    spoil_all(kit, &here, to);
    compare(&here, to, kit->now_us);
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
