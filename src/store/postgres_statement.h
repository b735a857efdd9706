/*
 * postgres_statement.h - the statements that the store puts to a server, by name.
 *
 * Promises: all of them stand in one table (postgres_statement.c), so that what a database is
 * asked can be read in one place: no function, no trigger, no extension, no server-side state
 * but tables, sessions and, where the server has them, advisory locks. What only PostgreSQL itself
 * has (advisory locks, the size of a table) is asked in statements of its own, which none needs.
 */
#ifndef TG_STORE_POSTGRES_STATEMENT_H
#define TG_STORE_POSTGRES_STATEMENT_H

#include <stdbool.h>

enum tg_pg_statement {
    TG_PG_BEGIN, TG_PG_COMMIT, TG_PG_ROLLBACK, TG_PG_SAVEPOINT, TG_PG_ROLLBACK_TO,
    /* a batch: what is known */
    TG_PG_CLAIM_TAKE, TG_PG_CLAIM_BY_KEY, TG_PG_CLAIM_BY_TICKET, TG_PG_CLAIM_BY_REQUEST, TG_PG_COUNTER_LOCK,
    TG_PG_SEALED, TG_PG_TAKEOVERS,
    /* a batch: what becomes of it */
    TG_PG_CLAIM_DROP, TG_PG_CLAIM_CHANGE, TG_PG_SETTLE, TG_PG_COUNTER_CHANGE, TG_PG_COUNTER_ADD, TG_PG_SEGMENT_END,
    TG_PG_INSTANCE_LOW, TG_PG_FINISH, TG_PG_FINISH_SILENT,
    /* a keeper comes and goes */
    TG_PG_TICKETS, TG_PG_INSTANCE_NUMBER, TG_PG_INSTANCE_ADD, TG_PG_INSTANCE_LOCK, TG_PG_INSTANCE_TRY,
    TG_PG_INSTANCE_OTHERS, TG_PG_INSTANCE_OLD, TG_PG_INSTANCE_BEAT, TG_PG_TAKEOVER, TG_PG_TAKEOVER_CLAIMS,
    TG_PG_INSTANCE_DROP, TG_PG_RECENT, TG_PG_SEALER_ADD, TG_PG_SEALER,
    /* between batches */
    TG_PG_POLL, TG_PG_SEGMENT_SEAL, TG_PG_SEGMENTS_DUE, TG_PG_SEGMENT_PURGED, TG_PG_SWEEP_LOOK, TG_PG_SWEEP,
    TG_PG_SWEPT, TG_PG_EVENTS_LEAVE, TG_PG_EVENTS_LEFT, TG_PG_COUNTERS_LEAVE, TG_PG_SEGMENTS_LEAVE, TG_PG_SIZE,
    /* reading back */
    TG_PG_EVENTS, TG_PG_UNKNOWNS, TG_PG_LAST_EVENT,
    /* what operators set up */
    TG_PG_ACT_BEGIN, TG_PG_ACT_RECORD, TG_PG_PARTNER_ADD, TG_PG_CREDENTIAL_ADD, TG_PG_CREDENTIAL_REVOKE,
    TG_PG_LIMIT_SET, TG_PG_CERTIFICATE_ADD, TG_PG_ROUTE_SET, TG_PG_SETUP_VERSION, TG_PG_PARTNERS, TG_PG_CREDENTIALS,
    TG_PG_LIMITS, TG_PG_CERTIFICATES, TG_PG_ROUTES,
    /* moving a store (move.c) */
    TG_PG_MOVE_EMPTY, TG_PG_MOVE_PARTNER, TG_PG_MOVE_CREDENTIAL, TG_PG_MOVE_CLAIM, TG_PG_MOVE_EVENT,
    TG_PG_MOVE_SEGMENT_NONE, TG_PG_MOVE_SEGMENT, TG_PG_MOVE_STATE, TG_PG_MOVE_CLAIMS,
    TG_PG_MOVE_COUNTERS, TG_PG_MOVE_SEGMENTS,
    TG_PG_STATEMENTS
};

const char *tg_pg_statement_text(enum tg_pg_statement statement);
/* False: a server that cannot prepare it does without (no advisory locks; no size). */
bool tg_pg_statement_needed(enum tg_pg_statement statement);

#endif
