/*
 * postgres_sealer.c - whose keys name the claims of a database.
 *
 * Promises: as tg_store_sealer in store.h; of keepers that start at once the database's unique key lets one write.
 * Does not: hold a key; what stands there is public.
 */
#include <string.h>

#include "store/postgres.h"

#define TRIES 8

/* In one round trip; the second statement sees what the first one, or another keeper, has committed. */
static enum tg_err ask(struct tg_postgres *store, const uint8_t key[TG_STORE_SEALER_BYTES], bool *same)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    tg_pg_bytes(&store->link, tg_span(key, TG_STORE_SEALER_BYTES));
    tg_pg_queue(&store->link, TG_PG_SEALER_ADD);
    tg_pg_queue(&store->link, TG_PG_SEALER);
    enum tg_err err = tg_pg_sync(&store->link, results);
    if (err != TG_OK)
        return err;
    if (PQntuples(results[1]) == 1) {
        struct tg_span known = tg_pg_get_bytes(results[1], 0, 0);
        *same = tg_span_equal(known, tg_span(key, TG_STORE_SEALER_BYTES));
    } else {
        err = TG_ERR_CORRUPT;
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return err;
}

enum tg_err tg_postgres_sealer(struct tg_store *base, const uint8_t key[TG_STORE_SEALER_BYTES])
{
    struct tg_postgres *store = tg_postgres_of(base);
    bool same = false;
    if (store->failed || atomic_load(&store->side_failed))
        return TG_ERR_DOWN;
    enum tg_err err = TG_ERR_DENIED;
    for (unsigned i = 0; err == TG_ERR_DENIED && i < TRIES; i++) {
        err = ask(store, key, &same);
        if (err == TG_ERR_DENIED && store->link.fault != TG_PG_FAULT_AGAIN)
            err = TG_ERR_DOWN;
    }
    if (err != TG_OK) {
        store->failed = true;
        return err == TG_ERR_CORRUPT ? err : TG_ERR_DOWN;
    }
    return same ? TG_OK : TG_ERR_DENIED;
}
