/*
 * sealer.c - whose keys name the claims of a store in a folder.
 *
 * Promises: as tg_store_sealer in store.h.
 * Does not: hold a key; what stands there is public.
 */
#include <string.h>

#include "store/sqlite.h"
#include "store/state.h"

static enum tg_err read_key(sqlite3 *db, uint8_t ret[TG_STORE_SEALER_BYTES])
{
    sqlite3_stmt *get = NULL;
    enum tg_err err = tg_sqlite_prepare(db, "SELECT public_key FROM sealer", &get);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(get);
    struct tg_span key = rc == SQLITE_ROW ? tg_sqlite_bytes(get, 0) : tg_span(NULL, 0);
    err = rc == SQLITE_DONE ? TG_ERR_ABSENT : tg_sqlite_err(rc);
    if (err == TG_OK && key.len != TG_STORE_SEALER_BYTES)
        err = TG_ERR_CORRUPT;
    if (err == TG_OK)
        memcpy(ret, key.ptr, key.len);
    sqlite3_finalize(get);
    return err;
}

static enum tg_err write_key(sqlite3 *db, const uint8_t key[TG_STORE_SEALER_BYTES])
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(db, "INSERT INTO sealer (id, public_key) VALUES (1, ?1)", &put);
    if (err != TG_OK)
        return err;
    (void)tg_sqlite_bind_blob(put, 1, tg_span(key, TG_STORE_SEALER_BYTES));
    err = tg_sqlite_err(sqlite3_step(put));
    sqlite3_finalize(put);
    return err;
}

enum tg_err tg_embedded_sealer(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES])
{
    uint8_t known[TG_STORE_SEALER_BYTES];
    enum tg_err err = read_key(store->setup, known);
    if (err == TG_ERR_ABSENT)
        return write_key(store->setup, key);
    if (err != TG_OK)
        return err;
    return memcmp(known, key, sizeof(known)) == 0 ? TG_OK : TG_ERR_DENIED;
}
