/* postgres_apply_test.c - a counter that another keeper changed is seen before COMMIT, and the batch decided again; so
 * is a serialization failure, wherever it comes; and a batch is two round trips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres.h"
#include "store/testkit.h"

static unsigned syncs;

/* In the place of libpq's: each is one round trip. */
int PQpipelineSync(PGconn *conn)
{
    static int (*real)(PGconn *conn);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "PQpipelineSync");
        memcpy(&real, &found, sizeof(real));
    }
    assert_non_null(real);
    syncs++;
    return real(conn);
}

static struct tg_work limited(const struct kit *kit, uint64_t number)
{
    struct tg_work work = kit_admit(kit, number, number, number);
    work.admit.has_quota = true;
    work.admit.quota_day = KIT_QUOTA_DAY;
    work.admit.quota_day_minor = 1000; /* ten of a hundred */
    return work;
}

static void test_guarded(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    struct tg_store *other = kit_second(kit);
    unsigned taken = 0;
    for (uint64_t number = 1; number <= 20; number++) {
        struct tg_work work = limited(kit, number);
        kit_commit_to(kit, number % 3 == 0 ? other : kit->store, &work);
        taken += work.admit.result == TG_CLAIM_TAKEN;
    }
    assert_int_equal(taken, 10);
    struct tg_work back = kit_settle(kit, 3, 0, TG_OUTCOME_NOT_SENT, 0);
    kit_commit_to(kit, other, &back);
    assert_int_equal(back.settle.result, TG_OK);
    struct tg_work again = limited(kit, 30);
    kit_commit(kit, &again); /* what this one saw last is "full" */
    assert_int_equal(again.admit.result, TG_CLAIM_TAKEN);
    int64_t reserved = 0, committed = 0;
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 1000);
    tg_store_close(other);
}

/* The first `times` such statements fail. A sequence counts on through rollbacks. */
static void refuse(const struct kit *kit, const char *trigger, const char *sqlstate, int times)
{
    char sql[512];
    (void)snprintf(sql, sizeof(sql),
                   "CREATE SEQUENCE kit_tries; CREATE FUNCTION kit_fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
                   "IF nextval(''kit_tries'') <= %d THEN RAISE EXCEPTION ''not now'' USING ERRCODE = ''%s''; END IF; "
                   "RETURN NEW; END'; %s EXECUTE FUNCTION kit_fail()",
                   times, sqlstate, trigger);
    kit_sql(kit, sql);
}

static int64_t tries(const struct kit *kit)
{
    PGconn *conn = PQconnectdb(kit->connection);
    PGresult *result = PQexec(conn, "SELECT last_value FROM kit_tries");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    int64_t count = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(conn);
    return count;
}

/* One payment under a limit, whose batch is refused three times on its way: it is there once, and charged once. */
static void refused_thrice(struct kit *kit, const char *trigger, const char *sqlstate)
{
    struct tg_store_counts before, after;
    kit_need_server(kit);
    refuse(kit, trigger, sqlstate, 3);
    tg_store_count(kit->store, &before);
    struct tg_work work = limited(kit, 1);
    kit_commit(kit, &work);
    assert_int_equal(work.admit.result, TG_CLAIM_TAKEN);
    assert_int_equal(tries(kit), 4);
    tg_store_count(kit->store, &after);
    assert_int_equal(after.events - before.events, 1);
    assert_int_equal(after.claims_live - before.claims_live, 1);
    int64_t reserved = 0, committed = 0;
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 100);
    assert_int_equal(kit_ask(kit, 2, 1, 1), TG_CLAIM_IN_FLIGHT);
    struct tg_work end = kit_settle(kit, 1, work.admit.ticket, TG_OUTCOME_FINAL, 201);
    kit_commit(kit, &end);
    assert_int_equal(end.settle.result, TG_OK);
    kit_counter(kit, KIT_QUOTA_DAY, &reserved, &committed);
    assert_int_equal(reserved, 0);
    assert_int_equal(committed, 100);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_REPLAY);
}

#define AT_INSERT "CREATE TRIGGER kit_t BEFORE INSERT ON tollgate_claim FOR EACH ROW"
#define AT_CHANGE "CREATE TRIGGER kit_t BEFORE INSERT ON tollgate_counter FOR EACH ROW"
#define AT_COMMIT                                                                                                      \
    "CREATE CONSTRAINT TRIGGER kit_t AFTER INSERT ON tollgate_claim DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"

static void test_a_serialization_failure_at_the_claim(void **state)
{
    refused_thrice(*state, AT_INSERT, "40001");
}

static void test_a_serialization_failure_at_a_change(void **state)
{
    refused_thrice(*state, AT_CHANGE, "40001");
}

static void test_a_serialization_failure_at_commit(void **state)
{
    refused_thrice(*state, AT_COMMIT, "40001");
}

static void test_a_deadlock_at_commit(void **state)
{
    refused_thrice(*state, AT_COMMIT, "40P01");
}

/* The server's disk is full at COMMIT: nobody is told, nothing is there, the keeper stops; a start goes on. */
static void test_no_room_at_commit(void **state)
{
    struct kit *kit = *state;
    kit_need_server(kit);
    refuse(kit, AT_COMMIT, "53100", 1);
    struct tg_work work = limited(kit, 1), *again = &work;
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, &again, 1, &kit->arena), TG_ERR_DOWN);
    work = limited(kit, 2);
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, &again, 1, &kit->arena), TG_ERR_DOWN); /* room or not */
    assert_int_equal(tries(kit), 1);
    kit_reopen(kit);
    assert_int_equal(kit_ask(kit, 1, 1, 1), TG_CLAIM_TAKEN); /* neither lost nor held */
    assert_int_equal(kit_ask(kit, 3, 1, 1), TG_CLAIM_IN_FLIGHT);
    assert_int_equal(tries(kit), 2);
}

/* Whatever is in a batch, and however much: what is known comes back once, what becomes of it goes out once. */
static void test_two_round_trips(void **state)
{
    static struct tg_work works[200], *pointers[200];
    struct kit *kit = *state;
    kit_need_server(kit);
    (void)kit_pair(kit, 1000, 1000, "an answer");
    assert_int_equal(kit_ask(kit, 1001, 1001, 1001), TG_CLAIM_TAKEN);
    for (uint64_t i = 0; i < 200; i++) {
        works[i] = i % 2 == 0 ? limited(kit, i) : kit_admit(kit, i, i, i);
        pointers[i] = &works[i];
    }
    works[10] = kit_settle(kit, 1001, 0, TG_OUTCOME_FINAL, 201);
    works[11] = kit_admit(kit, 1002, 1000, 1000); /* answered from what is stored */
    works[12] = kit_admit(kit, 1003, 1000, 7);    /* the key of another call */
    works[13] = kit_settle(kit, 1000, 0, TG_OUTCOME_FINAL, 201);
    tg_arena_reset(&kit->arena);
    syncs = 0;
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, pointers, 200, &kit->arena), TG_OK);
    assert_int_equal(syncs, 2);
    assert_int_equal(works[10].settle.result, TG_OK);
    assert_int_equal(works[11].admit.result, TG_CLAIM_REPLAY);
    assert_int_equal(works[12].admit.result, TG_CLAIM_MISMATCH);
    tg_arena_reset(&kit->arena);
    works[0] = kit_settle(kit, 0, works[0].admit.ticket, TG_OUTCOME_FINAL, 201);
    syncs = 0;
    assert_int_equal(tg_store_commit(kit->store, kit->now_us, pointers, 1, &kit->arena), TG_OK);
    assert_in_range(syncs, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_guarded, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_serialization_failure_at_the_claim, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_serialization_failure_at_a_change, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_serialization_failure_at_commit, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_a_deadlock_at_commit, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_room_at_commit, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_two_round_trips, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
