/* postgres_batch_test.c - the maps of a batch, and its counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres.h"
#include "store/testkit.h"

static void test_entries(void **state)
{
    (void)state;
    struct tg_postgres *store = calloc(1, sizeof(*store));
    struct tg_work work = {.kind = TG_WORK_REFUSAL}, *works[4] = {&work, &work, &work, &work};
    assert_non_null(store);
    assert_int_equal(tg_quota_init(&store->counters), TG_OK);
    assert_int_equal(tg_pg_batch_begin(store, 1, works, 4, NULL), TG_OK);
    struct tg_pg_batch *batch = &store->batch;
    for (uint64_t i = 0; i < 4; i++) {
        struct tg_pg_entry *entry = tg_pg_entry_add(batch);
        assert_non_null(entry);
        entry->claim.ticket = i + 1;
        entry->claim.state = i == 3 ? TG_CLAIM_STATE_NONE : TG_CLAIM_STATE_LOST;
        kit_bytes(entry->claim.claim_key, TG_CLAIM_KEY_BYTES, 2, i);
        kit_bytes(entry->claim.request_id, TG_REQUEST_ID_BYTES, 1, i);
        tg_pg_entry_link(batch, entry);
    }
    uint8_t bytes[16];
    kit_bytes(bytes, sizeof(bytes), 2, 1);
    struct tg_pg_entry *entry = tg_pg_entry_key(batch, tg_span(bytes, TG_CLAIM_KEY_BYTES));
    assert_ptr_equal(entry, tg_pg_entry_ticket(batch, 2));
    assert_null(tg_pg_entry_key(batch, tg_span(bytes, TG_CLAIM_KEY_BYTES - 1)));
    assert_null(tg_pg_entry_key(batch, tg_span(NULL, 0)));
    kit_bytes(bytes, sizeof(bytes), 1, 1);
    assert_ptr_equal(entry, tg_pg_entry_request(batch, bytes));
    tg_pg_entry_unlink(batch, entry);
    assert_null(tg_pg_entry_request(batch, bytes));
    assert_null(tg_pg_entry_ticket(batch, 4)); /* nobody's */
    struct tg_quota_key key = {7, 1, 1, {'E', 'U', 'R'}};
    struct tg_pg_counter *counter = tg_pg_counter(store, &key);
    assert_non_null(counter);
    assert_false(counter->loaded);
    assert_ptr_equal(counter, tg_pg_counter(store, &key));
    tg_pg_batch_free(batch);
    tg_quota_free(&store->counters);
    free(store);
}

static void test_bytes(void **state)
{
    (void)state;
    struct tg_pg_bytes bytes = {0};
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t *at = tg_pg_bytes_grab(&bytes, 1000);
        assert_non_null(at);
        memset(at, (int)i, 1000);
    }
    assert_int_equal(bytes.len, 1000000);
    free(bytes.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
