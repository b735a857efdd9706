/*
 * setup.c - sorted arrays and one hash index.
 *
 * Promises: as setup.h. Rows are few (10,000 partners) and change seldom, so an insert may move
 * its neighbours; a look-up is a binary search.
 * Does not: shrink.
 */
#include "keeper/setup.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"

#include "base/banned.h"

typedef int order_fn(const void *row, const void *key);

/* The first row that is not before key. */
static size_t lower_bound(const struct tg_setup_table *table, size_t size, const void *key, order_fn *order)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order((const uint8_t *)table->rows + middle * size, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void *find(const struct tg_setup_table *table, size_t size, const void *key, order_fn *order)
{
    size_t at = lower_bound(table, size, key, order);
    if (at == table->count) {
        return NULL; /* also of an empty table, which has no rows to point into */
    }
    uint8_t *row = (uint8_t *)table->rows + at * size;
    return order(row, key) == 0 ? row : NULL;
}

/* The place of a row that orders as `row`: the old one's, or a new one that is opened for it. NULL: no memory. */
static void *place(struct tg_setup_table *table, size_t size, const void *row, order_fn *order, bool *fresh)
{
    size_t at = lower_bound(table, size, row, order);
    uint8_t *rows = table->rows;
    *fresh = at == table->count || order(rows + at * size, row) != 0;
    if (!*fresh) {
        return rows + at * size;
    }
    if (table->count == table->room) {
        size_t room = table->room == 0 ? 16 : table->room * 2;
        rows = reallocarray(table->rows, room, size);
        if (rows == NULL) {
            return NULL;
        }
        table->rows = rows;
        table->room = room;
    }
    memmove(rows + (at + 1) * size, rows + at * size, (table->count - at) * size);
    table->count++;
    memset(rows + at * size, 0, size);
    return rows + at * size;
}

static int order_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int order_partner(const void *row, const void *key)
{
    return order_u32(((const struct tg_partner *)row)->id, ((const struct tg_partner *)key)->id);
}

static int order_key(const void *row, const void *key)
{
    return order_u32(((const struct tg_setup_key *)row)->id, ((const struct tg_setup_key *)key)->id);
}

static int order_limit(const void *row, const void *key)
{
    const struct tg_limit *a = row;
    const struct tg_limit *b = key;
    if (a->partner != b->partner) {
        return order_u32(a->partner, b->partner);
    }
    if (a->environment != b->environment) {
        return order_u32(a->environment, b->environment);
    }
    return memcmp(a->currency, b->currency, 3);
}

static int order_certificate(const void *row, const void *key)
{
    const struct tg_partner_certificate *a = row;
    const struct tg_partner_certificate *b = key;
    return a->partner != b->partner ? order_u32(a->partner, b->partner) : memcmp(a->sha256, b->sha256, TG_DIGEST_BYTES);
}

static int order_route(const void *row, const void *key)
{
    return strncmp(((const struct tg_setup_route *)row)->name, ((const struct tg_setup_route *)key)->name,
                   TG_NAME_BYTES_MAX + 1);
}

void tg_setup_free(struct tg_setup *setup)
{
    struct tg_setup_key *keys = setup->keys.rows;
    for (size_t i = 0; i < setup->keys.count; i++) {
        free(keys[i].operations);
    }
    struct tg_setup_route *routes = setup->routes.rows;
    for (size_t i = 0; i < setup->routes.count; i++) {
        free(routes[i].sealed);
    }
    free(setup->partners.rows);
    free(setup->keys.rows);
    free(setup->limits.rows);
    free(setup->certificates.rows);
    free(setup->routes.rows);
    free(setup->by_hash);
    *setup = (struct tg_setup){0};
}

enum tg_err tg_setup_add_partner(struct tg_setup *setup, const struct tg_partner *row)
{
    bool fresh;
    struct tg_partner *at = place(&setup->partners, sizeof(*at), row, order_partner, &fresh);
    if (at == NULL) {
        return TG_ERR_ROOM;
    }
    *at = *row;
    return TG_OK;
}

/* Hashes are SHA-256 of random keys: their first bytes are as good an index as any. */
static size_t hash_slot(const uint8_t hash[TG_DIGEST_BYTES], size_t room)
{
    uint64_t head;
    memcpy(&head, hash, sizeof(head));
    return (size_t)head & (room - 1);
}

static enum tg_err index_keys(struct tg_setup *setup)
{
    size_t room = setup->by_hash_room == 0 ? 64 : setup->by_hash_room;
    while (room < setup->keys.count * 2) {
        room *= 2;
    }
    uint32_t *index = calloc(room, sizeof(*index));
    if (index == NULL) {
        return TG_ERR_ROOM;
    }
    const struct tg_setup_key *keys = setup->keys.rows;
    for (size_t i = 0; i < setup->keys.count; i++) {
        size_t slot = hash_slot(keys[i].hash, room);
        while (index[slot] != 0) {
            slot = (slot + 1) & (room - 1);
        }
        index[slot] = (uint32_t)(i + 1);
    }
    free(setup->by_hash);
    setup->by_hash = index;
    setup->by_hash_room = room;
    return TG_OK;
}

enum tg_err tg_setup_add_key(struct tg_setup *setup, const struct tg_credential *row)
{
    size_t len = strnlen(row->operations, TG_OPERATIONS_BYTES_MAX);
    char *operations = strndup(row->operations, len);
    if (operations == NULL) {
        return TG_ERR_ROOM;
    }
    struct tg_setup_key key = {.id = row->id, .partner = row->partner, .environment = row->environment,
                               .operations = operations, .created_us = row->created_us,
                               .expires_us = row->expires_us, .revoked_us = row->revoked_us};
    memcpy(key.hash, row->hash, sizeof(key.hash));
    memcpy(key.prefix, row->prefix, sizeof(key.prefix) - 1);
    bool fresh;
    struct tg_setup_key *at = place(&setup->keys, sizeof(*at), &key, order_key, &fresh);
    if (at == NULL) {
        free(operations);
        return TG_ERR_ROOM;
    }
    bool last = fresh && at == (struct tg_setup_key *)setup->keys.rows + setup->keys.count - 1;
    free(at->operations);
    *at = key;
    if (last && setup->by_hash_room >= setup->keys.count * 2) {
        size_t slot = hash_slot(key.hash, setup->by_hash_room);
        while (setup->by_hash[slot] != 0) {
            slot = (slot + 1) & (setup->by_hash_room - 1);
        }
        setup->by_hash[slot] = (uint32_t)setup->keys.count;
        return TG_OK;
    }
    return index_keys(setup);
}

enum tg_err tg_setup_add_limit(struct tg_setup *setup, const struct tg_limit *row)
{
    bool fresh;
    struct tg_limit *at = place(&setup->limits, sizeof(*at), row, order_limit, &fresh);
    if (at == NULL) {
        return TG_ERR_ROOM;
    }
    *at = *row;
    return TG_OK;
}

enum tg_err tg_setup_add_certificate(struct tg_setup *setup, const struct tg_partner_certificate *row)
{
    bool fresh;
    struct tg_partner_certificate *at = place(&setup->certificates, sizeof(*at), row, order_certificate, &fresh);
    if (at == NULL) {
        return TG_ERR_ROOM;
    }
    *at = *row;
    return TG_OK;
}

enum tg_err tg_setup_add_route(struct tg_setup *setup, const struct tg_route_credential *row)
{
    struct tg_setup_route route = {.sealed = malloc(row->sealed.len + 1), .sealed_len = row->sealed.len};
    if (route.sealed == NULL) {
        return TG_ERR_ROOM;
    }
    if (row->sealed.len > 0) {
        memcpy(route.sealed, row->sealed.ptr, row->sealed.len);
    }
    memcpy(route.name, row->route, TG_NAME_BYTES_MAX);
    bool fresh;
    struct tg_setup_route *at = place(&setup->routes, sizeof(*at), &route, order_route, &fresh);
    if (at == NULL) {
        free(route.sealed);
        return TG_ERR_ROOM;
    }
    free(at->sealed);
    *at = route;
    return TG_OK;
}

const struct tg_partner *tg_setup_partner(const struct tg_setup *setup, uint32_t id)
{
    struct tg_partner key = {.id = id};
    return find(&setup->partners, sizeof(key), &key, order_partner);
}

const struct tg_partner *tg_setup_partner_named(const struct tg_setup *setup, struct tg_span name)
{
    const struct tg_partner *rows = setup->partners.rows;
    for (size_t i = 0; i < setup->partners.count; i++) {
        if (tg_span_equal(tg_span_string(rows[i].name), name)) {
            return &rows[i];
        }
    }
    return NULL;
}

struct tg_setup_key *tg_setup_key(const struct tg_setup *setup, uint32_t id)
{
    struct tg_setup_key key = {.id = id};
    return find(&setup->keys, sizeof(key), &key, order_key);
}

const struct tg_setup_key *tg_setup_key_hashed(const struct tg_setup *setup, const uint8_t hash[TG_DIGEST_BYTES])
{
    if (setup->by_hash_room == 0) {
        return NULL;
    }
    const struct tg_setup_key *keys = setup->keys.rows;
    size_t slot = hash_slot(hash, setup->by_hash_room);
    while (setup->by_hash[slot] != 0) {
        const struct tg_setup_key *key = &keys[setup->by_hash[slot] - 1];
        if (tg_equal_secret(key->hash, hash, TG_DIGEST_BYTES)) {
            return key;
        }
        slot = (slot + 1) & (setup->by_hash_room - 1);
    }
    return NULL;
}

const struct tg_limit *tg_setup_limit(const struct tg_setup *setup, uint32_t partner, uint8_t environment,
                                      const uint8_t currency[3])
{
    struct tg_limit key = {.partner = partner, .environment = environment};
    memcpy(key.currency, currency, 3);
    return find(&setup->limits, sizeof(key), &key, order_limit);
}

const struct tg_setup_route *tg_setup_route(const struct tg_setup *setup, struct tg_span name)
{
    struct tg_setup_route key = {0};
    if (name.len > TG_NAME_BYTES_MAX || name.len == 0) {
        return NULL;
    }
    memcpy(key.name, name.ptr, name.len);
    return find(&setup->routes, sizeof(key), &key, order_route);
}

bool tg_setup_certificates(const struct tg_setup *setup, uint32_t partner, const uint8_t sha256[TG_DIGEST_BYTES],
                           int64_t now_us, bool *match)
{
    struct tg_partner_certificate key = {.partner = partner};
    size_t at = lower_bound(&setup->certificates, sizeof(key), &key, order_certificate);
    const struct tg_partner_certificate *rows = setup->certificates.rows;
    bool any = false;
    *match = false;
    for (; at < setup->certificates.count && rows[at].partner == partner; at++) {
        any = true;
        if (memcmp(rows[at].sha256, sha256, TG_DIGEST_BYTES) == 0 &&
            (rows[at].not_after_us == 0 || rows[at].not_after_us > now_us)) {
            *match = true;
        }
    }
    return any;
}

bool tg_setup_operation_allowed(const char *operations, struct tg_span name)
{
    struct tg_span rest = tg_span_string(operations);
    if (tg_span_equal(rest, TG_SPAN("*"))) {
        return true;
    }
    while (rest.len > 0 && name.len > 0) {
        size_t end = tg_span_find(rest, ' ');
        if (tg_span_equal(tg_span_sub(rest, 0, end), name)) {
            return true;
        }
        rest = tg_span_sub(rest, end + 1, rest.len);
    }
    return false;
}
