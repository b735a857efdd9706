/*
 * store.c - one seam, two databases: every call goes to the table that the store began with.
 *
 * Promises: nothing of its own. Does not: know either database.
 */
#include "store/backend.h"

static const struct tg_store_backend *backend_of(const struct tg_store *store)
{
    return ((const struct tg_store_head *)(const void *)store)->backend;
}

enum tg_err tg_store_open(const struct tg_store_options *options, int64_t now_us, struct tg_store **ret)
{
    *ret = NULL;
    if ((options->path == NULL) == (options->connection == NULL))
        return TG_ERR_INPUT; /* a folder or a connection, not both */
    return options->path != NULL ? tg_embedded_open(options, now_us, ret) : tg_postgres_open(options, now_us, ret);
}

void tg_store_close(struct tg_store *store)
{
    if (store != NULL)
        backend_of(store)->close(store);
}

enum tg_err tg_store_commit(struct tg_store *store, int64_t now_us, struct tg_work *const *works, size_t count,
                            struct tg_arena *arena)
{
    return backend_of(store)->commit(store, now_us, works, count, arena);
}

uint32_t tg_store_segment(const struct tg_store *store)
{
    return backend_of(store)->segment(store);
}

enum tg_err tg_store_rotate(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                            size_t room, size_t *ret_destroy_count)
{
    return backend_of(store)->rotate(store, now_us, ret_new_segment, ret_destroy, room, ret_destroy_count);
}

enum tg_err tg_store_purged(struct tg_store *store, uint32_t segment)
{
    return backend_of(store)->purged(store, segment);
}

bool tg_store_checkpoint(struct tg_store *store)
{
    return backend_of(store)->checkpoint(store);
}

void tg_store_count(const struct tg_store *store, struct tg_store_counts *ret)
{
    backend_of(store)->count(store, ret);
}

enum tg_err tg_store_unknowns(struct tg_store *store, size_t limit,
                              bool (*each)(void *user, const struct tg_unknown_row *row), void *user)
{
    return backend_of(store)->unknowns(store, limit, each, user);
}

enum tg_err tg_store_events(struct tg_store *store, uint64_t from, size_t limit,
                            bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user)
{
    return backend_of(store)->events(store, from, limit, each, user);
}

uint64_t tg_store_last_event(const struct tg_store *store)
{
    return backend_of(store)->last_event(store);
}

enum tg_err tg_store_setup_read(struct tg_store *store, const struct tg_setup_reader *reader)
{
    return backend_of(store)->setup_read(store, reader);
}

bool tg_store_setup_changed(const struct tg_store *store)
{
    const struct tg_store_backend *backend = backend_of(store);
    return backend->setup_changed != NULL && backend->setup_changed(store);
}

enum tg_err tg_store_act(struct tg_store *store, struct tg_act *act)
{
    return backend_of(store)->act(store, act);
}

enum tg_err tg_store_sealer(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES])
{
    const struct tg_store_backend *backend = backend_of(store);
    return backend->sealer == NULL ? TG_OK : backend->sealer(store, key);
}

const char *tg_store_way(const struct tg_store *store)
{
    const struct tg_store_backend *backend = backend_of(store);
    return backend->way == NULL ? "a folder" : backend->way(store);
}
