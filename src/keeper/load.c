/*
 * load.c - reading what operators set up: at start, and when another keeper changed it.
 *
 * Promises: as load.h.
 * Does not: choose the thread: after the start it is the one that owns the store (refresh.c).
 */
#include "keeper/load.h"

#include "base/banned.h"

struct loading {
    struct tg_setup *setup;
    enum tg_err err; /* the first */
};

static void keep(struct loading *loading, enum tg_err err)
{
    if (loading->err == TG_OK) {
        loading->err = err;
    }
}

static void on_partner(void *user, const struct tg_partner *row)
{
    struct loading *loading = user;
    keep(loading, tg_setup_add_partner(loading->setup, row));
}

static void on_credential(void *user, const struct tg_credential *row)
{
    struct loading *loading = user;
    keep(loading, tg_setup_add_key(loading->setup, row));
}

static void on_limit(void *user, const struct tg_limit *row)
{
    struct loading *loading = user;
    keep(loading, tg_setup_add_limit(loading->setup, row));
}

static void on_certificate(void *user, const struct tg_partner_certificate *row)
{
    struct loading *loading = user;
    keep(loading, tg_setup_add_certificate(loading->setup, row));
}

static void on_route(void *user, const struct tg_route_credential *row)
{
    struct loading *loading = user;
    keep(loading, tg_setup_add_route(loading->setup, row));
}

enum tg_err tg_load_setup_into(struct tg_store *store, struct tg_setup *setup)
{
    struct loading loading = {setup, TG_OK};
    const struct tg_setup_reader reader = {
        .user = &loading,
        .partner = on_partner,
        .credential = on_credential,
        .limit = on_limit,
        .certificate = on_certificate,
        .route = on_route,
    };
    enum tg_err err = tg_store_setup_read(store, &reader);
    return err == TG_OK ? loading.err : err;
}

enum tg_err tg_load_setup(struct tg_keeper *keeper)
{
    return tg_load_setup_into(keeper->committer.store, &keeper->setup);
}
