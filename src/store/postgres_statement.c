/*
 * postgres_statement.c - see postgres_statement.h.
 *
 * Promises: a set at a time: arrays come in, UNNEST makes rows of them. A guard
 * is a division by zero (22012) when fewer rows were changed than were
 * known: the transaction breaks off and the batch is decided again on what is
 * there now. So no statement waits for an answer of the one before it, and two
 * round trips are enough. Where others may create in our schema, a function of theirs that fits the arguments better
 * would run with our rights: types are those that the server's own functions have, or the schema is named (UNNEST of
 * several arrays is a form of the language and always the server's).
 */
#include "store/postgres_statement.h"

#include <stddef.h>

#define GUARD(from, count) "SELECT 1 / (CASE WHEN count(*) = " count " THEN 1 ELSE 0 END) FROM " from

#define SIZE(table) "pg_catalog.pg_total_relation_size('" table "'::pg_catalog.regclass)"
#define CLAIM "c.claim_key, c.ticket, c.instance, c.state, c.told, c.body"
/* Answers up to a quarter of a mebibyte come along; larger ones are asked for one by one. */
#define SETTLEMENT                                                                                                     \
    "s.ticket, s.request_id, s.outcome, s.upstream_status, s.caller_status, s.segment, s.expires_us, "                 \
    "coalesce(length(s.sealed), 0)::int8, CASE WHEN length(s.sealed) <= 262144 THEN s.sealed END, g.purged"

static const char *const texts[TG_PG_STATEMENTS] = {
    [TG_PG_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED",
    [TG_PG_COMMIT] = "COMMIT",
    [TG_PG_ROLLBACK] = "ROLLBACK",
    [TG_PG_SAVEPOINT] = "SAVEPOINT act",
    [TG_PG_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT act",

    [TG_PG_CLAIM_TAKE] =
        "INSERT INTO tollgate_claim (claim_key, ticket, request_id, instance, state, told, body) "
        "SELECT u.k, u.t, u.r, $5::int4, 1, 0, u.b FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::bytea[]) "
        "AS u(k, t, r, b) ON CONFLICT (claim_key) DO NOTHING RETURNING ticket",
    [TG_PG_CLAIM_BY_KEY] =
        "SELECT " CLAIM ", " SETTLEMENT " FROM unnest($1::uuid[], $2::int8[]) AS u(k, t) "
        "JOIN tollgate_claim c ON c.claim_key = u.k AND c.ticket <> u.t "
        "LEFT JOIN tollgate_settlement s ON s.ticket = c.ticket LEFT JOIN tollgate_segment g ON g.number = s.segment",
    [TG_PG_CLAIM_BY_TICKET] =
        "SELECT " CLAIM ", " SETTLEMENT " FROM pg_catalog.unnest($1::int8[]) AS u(t) "
        "LEFT JOIN tollgate_claim c ON c.ticket = u.t "
        "LEFT JOIN tollgate_settlement s ON s.ticket = u.t LEFT JOIN tollgate_segment g ON g.number = s.segment",
    [TG_PG_CLAIM_BY_REQUEST] =
        "SELECT " CLAIM ", " SETTLEMENT " FROM pg_catalog.unnest($1::uuid[]) AS u(r) "
        "JOIN tollgate_claim c ON c.request_id = u.r AND c.state IN (2, 3) "
        "LEFT JOIN tollgate_settlement s ON s.ticket = c.ticket LEFT JOIN tollgate_segment g ON g.number = s.segment",
    [TG_PG_COUNTER_LOCK] =
        "SELECT c.partner, c.day, c.environment, c.currency, c.reserved, c.committed "
        "FROM unnest($1::int8[], $2::int4[], $3::int2[], $4::bytea[]) AS u(p, d, e, y) JOIN tollgate_counter c "
        "ON c.partner = u.p AND c.day = u.d AND c.environment = u.e AND c.currency = u.y "
        "ORDER BY c.partner, c.day, c.environment, c.currency FOR UPDATE OF c",
    [TG_PG_SEALED] = "SELECT sealed FROM tollgate_settlement WHERE ticket = $1::int8",
    [TG_PG_TAKEOVERS] = "SELECT takeovers, (SELECT count(*) FROM tollgate_instance WHERE id = $1::int4)::int8 "
                        "FROM tollgate_state WHERE id = 1",

    [TG_PG_CLAIM_DROP] =
        "WITH d AS (DELETE FROM tollgate_claim c USING unnest($1::uuid[], $2::int8[], $3::int2[]) AS u(k, t, s) "
        "WHERE c.claim_key = u.k AND c.ticket = u.t AND c.state = u.s RETURNING c.ticket) " GUARD("d", "$4::int8"),
    [TG_PG_CLAIM_CHANGE] =
        "WITH d AS (UPDATE tollgate_claim c SET ticket = u.nt, request_id = u.r, instance = $9::int4, state = u.ns, "
        "told = u.o, body = coalesce(u.b, c.body) FROM unnest($1::uuid[], $2::int8[], $3::int2[], $4::int8[], $5::uuid[], $6::int2[], "
        "$7::int8[], $8::bytea[]) AS u(k, t, s, nt, r, ns, o, b) WHERE c.claim_key = u.k AND c.ticket = u.t "
        "AND c.state = u.s RETURNING c.ticket) " GUARD("d", "$10::int8"),
    [TG_PG_SETTLE] =
        "WITH d AS (INSERT INTO tollgate_settlement (ticket, request_id, outcome, upstream_status, caller_status, "
        "segment, expires_us, sealed) SELECT * FROM unnest($1::int8[], $2::uuid[], $3::int2[], $4::int4[], $5::int4[], "
        "$6::int8[], $7::int8[], $8::bytea[]) ON CONFLICT (ticket) DO NOTHING RETURNING ticket) "
        GUARD("d", "$9::int8"),
    [TG_PG_COUNTER_CHANGE] =
        "WITH d AS (UPDATE tollgate_counter c SET reserved = u.nr, committed = u.nc FROM unnest($1::int8[], $2::int4[], "
        "$3::int2[], $4::bytea[], $5::int8[], $6::int8[], $7::int8[], $8::int8[]) AS u(p, d, e, y, r, c, nr, nc) "
        "WHERE c.partner = u.p AND c.day = u.d AND c.environment = u.e AND c.currency = u.y AND c.reserved = u.r "
        "AND c.committed = u.c RETURNING c.partner) " GUARD("d", "$9::int8"),
    [TG_PG_COUNTER_ADD] =
        "WITH d AS (INSERT INTO tollgate_counter (partner, day, environment, currency, reserved, committed) "
        "SELECT * FROM unnest($1::int8[], $2::int4[], $3::int2[], $4::bytea[], $5::int8[], $6::int8[]) "
        "ON CONFLICT (partner, day, environment, currency) DO NOTHING RETURNING partner) " GUARD("d", "$7::int8"),
    [TG_PG_SEGMENT_END] = "UPDATE tollgate_segment SET answers_end_us = $2::int8 WHERE number = $1::int8 "
                          "AND answers_end_us < $2::int8",
    [TG_PG_INSTANCE_LOW] = "UPDATE tollgate_instance SET low_ticket = $2::int8 WHERE id = $1::int4 "
                           "AND low_ticket > $2::int8",
    /* Events get their numbers here, under the lock of the row that numbers them: they become visible in order. */
    [TG_PG_FINISH] =
        "WITH s AS (UPDATE tollgate_state SET next_event = next_event + $1::int8, events = events + $1::int8, "
        "claims = claims + $2::int8, unknown = unknown + $3::int8 WHERE id = 1 AND takeovers = $4::int8 "
        "RETURNING next_event - $1::int8 AS first), e AS (INSERT INTO tollgate_event (first, last, at_us, act, body) "
        "SELECT s.first + u.o, s.first + u.o + u.n - 1, $5::int8, false, u.b FROM s, unnest($6::int8[], $7::int8[], "
        "$8::bytea[]) AS u(o, n, b) RETURNING first) SELECT (SELECT max(first) FROM s), "
        "1 / (CASE WHEN (SELECT count(*) FROM e) = $9::int8 THEN 1 ELSE 0 END)",
    [TG_PG_FINISH_SILENT] =
        "WITH s AS (UPDATE tollgate_state SET claims = claims + $1::int8, unknown = unknown + $2::int8 WHERE id = 1 "
        "AND takeovers = $3::int8 RETURNING id) " GUARD("s", "1"),

    [TG_PG_TICKETS] = "UPDATE tollgate_state SET next_ticket = next_ticket + $1::int8 WHERE id = 1 "
                      "RETURNING next_ticket - $1::int8",
    [TG_PG_INSTANCE_NUMBER] = "UPDATE tollgate_state SET next_instance = next_instance + 1 WHERE id = 1 "
                              "RETURNING next_instance - 1",
    [TG_PG_INSTANCE_ADD] = "INSERT INTO tollgate_instance (id, heartbeat, low_ticket) VALUES ($1::int4, now(), $2::int8)",
    [TG_PG_INSTANCE_LOCK] = "SELECT pg_try_advisory_lock($1::int4, $2::int4)",
    [TG_PG_INSTANCE_TRY] = "SELECT pg_try_advisory_xact_lock($1::int4, $2::int4)",
    [TG_PG_INSTANCE_OTHERS] = "SELECT id FROM tollgate_instance WHERE id <> $1::int4 ORDER BY id",
    [TG_PG_INSTANCE_OLD] = "SELECT id FROM tollgate_instance WHERE id = $1::int4 "
                           "AND heartbeat < now() - $2::int8::float8 * interval '1 second'",
    [TG_PG_INSTANCE_BEAT] = "UPDATE tollgate_instance SET heartbeat = now(), low_ticket = $2::int8 WHERE id = $1::int4",
    /* First the row that every batch changes: a keeper that is declared gone and is not finds its next batch refused. */
    [TG_PG_TAKEOVER] = "UPDATE tollgate_state SET takeovers = takeovers + 1 WHERE id = 1",
    [TG_PG_TAKEOVER_CLAIMS] =
        "WITH d AS (UPDATE tollgate_claim c SET state = 2 WHERE c.instance = $1::int4 AND c.state = 1 AND c.ticket >= "
        "(SELECT low_ticket FROM tollgate_instance WHERE id = $1::int4) AND NOT EXISTS (SELECT 1 FROM "
        "tollgate_settlement s WHERE s.ticket = c.ticket) RETURNING c.ticket) "
        "UPDATE tollgate_state SET unknown = unknown + (SELECT count(*) FROM d) WHERE id = 1",
    [TG_PG_INSTANCE_DROP] = "DELETE FROM tollgate_instance WHERE id = $1::int4",
    [TG_PG_RECENT] = "SELECT request_id, outcome FROM tollgate_settlement ORDER BY ticket DESC LIMIT $1::int8",

    [TG_PG_SEALER_ADD] = "INSERT INTO tollgate_sealer (id, public_key) VALUES (1, $1::bytea) ON CONFLICT (id) DO NOTHING",
    [TG_PG_SEALER] = "SELECT public_key FROM tollgate_sealer WHERE id = 1",

    [TG_PG_POLL] =
        "SELECT st.takeovers, st.setup_version, st.next_event, st.claims, st.unknown, st.events, g.number, g.opened_us, "
        "g.first_event, (SELECT count(*) FROM tollgate_segment WHERE NOT purged)::int8 FROM tollgate_state st, "
        "(SELECT * FROM tollgate_segment ORDER BY number DESC LIMIT 1) g WHERE st.id = 1",
    [TG_PG_SEGMENT_SEAL] =
        "WITH s AS (UPDATE tollgate_segment SET sealed_us = $2::int8 WHERE number = $1::int8 AND sealed_us = 0 "
        "RETURNING number) INSERT INTO tollgate_segment (number, opened_us, sealed_us, first_event, answers_end_us, "
        "purged) SELECT number + 1, $2::int8, 0, $3::int8, 0, false FROM s ON CONFLICT (number) DO NOTHING",
    [TG_PG_SEGMENTS_DUE] =
        "SELECT number FROM tollgate_segment WHERE sealed_us <> 0 AND NOT purged AND answers_end_us <= $1::int8 "
        "AND sealed_us + $2::int8 <= $1::int8 ORDER BY number LIMIT $3::int8",
    [TG_PG_SEGMENT_PURGED] = "UPDATE tollgate_segment SET purged = true WHERE number = $1::int8 AND sealed_us <> 0 "
                             "RETURNING number",
    [TG_PG_SWEEP_LOOK] = "SELECT ticket, expires_us FROM tollgate_settlement WHERE ticket > $1::int8 ORDER BY ticket "
                         "LIMIT $2::int8",
    [TG_PG_SWEEP] =
        "WITH c AS (DELETE FROM tollgate_claim WHERE ticket = ANY ($1::int8[]) RETURNING ticket), "
        "s AS (DELETE FROM tollgate_settlement WHERE ticket = ANY ($1::int8[]) RETURNING ticket) "
        "SELECT (SELECT count(*) FROM c)::int8, (SELECT count(*) FROM s)::int8",
    [TG_PG_SWEPT] = "UPDATE tollgate_state SET claims = claims - $1::int8 WHERE id = 1",
    [TG_PG_EVENTS_LEAVE] =
        "WITH d AS (DELETE FROM tollgate_event WHERE first IN (SELECT first FROM tollgate_event ORDER BY first "
        "LIMIT $2::int8) AND at_us < $1::int8 RETURNING last - first + 1 AS n) "
        "SELECT coalesce(sum(n), 0)::int8 FROM d",
    [TG_PG_EVENTS_LEFT] = "UPDATE tollgate_state SET events = events - $1::int8 WHERE id = 1",
    [TG_PG_COUNTERS_LEAVE] = "DELETE FROM tollgate_counter WHERE day < $1::int4 AND reserved = 0",
    [TG_PG_SEGMENTS_LEAVE] = "DELETE FROM tollgate_segment WHERE purged AND sealed_us < $1::int8",
    [TG_PG_SIZE] = "SELECT (" SIZE("tollgate_claim") " + " SIZE("tollgate_settlement") " + " SIZE("tollgate_event") ")::int8",

    [TG_PG_EVENTS] = "SELECT first, act, body FROM tollgate_event WHERE first > $1::int8 AND last >= $2::int8 "
                     "ORDER BY first LIMIT $3::int8",
    [TG_PG_UNKNOWNS] = "SELECT ticket, told, body FROM tollgate_claim WHERE state IN (2, 3)",
    [TG_PG_LAST_EVENT] = "SELECT next_event - 1 FROM tollgate_state WHERE id = 1",

    [TG_PG_ACT_BEGIN] = "UPDATE tollgate_state SET next_event = next_event + 1, events = events + 1, setup_version = "
                        "setup_version + $1::int8 WHERE id = 1 RETURNING next_event - 1, setup_version",
    [TG_PG_ACT_RECORD] = "INSERT INTO tollgate_event (first, last, at_us, act, body) VALUES ($1::int8, $1::int8, "
                         "$2::int8, true, $3::bytea)",
    [TG_PG_PARTNER_ADD] = "INSERT INTO tollgate_partner (id, name) SELECT coalesce(max(id), 0) + 1, $1::bytea "
                          "FROM tollgate_partner RETURNING id",
    [TG_PG_CREDENTIAL_ADD] =
        "INSERT INTO tollgate_credential (id, partner, environment, hash, prefix, operations, created_us, expires_us, "
        "revoked_us) SELECT coalesce(max(id), 0) + 1, $1::int8, $2::int4, $3::bytea, $4::bytea, $5::bytea, $6::int8, "
        "$7::int8, $8::int8 FROM tollgate_credential RETURNING id",
    [TG_PG_CREDENTIAL_REVOKE] = "UPDATE tollgate_credential SET revoked_us = CASE WHEN revoked_us = 0 THEN $2::int8 "
                                "ELSE revoked_us END WHERE id = $1::int8 RETURNING id",
    [TG_PG_LIMIT_SET] =
        "INSERT INTO tollgate_payment_limit (partner, environment, currency, payment_minor_max, day_minor_max) VALUES "
        "($1::int8, $2::int4, $3::bytea, $4::int8, $5::int8) ON CONFLICT (partner, environment, currency) DO UPDATE SET "
        "payment_minor_max = excluded.payment_minor_max, day_minor_max = excluded.day_minor_max",
    [TG_PG_CERTIFICATE_ADD] =
        "INSERT INTO tollgate_certificate (partner, sha256, not_after_us) VALUES ($1::int8, $2::bytea, $3::int8) "
        "ON CONFLICT (partner, sha256) DO UPDATE SET not_after_us = excluded.not_after_us",
    [TG_PG_ROUTE_SET] = "INSERT INTO tollgate_route (route, sealed) VALUES ($1::bytea, $2::bytea) ON CONFLICT (route) "
                        "DO UPDATE SET sealed = excluded.sealed",
    [TG_PG_SETUP_VERSION] = "SELECT setup_version FROM tollgate_state WHERE id = 1",
    [TG_PG_PARTNERS] = "SELECT id, name FROM tollgate_partner ORDER BY id",
    [TG_PG_CREDENTIALS] = "SELECT id, partner, environment, hash, prefix, operations, created_us, expires_us, "
                          "revoked_us FROM tollgate_credential ORDER BY id",
    [TG_PG_LIMITS] = "SELECT partner, environment, currency, payment_minor_max, day_minor_max FROM "
                     "tollgate_payment_limit ORDER BY partner, environment, currency",
    [TG_PG_CERTIFICATES] = "SELECT partner, sha256, not_after_us FROM tollgate_certificate ORDER BY partner, sha256",
    [TG_PG_ROUTES] = "SELECT route, sealed FROM tollgate_route ORDER BY route",

    [TG_PG_MOVE_EMPTY] = "SELECT next_event, (SELECT count(*) FROM tollgate_claim)::int8 + (SELECT count(*) FROM "
                         "tollgate_partner)::int8 + (SELECT count(*) FROM tollgate_sealer)::int8 FROM tollgate_state "
                         "WHERE id = 1",
    [TG_PG_MOVE_PARTNER] = "INSERT INTO tollgate_partner (id, name) VALUES ($1::int8, $2::bytea)",
    [TG_PG_MOVE_CREDENTIAL] =
        "INSERT INTO tollgate_credential (id, partner, environment, hash, prefix, operations, created_us, expires_us, "
        "revoked_us) VALUES ($1::int8, $2::int8, $3::int4, $4::bytea, $5::bytea, $6::bytea, $7::int8, $8::int8, "
        "$9::int8)",
    [TG_PG_MOVE_CLAIM] = "INSERT INTO tollgate_claim (claim_key, ticket, request_id, instance, state, told, body) "
                         "VALUES ($1::uuid, $2::int8, $3::uuid, 0, $4::int4, $5::int8, $6::bytea)",
    [TG_PG_MOVE_EVENT] = "INSERT INTO tollgate_event (first, last, at_us, act, body) VALUES ($1::int8, $2::int8, "
                         "$3::int8, $4::bool, $5::bytea)",
    [TG_PG_MOVE_SEGMENT_NONE] = "DELETE FROM tollgate_segment",
    [TG_PG_MOVE_SEGMENT] = "INSERT INTO tollgate_segment (number, opened_us, sealed_us, first_event, answers_end_us, "
                           "purged) VALUES ($1::int8, $2::int8, $3::int8, $4::int8, $5::int8, $6::bool)",
    [TG_PG_MOVE_STATE] = "UPDATE tollgate_state SET next_event = $1::int8, next_ticket = next_ticket + $1::int8, claims "
                         "= $2::int8, unknown = $3::int8, events = $4::int8, setup_version = setup_version + 1 "
                         "WHERE id = 1",
    [TG_PG_MOVE_CLAIMS] =
        "SELECT c.claim_key, c.ticket, c.state, c.told, c.body, s.upstream_status, s.caller_status, s.segment, "
        "s.expires_us, s.sealed, c.request_id, s.request_id, s.outcome FROM tollgate_claim c LEFT JOIN tollgate_settlement s ON s.ticket = c.ticket "
        "WHERE c.ticket > $1::int8 ORDER BY c.ticket LIMIT $2::int8",
    [TG_PG_MOVE_COUNTERS] = "SELECT partner, day, environment, currency, reserved, committed FROM tollgate_counter",
    [TG_PG_MOVE_SEGMENTS] = "SELECT number, opened_us, sealed_us, first_event, answers_end_us, purged FROM "
                            "tollgate_segment",
};

const char *tg_pg_statement_text(enum tg_pg_statement statement)
{
    return texts[statement];
}

bool tg_pg_statement_needed(enum tg_pg_statement statement)
{
    return statement != TG_PG_SIZE && statement != TG_PG_INSTANCE_LOCK && statement != TG_PG_INSTANCE_TRY;
}
