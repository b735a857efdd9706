/*
 * setup.c - what an operator sets up (partners, API keys, limits, certificates, routes), and the acts that do it.
 *
 * Promises: the change and its event are one transaction; an act that is
 * refused (name taken, nothing there) leaves an event that says so. Rows are
 * read in order of id.
 * Does not: hold a secret: of an API key the hash, of a route's credential
 * what the sealer sealed.
 */
#include <string.h>

#include "store/sqlite.h"
#include "store/state.h"

/* Refusals by the schema's own rules. */
static enum tg_err constraint_err(sqlite3 *db, int rc)
{
    if ((rc & 0xff) != SQLITE_CONSTRAINT)
        return tg_sqlite_err(rc);
    switch (sqlite3_extended_errcode(db)) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return TG_ERR_DENIED;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return TG_ERR_ABSENT;
    default:
        return TG_ERR_INPUT;
    }
}

static enum tg_err step_and_finish(sqlite3 *db, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    enum tg_err err = rc == SQLITE_DONE ? TG_OK : constraint_err(db, rc);
    sqlite3_finalize(statement);
    return err;
}

static struct tg_span text_of(const char *text, size_t cap)
{
    return tg_span(text, strnlen(text, cap));
}

static enum tg_err add_partner(sqlite3 *db, struct tg_partner *partner)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(db, "INSERT INTO partner (name) VALUES (?1)", &put);
    if (err != TG_OK)
        return err;
    (void)tg_sqlite_bind_text(put, 1, text_of(partner->name, sizeof(partner->name)));
    err = step_and_finish(db, put);
    if (err == TG_OK)
        partner->id = (uint32_t)sqlite3_last_insert_rowid(db);
    return err;
}

static enum tg_err add_credential(sqlite3 *db, struct tg_credential *credential)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(db,
                                        "INSERT INTO credential (partner, environment, hash, prefix, operations, "
                                        "created_us, expires_us, revoked_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                        &put);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, credential->partner);
    (void)sqlite3_bind_int(put, 2, credential->environment);
    (void)tg_sqlite_bind_blob(put, 3, tg_span(credential->hash, sizeof(credential->hash)));
    (void)tg_sqlite_bind_text(put, 4, text_of(credential->prefix, sizeof(credential->prefix)));
    (void)tg_sqlite_bind_text(put, 5, text_of(credential->operations, sizeof(credential->operations)));
    (void)sqlite3_bind_int64(put, 6, credential->created_us);
    (void)sqlite3_bind_int64(put, 7, credential->expires_us);
    (void)sqlite3_bind_int64(put, 8, credential->revoked_us);
    err = step_and_finish(db, put);
    if (err == TG_OK)
        credential->id = (uint32_t)sqlite3_last_insert_rowid(db);
    return err;
}

/* A second revocation changes nothing: the first time stands. */
static enum tg_err revoke_credential(sqlite3 *db, const struct tg_credential *credential)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(
        db, "UPDATE credential SET revoked_us = iif(revoked_us = 0, ?2, revoked_us) WHERE id = ?1", &put);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, credential->id);
    (void)sqlite3_bind_int64(put, 2, credential->revoked_us);
    err = step_and_finish(db, put);
    return err == TG_OK && sqlite3_changes(db) == 0 ? TG_ERR_ABSENT : err;
}

static enum tg_err set_limit(sqlite3 *db, const struct tg_limit *limit)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(db,
                                        "INSERT INTO payment_limit (partner, environment, currency, payment_minor_max, "
                                        "day_minor_max) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET "
                                        "payment_minor_max = excluded.payment_minor_max, "
                                        "day_minor_max = excluded.day_minor_max",
                                        &put);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, limit->partner);
    (void)sqlite3_bind_int(put, 2, limit->environment);
    (void)tg_sqlite_bind_text(put, 3, text_of(limit->currency, sizeof(limit->currency)));
    (void)sqlite3_bind_int64(put, 4, limit->payment_minor_max);
    (void)sqlite3_bind_int64(put, 5, limit->day_minor_max);
    return step_and_finish(db, put);
}

static enum tg_err add_certificate(sqlite3 *db, const struct tg_partner_certificate *certificate)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(db,
                                        "INSERT INTO certificate (partner, sha256, not_after_us) VALUES (?1, ?2, ?3) "
                                        "ON CONFLICT DO UPDATE SET not_after_us = excluded.not_after_us",
                                        &put);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, certificate->partner);
    (void)tg_sqlite_bind_blob(put, 2, tg_span(certificate->sha256, sizeof(certificate->sha256)));
    (void)sqlite3_bind_int64(put, 3, certificate->not_after_us);
    return step_and_finish(db, put);
}

static enum tg_err set_route(sqlite3 *db, const struct tg_route_credential *route)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(
        db, "INSERT INTO route (route, sealed) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
        &put);
    if (err != TG_OK)
        return err;
    (void)tg_sqlite_bind_text(put, 1, text_of(route->route, sizeof(route->route)));
    (void)tg_sqlite_bind_blob(put, 2, route->sealed);
    return step_and_finish(db, put);
}

static enum tg_err change(sqlite3 *db, struct tg_act *act)
{
    switch (act->kind) {
    case TG_ACT_PARTNER_ADD:
        return add_partner(db, &act->partner);
    case TG_ACT_CREDENTIAL_ADD:
        return add_credential(db, &act->credential);
    case TG_ACT_CREDENTIAL_REVOKE:
        return revoke_credential(db, &act->credential);
    case TG_ACT_LIMIT_SET:
        return set_limit(db, &act->limit);
    case TG_ACT_CERTIFICATE_ADD:
        return add_certificate(db, &act->certificate);
    case TG_ACT_ROUTE_SET:
        return set_route(db, &act->route);
    case TG_ACT_OTHER:
        return TG_OK;
    }
    return TG_ERR_BUG;
}

static enum tg_err record(struct tg_store *store, const struct tg_act *act, enum tg_err result)
{
    sqlite3_stmt *put = NULL;
    enum tg_err err = tg_sqlite_prepare(store->setup,
                                        "INSERT INTO act (sequence, at_us, request_id, result, actor, what, before, "
                                        "after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                                        &put);
    if (err != TG_OK)
        return err;
    (void)sqlite3_bind_int64(put, 1, (int64_t)store->sequence + 1);
    (void)sqlite3_bind_int64(put, 2, act->at_us);
    (void)tg_sqlite_bind_blob(put, 3, tg_span(act->request_id, sizeof(act->request_id)));
    (void)sqlite3_bind_int(put, 4, result);
    (void)tg_sqlite_bind_text(put, 5, tg_span_sub(act->actor, 0, TG_ACT_WORDS_BYTES_MAX));
    (void)tg_sqlite_bind_text(put, 6, tg_span_sub(act->what, 0, TG_ACT_WORDS_BYTES_MAX));
    (void)tg_sqlite_bind_text(put, 7, tg_span_sub(act->before, 0, TG_ACT_JSON_BYTES_MAX));
    (void)tg_sqlite_bind_text(put, 8, tg_span_sub(act->after, 0, TG_ACT_JSON_BYTES_MAX));
    return step_and_finish(store->setup, put);
}

enum tg_err tg_embedded_act(struct tg_store *store, struct tg_act *act)
{
    if (store->failed)
        return TG_ERR_DOWN;
    enum tg_err err = tg_sqlite_exec(store->setup, "BEGIN IMMEDIATE");
    if (err != TG_OK)
        return err;
    enum tg_err result = change(store->setup, act);
    bool told = result == TG_OK || result == TG_ERR_DENIED || result == TG_ERR_ABSENT || result == TG_ERR_INPUT;
    err = told ? record(store, act, result) : result;
    if (err == TG_OK)
        err = tg_sqlite_exec(store->setup, "COMMIT");
    if (err != TG_OK) {
        (void)sqlite3_exec(store->setup, "ROLLBACK", NULL, NULL, NULL);
        store->failed = true; /* whether it became durable is not known */
        return err;
    }
    store->sequence++;
    store->acts++;
    tg_state_publish_claims(store);
    return result;
}

/* Text of our own table into a fixed array; TG_ERR_CORRUPT when it does not fit. */
static enum tg_err take_text(sqlite3_stmt *row, int column, char *to, size_t cap)
{
    struct tg_span text = tg_sqlite_bytes(row, column);
    if (text.len >= cap)
        return TG_ERR_CORRUPT;
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return TG_OK;
}

static enum tg_err take_digest(sqlite3_stmt *row, int column, uint8_t to[TG_DIGEST_BYTES])
{
    struct tg_span bytes = tg_sqlite_bytes(row, column);
    if (bytes.len != TG_DIGEST_BYTES)
        return TG_ERR_CORRUPT;
    memcpy(to, bytes.ptr, TG_DIGEST_BYTES);
    return TG_OK;
}

static enum tg_err show_partner(sqlite3_stmt *row, const struct tg_setup_reader *reader)
{
    struct tg_partner partner = {.id = (uint32_t)sqlite3_column_int64(row, 0)};
    enum tg_err err = take_text(row, 1, partner.name, sizeof(partner.name));
    if (err == TG_OK && reader->partner != NULL)
        reader->partner(reader->user, &partner);
    return err;
}

static enum tg_err show_credential(sqlite3_stmt *row, const struct tg_setup_reader *reader)
{
    struct tg_credential credential = {.id = (uint32_t)sqlite3_column_int64(row, 0),
                                       .partner = (uint32_t)sqlite3_column_int64(row, 1),
                                       .environment = (uint8_t)sqlite3_column_int(row, 2),
                                       .created_us = sqlite3_column_int64(row, 6),
                                       .expires_us = sqlite3_column_int64(row, 7),
                                       .revoked_us = sqlite3_column_int64(row, 8)};
    enum tg_err err = take_digest(row, 3, credential.hash);
    if (err == TG_OK)
        err = take_text(row, 4, credential.prefix, sizeof(credential.prefix));
    if (err == TG_OK)
        err = take_text(row, 5, credential.operations, sizeof(credential.operations));
    if (err == TG_OK && reader->credential != NULL)
        reader->credential(reader->user, &credential);
    return err;
}

static enum tg_err show_limit(sqlite3_stmt *row, const struct tg_setup_reader *reader)
{
    struct tg_limit limit = {.partner = (uint32_t)sqlite3_column_int64(row, 0),
                             .environment = (uint8_t)sqlite3_column_int(row, 1),
                             .payment_minor_max = sqlite3_column_int64(row, 3),
                             .day_minor_max = sqlite3_column_int64(row, 4)};
    enum tg_err err = take_text(row, 2, limit.currency, sizeof(limit.currency));
    if (err == TG_OK && reader->limit != NULL)
        reader->limit(reader->user, &limit);
    return err;
}

static enum tg_err show_certificate(sqlite3_stmt *row, const struct tg_setup_reader *reader)
{
    struct tg_partner_certificate certificate = {.partner = (uint32_t)sqlite3_column_int64(row, 0),
                                                 .not_after_us = sqlite3_column_int64(row, 2)};
    enum tg_err err = take_digest(row, 1, certificate.sha256);
    if (err == TG_OK && reader->certificate != NULL)
        reader->certificate(reader->user, &certificate);
    return err;
}

static enum tg_err show_route(sqlite3_stmt *row, const struct tg_setup_reader *reader)
{
    struct tg_route_credential route = {.sealed = tg_sqlite_bytes(row, 1)};
    enum tg_err err = take_text(row, 0, route.route, sizeof(route.route));
    if (err == TG_OK && reader->route != NULL)
        reader->route(reader->user, &route);
    return err;
}

enum tg_err tg_embedded_setup_read(struct tg_store *store, const struct tg_setup_reader *reader)
{
    static const struct {
        const char *sql;
        enum tg_err (*show)(sqlite3_stmt *row, const struct tg_setup_reader *reader);
    } tables[] = {
        {"SELECT id, name FROM partner ORDER BY id", show_partner},
        {"SELECT id, partner, environment, hash, prefix, operations, created_us, expires_us, revoked_us "
         "FROM credential ORDER BY id",
         show_credential},
        {"SELECT partner, environment, currency, payment_minor_max, day_minor_max FROM payment_limit "
         "ORDER BY partner, environment, currency",
         show_limit},
        {"SELECT partner, sha256, not_after_us FROM certificate ORDER BY partner, sha256", show_certificate},
        {"SELECT route, sealed FROM route ORDER BY route", show_route},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        sqlite3_stmt *all = NULL;
        enum tg_err err = tg_sqlite_prepare(store->setup, tables[i].sql, &all);
        int rc = SQLITE_DONE;
        while (err == TG_OK && (rc = sqlite3_step(all)) == SQLITE_ROW)
            err = tables[i].show(all, reader);
        sqlite3_finalize(all);
        if (err == TG_OK)
            err = tg_sqlite_err(rc);
        if (err != TG_OK)
            return err;
    }
    return TG_OK;
}
