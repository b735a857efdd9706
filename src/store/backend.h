/*
 * backend.h - the table of calls by which store.h reaches one database or another.
 *
 * Promises: every store begins with tg_store_head, so that store.c finds its
 * table; a backend's calls keep what store.h says of them.
 * Does not: hide which database it is from the files of this room.
 */
#ifndef TG_STORE_BACKEND_H
#define TG_STORE_BACKEND_H

#include "store/store.h"

struct tg_store_backend {
    void (*close)(struct tg_store *store);
    enum tg_err (*commit)(struct tg_store *store, int64_t now_us, struct tg_work *const *works, size_t count,
                          struct tg_arena *arena);
    uint32_t (*segment)(const struct tg_store *store);
    enum tg_err (*rotate)(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment, uint32_t *ret_destroy,
                          size_t room, size_t *ret_destroy_count);
    enum tg_err (*purged)(struct tg_store *store, uint32_t segment);
    bool (*checkpoint)(struct tg_store *store);
    void (*count)(const struct tg_store *store, struct tg_store_counts *ret);
    enum tg_err (*unknowns)(struct tg_store *store, size_t limit,
                            bool (*each)(void *user, const struct tg_unknown_row *row), void *user);
    enum tg_err (*events)(struct tg_store *store, uint64_t from, size_t limit,
                          bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user);
    uint64_t (*last_event)(const struct tg_store *store);
    enum tg_err (*setup_read)(struct tg_store *store, const struct tg_setup_reader *reader);
    bool (*setup_changed)(const struct tg_store *store); /* NULL: nobody else can change it */
    enum tg_err (*act)(struct tg_store *store, struct tg_act *act);
    enum tg_err (*sealer)(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES]); /* NULL: any one */
    const char *(*way)(const struct tg_store *store);                                        /* NULL: a folder */
};

/* The first member of every store. */
struct tg_store_head {
    const struct tg_store_backend *backend;
};

/* SQLite in a folder (store_open.c), PostgreSQL behind a connection (postgres.c). */
TG_MUST_CHECK enum tg_err tg_embedded_open(const struct tg_store_options *options, int64_t now_us,
                                           struct tg_store **ret);
TG_MUST_CHECK enum tg_err tg_postgres_open(const struct tg_store_options *options, int64_t now_us,
                                           struct tg_store **ret);

#endif
