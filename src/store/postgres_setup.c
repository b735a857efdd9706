/*
 * postgres_setup.c - what an operator sets up, and the acts that do it; see setup.c for the words.
 *
 * Promises: the change and its event are one transaction, under the lock of the shared row, so ids and numbers go up
 * one by one whatever the number of keepers. Another keeper sees the new version at its next look.
 * Does not: hold a secret: of an API key the hash, of a route's credential what the sealer sealed.
 */
#include <string.h>

#include "store/postgres.h"
#include "store/postgres_act.h"

#define ACT_TRIES 16

static struct tg_span text_of(const char *text, size_t cap)
{
    return tg_span(text, strnlen(text, cap));
}

static void queue_credential(struct tg_pg_link *link, const struct tg_credential *credential)
{
    tg_pg_int8(link, credential->partner);
    tg_pg_int4(link, credential->environment);
    tg_pg_bytes(link, tg_span(credential->hash, sizeof(credential->hash)));
    tg_pg_bytes(link, text_of(credential->prefix, sizeof(credential->prefix)));
    tg_pg_bytes(link, text_of(credential->operations, sizeof(credential->operations)));
    tg_pg_int8(link, credential->created_us);
    tg_pg_int8(link, credential->expires_us);
    tg_pg_int8(link, credential->revoked_us);
    tg_pg_queue(link, TG_PG_CREDENTIAL_ADD);
}

/* Queues the change; false: the act changes nothing. */
static bool queue_change(struct tg_pg_link *link, const struct tg_act *act)
{
    switch (act->kind) {
    case TG_ACT_PARTNER_ADD:
        tg_pg_bytes(link, text_of(act->partner.name, sizeof(act->partner.name)));
        tg_pg_queue(link, TG_PG_PARTNER_ADD);
        return true;
    case TG_ACT_CREDENTIAL_ADD:
        queue_credential(link, &act->credential);
        return true;
    case TG_ACT_CREDENTIAL_REVOKE:
        tg_pg_int8(link, act->credential.id);
        tg_pg_int8(link, act->credential.revoked_us);
        tg_pg_queue(link, TG_PG_CREDENTIAL_REVOKE);
        return true;
    case TG_ACT_LIMIT_SET:
        tg_pg_int8(link, act->limit.partner);
        tg_pg_int4(link, act->limit.environment);
        tg_pg_bytes(link, text_of(act->limit.currency, sizeof(act->limit.currency)));
        tg_pg_int8(link, act->limit.payment_minor_max);
        tg_pg_int8(link, act->limit.day_minor_max);
        tg_pg_queue(link, TG_PG_LIMIT_SET);
        return true;
    case TG_ACT_CERTIFICATE_ADD:
        tg_pg_int8(link, act->certificate.partner);
        tg_pg_bytes(link, tg_span(act->certificate.sha256, sizeof(act->certificate.sha256)));
        tg_pg_int8(link, act->certificate.not_after_us);
        tg_pg_queue(link, TG_PG_CERTIFICATE_ADD);
        return true;
    case TG_ACT_ROUTE_SET:
        tg_pg_bytes(link, text_of(act->route.route, sizeof(act->route.route)));
        tg_pg_bytes(link, act->route.sealed);
        tg_pg_queue(link, TG_PG_ROUTE_SET);
        return true;
    default:
        return false;
    }
}

/* Makes the change; *result is what the act comes to. Anything but TG_OK: the transaction is over. */
static enum tg_err change(struct tg_pg_link *link, struct tg_act *act, enum tg_err *result)
{
    PGresult *results[TG_PG_QUEUED_MAX];
    *result = TG_OK;
    tg_pg_queue(link, TG_PG_SAVEPOINT);
    if (!queue_change(link, act))
        return tg_pg_flush(link);
    enum tg_err err = tg_pg_sync(link, results);
    if (err == TG_OK) {
        bool ids = act->kind == TG_ACT_PARTNER_ADD || act->kind == TG_ACT_CREDENTIAL_ADD;
        if (ids)
            *(act->kind == TG_ACT_PARTNER_ADD ? &act->partner.id : &act->credential.id) =
                (uint32_t)tg_pg_get_int(results[1], 0, 0);
        if (act->kind == TG_ACT_CREDENTIAL_REVOKE && PQntuples(results[1]) == 0)
            *result = TG_ERR_ABSENT;
        PQclear(results[0]);
        PQclear(results[1]);
        return TG_OK;
    }
    if (err != TG_ERR_DENIED || link->fault == TG_PG_FAULT_AGAIN || link->fault == TG_PG_FAULT_OTHER)
        return err;
    *result = link->fault == TG_PG_FAULT_TAKEN    ? TG_ERR_DENIED
              : link->fault == TG_PG_FAULT_PARENT ? TG_ERR_ABSENT
                                                  : TG_ERR_INPUT;
    return tg_pg_run(link, TG_PG_ROLLBACK_TO, NULL);
}

static void queue_record(struct tg_pg_link *link, const struct tg_act *act, int64_t number, enum tg_err result)
{
    uint8_t bytes[TG_PG_ACT_BYTES_MAX];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    const struct tg_event_act event = {.at_us = act->at_us,
                                       .request_id = tg_span(act->request_id, sizeof(act->request_id)),
                                       .actor = act->actor, .what = act->what, .before = act->before,
                                       .after = act->after, .result = result};
    tg_pg_act_write(&body, &event);
    tg_pg_int8(link, number);
    tg_pg_int8(link, act->at_us);
    tg_pg_bytes(link, tg_buf_span(&body));
    tg_pg_queue(link, TG_PG_ACT_RECORD);
}

static enum tg_err act_once(struct tg_postgres *store, struct tg_act *act, enum tg_err *result)
{
    struct tg_pg_link *link = &store->link;
    PGresult *results[TG_PG_QUEUED_MAX];
    int64_t changes = act->kind == TG_ACT_OTHER ? 0 : 1;
    tg_pg_queue(link, TG_PG_BEGIN);
    tg_pg_int8(link, changes);
    tg_pg_queue(link, TG_PG_ACT_BEGIN);
    enum tg_err err = tg_pg_sync(link, results);
    if (err != TG_OK)
        return err;
    int64_t number = tg_pg_get_int(results[1], 0, 0), version = tg_pg_get_int(results[1], 0, 1);
    PQclear(results[0]);
    PQclear(results[1]);
    err = change(link, act, result);
    if (err != TG_OK)
        return err;
    queue_record(link, act, number, *result);
    tg_pg_queue(link, TG_PG_COMMIT);
    err = tg_pg_flush(link);
    if (err != TG_OK)
        return err;
    store->last_event = (uint64_t)number;
    store->setup_version = version;
    if (store->setup_read_version + changes == version)
        store->setup_read_version = version; /* the caller knows what it did; else others did something too */
    return TG_OK;
}

enum tg_err tg_postgres_act(struct tg_store *base, struct tg_act *act)
{
    struct tg_postgres *store = tg_postgres_of(base);
    enum tg_err result = TG_OK, err = TG_ERR_DENIED;
    if (store->failed || atomic_load(&store->side_failed))
        return TG_ERR_DOWN;
    for (unsigned i = 0; err == TG_ERR_DENIED && i < ACT_TRIES; i++) {
        err = act_once(store, act, &result);
        if (err != TG_ERR_DENIED)
            break;
        bool again = store->link.fault == TG_PG_FAULT_AGAIN;
        err = tg_pg_rollback(&store->link);
        if (err == TG_OK)
            err = again ? TG_ERR_DENIED : TG_ERR_DOWN;
    }
    if (err != TG_OK) {
        store->failed = true; /* whether it became durable is not known */
        return TG_ERR_DOWN;
    }
    atomic_fetch_add(&store->events, 1);
    return result;
}

/* ---- reading ---- */

static enum tg_err take_text(const PGresult *rows, int at, int column, char *to, size_t cap)
{
    struct tg_span text = tg_pg_get_bytes(rows, at, column);
    if (text.len >= cap)
        return TG_ERR_CORRUPT;
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return TG_OK;
}

static enum tg_err show_partner(const PGresult *rows, int at, const struct tg_setup_reader *reader)
{
    struct tg_partner partner = {.id = (uint32_t)tg_pg_get_int(rows, at, 0)};
    enum tg_err err = take_text(rows, at, 1, partner.name, sizeof(partner.name));
    if (err == TG_OK && reader->partner != NULL)
        reader->partner(reader->user, &partner);
    return err;
}

static enum tg_err show_credential(const PGresult *rows, int at, const struct tg_setup_reader *reader)
{
    struct tg_credential credential = {.id = (uint32_t)tg_pg_get_int(rows, at, 0),
                                       .partner = (uint32_t)tg_pg_get_int(rows, at, 1),
                                       .environment = (uint8_t)tg_pg_get_int(rows, at, 2),
                                       .created_us = tg_pg_get_int(rows, at, 6),
                                       .expires_us = tg_pg_get_int(rows, at, 7),
                                       .revoked_us = tg_pg_get_int(rows, at, 8)};
    if (!tg_pg_get_copy(rows, at, 3, credential.hash, sizeof(credential.hash)))
        return TG_ERR_CORRUPT;
    enum tg_err err = take_text(rows, at, 4, credential.prefix, sizeof(credential.prefix));
    if (err == TG_OK)
        err = take_text(rows, at, 5, credential.operations, sizeof(credential.operations));
    if (err == TG_OK && reader->credential != NULL)
        reader->credential(reader->user, &credential);
    return err;
}

static enum tg_err show_limit(const PGresult *rows, int at, const struct tg_setup_reader *reader)
{
    struct tg_limit limit = {.partner = (uint32_t)tg_pg_get_int(rows, at, 0),
                             .environment = (uint8_t)tg_pg_get_int(rows, at, 1),
                             .payment_minor_max = tg_pg_get_int(rows, at, 3),
                             .day_minor_max = tg_pg_get_int(rows, at, 4)};
    enum tg_err err = take_text(rows, at, 2, limit.currency, sizeof(limit.currency));
    if (err == TG_OK && reader->limit != NULL)
        reader->limit(reader->user, &limit);
    return err;
}

static enum tg_err show_certificate(const PGresult *rows, int at, const struct tg_setup_reader *reader)
{
    struct tg_partner_certificate certificate = {.partner = (uint32_t)tg_pg_get_int(rows, at, 0),
                                                 .not_after_us = tg_pg_get_int(rows, at, 2)};
    if (!tg_pg_get_copy(rows, at, 1, certificate.sha256, sizeof(certificate.sha256)))
        return TG_ERR_CORRUPT;
    if (reader->certificate != NULL)
        reader->certificate(reader->user, &certificate);
    return TG_OK;
}

static enum tg_err show_route(const PGresult *rows, int at, const struct tg_setup_reader *reader)
{
    struct tg_route_credential route = {.sealed = tg_pg_get_bytes(rows, at, 1)};
    enum tg_err err = take_text(rows, at, 0, route.route, sizeof(route.route));
    if (err == TG_OK && reader->route != NULL)
        reader->route(reader->user, &route);
    return err;
}

enum tg_err tg_postgres_setup_read(struct tg_store *base, const struct tg_setup_reader *reader)
{
    static const struct {
        enum tg_pg_statement statement;
        enum tg_err (*show)(const PGresult *rows, int at, const struct tg_setup_reader *reader);
    } tables[] = {
        {TG_PG_PARTNERS, show_partner},         {TG_PG_CREDENTIALS, show_credential}, {TG_PG_LIMITS, show_limit},
        {TG_PG_CERTIFICATES, show_certificate}, {TG_PG_ROUTES, show_route},
    };
    enum { TABLES = sizeof(tables) / sizeof(tables[0]) };
    struct tg_postgres *store = tg_postgres_of(base);
    PGresult *results[TG_PG_QUEUED_MAX];
    /* The version first: what is read is at least as new, and a change in between is only read again. */
    tg_pg_queue(&store->link, TG_PG_SETUP_VERSION);
    for (size_t i = 0; i < TABLES; i++)
        tg_pg_queue(&store->link, tables[i].statement);
    enum tg_err err = tg_pg_sync(&store->link, results);
    if (err != TG_OK)
        return TG_ERR_DOWN;
    store->setup_read_version = store->setup_version = tg_pg_get_int(results[0], 0, 0);
    for (size_t i = 0; i < TABLES; i++)
        for (int at = 0; err == TG_OK && at < PQntuples(results[i + 1]); at++)
            err = tables[i].show(results[i + 1], at, reader);
    for (size_t i = 0; i <= TABLES; i++)
        PQclear(results[i]);
    return err;
}

bool tg_postgres_setup_changed(const struct tg_store *base)
{
    const struct tg_postgres *store = tg_postgres_of_const(base);
    return store->setup_read_version != 0 && store->setup_version != store->setup_read_version;
}
