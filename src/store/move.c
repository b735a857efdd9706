/*
 * move.c - see move.h: the copy.
 *
 * Promises: statements go out in pieces of some megabytes; each piece's answer is read before the next.
 * Does not: hash or compare (move_sum.c).
 */
#include "store/move.h"

#include <string.h>

#include "base/endian.h"
#include "store/move_claim.h"
#include "store/postgres.h"
#include "store/postgres_act.h"
#include "store/sqlite.h"
#include "wire/message.h"

#define QUEUED (TG_PG_QUEUED_MAX - 2)
#define EVENT_HEAD_BYTES 7
/* Rows of a piece of the record: numbers below TG_PG_EVENT_ROWS_MAX from its first. */
#define PIECE_BYTES_MAX (256u * 1024u)

struct move {
    struct tg_store *from;
    struct tg_postgres *to;
    struct tg_pg_link *link;
    enum tg_err err; /* of a callback that cannot return one */
    tg_move_progress *progress;
    void *user;
    sqlite3_stmt *acts; /* stands on the next act, or NULL when there is none left */
    uint64_t events, claims, unknown;
    uint64_t first, last; /* numbers of the piece; 0: empty */
    int64_t at_us;
    struct tg_buf piece;
    uint8_t bytes[PIECE_BYTES_MAX];
};

static enum tg_err sent(struct move *move)
{
    return move->link->queued < QUEUED ? TG_OK : tg_pg_flush(move->link);
}

/* ---- what operators set up ---- */

static struct tg_span text_of(const char *text, size_t cap)
{
    return tg_span(text, strnlen(text, cap));
}

static void after(struct move *move)
{
    enum tg_err err = sent(move);
    if (move->err == TG_OK)
        move->err = err;
}

static void on_partner(void *user, const struct tg_partner *row)
{
    struct move *move = user;
    tg_pg_int8(move->link, row->id);
    tg_pg_bytes(move->link, text_of(row->name, sizeof(row->name)));
    tg_pg_queue(move->link, TG_PG_MOVE_PARTNER);
    after(move);
}

static void on_credential(void *user, const struct tg_credential *row)
{
    struct move *move = user;
    tg_pg_int8(move->link, row->id);
    tg_pg_int8(move->link, row->partner);
    tg_pg_int4(move->link, row->environment);
    tg_pg_bytes(move->link, tg_span(row->hash, sizeof(row->hash)));
    tg_pg_bytes(move->link, text_of(row->prefix, sizeof(row->prefix)));
    tg_pg_bytes(move->link, text_of(row->operations, sizeof(row->operations)));
    tg_pg_int8(move->link, row->created_us);
    tg_pg_int8(move->link, row->expires_us);
    tg_pg_int8(move->link, row->revoked_us);
    tg_pg_queue(move->link, TG_PG_MOVE_CREDENTIAL);
    after(move);
}

static void on_limit(void *user, const struct tg_limit *row)
{
    struct move *move = user;
    tg_pg_int8(move->link, row->partner);
    tg_pg_int4(move->link, row->environment);
    tg_pg_bytes(move->link, text_of(row->currency, sizeof(row->currency)));
    tg_pg_int8(move->link, row->payment_minor_max);
    tg_pg_int8(move->link, row->day_minor_max);
    tg_pg_queue(move->link, TG_PG_LIMIT_SET);
    after(move);
}

static void on_certificate(void *user, const struct tg_partner_certificate *row)
{
    struct move *move = user;
    tg_pg_int8(move->link, row->partner);
    tg_pg_bytes(move->link, tg_span(row->sha256, sizeof(row->sha256)));
    tg_pg_int8(move->link, row->not_after_us);
    tg_pg_queue(move->link, TG_PG_CERTIFICATE_ADD);
    after(move);
}

static void on_route(void *user, const struct tg_route_credential *row)
{
    struct move *move = user;
    tg_pg_bytes(move->link, text_of(row->route, sizeof(row->route)));
    tg_pg_bytes(move->link, row->sealed);
    tg_pg_queue(move->link, TG_PG_ROUTE_SET);
    after(move);
}

/* Whose keys name the claims, where that is known. */
static enum tg_err copy_sealer(struct move *move)
{
    sqlite3_stmt *get = NULL;
    enum tg_err err = tg_sqlite_prepare(move->from->setup, "SELECT public_key FROM sealer", &get);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(get);
    err = tg_sqlite_err(rc);
    if (rc == SQLITE_ROW) {
        tg_pg_bytes(move->link, tg_sqlite_bytes(get, 0));
        tg_pg_queue(move->link, TG_PG_SEALER_ADD);
        err = sent(move);
    }
    sqlite3_finalize(get);
    return err;
}

static enum tg_err copy_setup(struct move *move)
{
    const struct tg_setup_reader reader = {move, on_partner, on_credential, on_limit, on_certificate, on_route};
    enum tg_err err = tg_store_setup_read(move->from, &reader);
    if (err == TG_OK)
        err = move->err;
    return err == TG_OK ? copy_sealer(move) : err;
}

/* ---- the record ---- */

static void count_event(struct move *move)
{
    if (++move->events % TG_MOVE_PROGRESS_STEP == 0)
        move->progress(move->user, "events", move->events);
}

static enum tg_err queue_event(struct move *move, uint64_t first, uint64_t last, int64_t at_us, bool act,
                               struct tg_span body)
{
    tg_pg_int8(move->link, (int64_t)first);
    tg_pg_int8(move->link, (int64_t)last);
    tg_pg_int8(move->link, at_us);
    tg_pg_bool(move->link, act);
    tg_pg_bytes(move->link, body);
    tg_pg_queue(move->link, TG_PG_MOVE_EVENT);
    return sent(move);
}

static enum tg_err end_piece(struct move *move)
{
    if (move->first == 0)
        return TG_OK;
    uint64_t first = move->first;
    move->first = 0;
    return queue_event(move, first, move->last, move->at_us, false, tg_buf_span(&move->piece));
}

static enum tg_err copy_act(struct move *move, sqlite3_stmt *row)
{
    uint8_t bytes[TG_PG_ACT_BYTES_MAX];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    uint64_t sequence = (uint64_t)sqlite3_column_int64(row, 0);
    const struct tg_event_act act = {.at_us = sqlite3_column_int64(row, 1), .request_id = tg_sqlite_bytes(row, 2),
                                     .result = (enum tg_err)sqlite3_column_int(row, 3),
                                     .actor = tg_sqlite_bytes(row, 4), .what = tg_sqlite_bytes(row, 5),
                                     .before = tg_sqlite_bytes(row, 6), .after = tg_sqlite_bytes(row, 7)};
    tg_pg_act_write(&body, &act);
    if (tg_buf_done(&body) != TG_OK)
        return TG_ERR_BUG;
    count_event(move);
    return queue_event(move, sequence, sequence, act.at_us, true, tg_buf_span(&body));
}

static enum tg_err next_act(struct move *move)
{
    int rc = sqlite3_step(move->acts);
    if (rc == SQLITE_ROW)
        return TG_OK;
    sqlite3_finalize(move->acts);
    move->acts = NULL;
    return tg_sqlite_err(rc);
}

/* Acts whose number is below `before`. A piece ends before an act, for pieces are read whole, one after the other. */
static enum tg_err copy_acts(struct move *move, uint64_t before)
{
    enum tg_err err = TG_OK;
    while (err == TG_OK && move->acts != NULL && (uint64_t)sqlite3_column_int64(move->acts, 0) < before) {
        err = end_piece(move);
        if (err == TG_OK)
            err = copy_act(move, move->acts);
        if (err == TG_OK)
            err = next_act(move);
    }
    return err;
}

static enum tg_err on_row(void *user, const struct tg_row *row, struct tg_span sealed)
{
    struct move *move = user;
    uint8_t bytes[TG_ROW_BYTES_MAX];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    (void)sealed;
    if (!tg_row_is_event(row->kind))
        return TG_OK;
    enum tg_err err = copy_acts(move, row->sequence);
    if (err != TG_OK)
        return err;
    tg_row_write(&body, row);
    if (tg_buf_done(&body) != TG_OK)
        return TG_ERR_BUG;
    if (move->first != 0 && (row->sequence - move->first >= TG_PG_EVENT_ROWS_MAX ||
                             EVENT_HEAD_BYTES + body.len > move->piece.cap - move->piece.len)) {
        err = end_piece(move);
        if (err != TG_OK)
            return err;
    }
    if (move->first == 0) {
        move->first = row->sequence;
        move->piece = tg_buf(move->bytes, sizeof(move->bytes));
    }
    tg_buf_put_u32(&move->piece, (uint32_t)(row->sequence - move->first));
    tg_buf_put_u8(&move->piece, (uint8_t)row->kind);
    tg_buf_put_u16(&move->piece, (uint16_t)body.len);
    tg_buf_put(&move->piece, tg_buf_span(&body));
    move->last = row->sequence;
    move->at_us = row->verdict.at_us;
    count_event(move);
    return TG_OK;
}

static enum tg_err copy_record(struct move *move)
{
    enum tg_err err = tg_sqlite_prepare(move->from->setup,
                                        "SELECT sequence, at_us, request_id, result, actor, what, before, after FROM "
                                        "act ORDER BY sequence",
                                        &move->acts);
    if (err == TG_OK)
        err = next_act(move);
    for (size_t i = 0; err == TG_OK && i < move->from->info_count; i++) {
        const struct tg_segment_info *info = &move->from->infos[i];
        struct tg_segment *segment = NULL;
        if (info->leaving != TG_LEAVING_NO)
            continue;
        err = tg_state_reader(move->from, info, &segment);
        if (err == TG_OK)
            err = tg_segment_scan(segment, info->first, info->last, SIZE_MAX, false, on_row, move);
        if (err == TG_OK)
            err = end_piece(move);
    }
    if (err == TG_OK)
        err = copy_acts(move, UINT64_MAX);
    sqlite3_finalize(move->acts);
    move->acts = NULL;
    move->progress(move->user, "events", move->events);
    return err;
}

/* ---- claims, counters, segments ---- */

static enum tg_err queue_settlement(struct move *move, const struct tg_move_claim *claim)
{
    static const enum tg_pg_type types[] = {TG_PG_INT8, TG_PG_UUID, TG_PG_INT2, TG_PG_INT4,
                                            TG_PG_INT4, TG_PG_INT8, TG_PG_INT8, TG_PG_BYTEA};
    const int64_t numbers[] = {(int64_t)claim->admit.ticket, 0, TG_OUTCOME_FINAL, claim->upstream_status,
                               claim->caller_status, claim->seal_segment, claim->expires_us};
    for (size_t column = 0; column < sizeof(types) / sizeof(types[0]); column++) {
        tg_pg_array(move->link, types[column], 1);
        if (column == 1)
            tg_pg_put_bytes(move->link, tg_span(claim->admit.verdict.request_id, TG_REQUEST_ID_BYTES));
        else if (column < 7)
            tg_pg_put_int(move->link, numbers[column]);
        else if (claim->sealed.len > 0)
            tg_pg_put_bytes(move->link, claim->sealed);
        else
            tg_pg_put_null(move->link);
    }
    tg_pg_int8(move->link, 1);
    tg_pg_queue(move->link, TG_PG_SETTLE);
    return sent(move);
}

static enum tg_err on_claim(void *user, const struct tg_move_claim *claim)
{
    struct move *move = user;
    uint8_t bytes[TG_ROW_BYTES_MAX];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    int32_t state = claim->state == TG_CLAIM_STATE_FINAL     ? TG_PG_ROW_FINAL
                    : claim->state == TG_CLAIM_STATE_UNKNOWN ? TG_PG_ROW_UNKNOWN
                                                             : TG_PG_ROW_LOST;
    tg_row_write(&body, &claim->admit);
    if (tg_buf_done(&body) != TG_OK)
        return TG_ERR_BUG;
    tg_pg_bytes(move->link, tg_span(claim->admit.claim_key, TG_CLAIM_KEY_BYTES));
    tg_pg_int8(move->link, (int64_t)claim->admit.ticket);
    tg_pg_bytes(move->link, tg_span(claim->admit.verdict.request_id, TG_REQUEST_ID_BYTES));
    tg_pg_int4(move->link, state);
    tg_pg_int8(move->link, state == TG_PG_ROW_UNKNOWN ? (int64_t)claim->upstream_status << 16 | claim->reason : 0);
    tg_pg_bytes(move->link, tg_buf_span(&body));
    tg_pg_queue(move->link, TG_PG_MOVE_CLAIM);
    move->unknown += state != TG_PG_ROW_FINAL;
    if (++move->claims % TG_MOVE_PROGRESS_STEP == 0)
        move->progress(move->user, "claims", move->claims);
    return state == TG_PG_ROW_FINAL ? queue_settlement(move, claim) : sent(move);
}

static enum tg_err copy_counter(struct move *move, const struct tg_quota_counter *counter)
{
    const struct tg_quota_key *key = &counter->key;
    tg_pg_array(move->link, TG_PG_INT8, 1);
    tg_pg_put_int(move->link, key->partner);
    tg_pg_array(move->link, TG_PG_INT4, 1);
    tg_pg_put_int(move->link, key->day);
    tg_pg_array(move->link, TG_PG_INT2, 1);
    tg_pg_put_int(move->link, key->environment);
    tg_pg_array(move->link, TG_PG_BYTEA, 1);
    tg_pg_put_bytes(move->link, tg_span(key->currency, sizeof(key->currency)));
    tg_pg_array(move->link, TG_PG_INT8, 1);
    tg_pg_put_int(move->link, counter->reserved);
    tg_pg_array(move->link, TG_PG_INT8, 1);
    tg_pg_put_int(move->link, counter->committed);
    tg_pg_int8(move->link, 1);
    tg_pg_queue(move->link, TG_PG_COUNTER_ADD);
    return sent(move);
}

static enum tg_err copy_counters(struct move *move)
{
    const struct tg_quota *quota = &move->from->quota;
    enum tg_err err = TG_OK;
    for (size_t i = 0; err == TG_OK && i < quota->buckets; i++)
        for (const struct tg_quota_counter *one = quota->table[i]; err == TG_OK && one != NULL; one = one->next)
            err = copy_counter(move, one);
    return err;
}

static enum tg_err copy_segments(struct move *move)
{
    tg_pg_queue(move->link, TG_PG_MOVE_SEGMENT_NONE);
    enum tg_err err = sent(move);
    for (size_t i = 0; err == TG_OK && i < move->from->info_count; i++) {
        const struct tg_segment_info *info = &move->from->infos[i];
        tg_pg_int8(move->link, info->number);
        tg_pg_int8(move->link, info->opened_us);
        tg_pg_int8(move->link, info->sealed_us);
        tg_pg_int8(move->link, (int64_t)info->first);
        tg_pg_int8(move->link, info->answers_end_us);
        tg_pg_bool(move->link, info->purged);
        tg_pg_queue(move->link, TG_PG_MOVE_SEGMENT);
        err = sent(move);
    }
    return err;
}

static enum tg_err copy_state(struct move *move)
{
    tg_pg_int8(move->link, (int64_t)tg_store_last_event(move->from) + 1);
    tg_pg_int8(move->link, (int64_t)move->claims);
    tg_pg_int8(move->link, (int64_t)move->unknown);
    tg_pg_int8(move->link, (int64_t)move->events);
    tg_pg_queue(move->link, TG_PG_MOVE_STATE);
    tg_pg_queue(move->link, TG_PG_COMMIT);
    return tg_pg_flush(move->link);
}

static enum tg_err check_empty(struct tg_pg_link *link)
{
    PGresult *result = NULL;
    enum tg_err err = tg_pg_run(link, TG_PG_MOVE_EMPTY, &result);
    if (err != TG_OK)
        return TG_ERR_DOWN;
    bool empty = tg_pg_get_int(result, 0, 0) == 1 && tg_pg_get_int(result, 0, 1) == 0;
    PQclear(result);
    return empty ? TG_OK : TG_ERR_DENIED;
}

enum tg_err tg_move_copy(struct tg_store *from, struct tg_store *to, int64_t now_us, tg_move_progress *progress,
                         void *user)
{
    static struct move move; /* a quarter of a mebibyte */
    move = (struct move){.from = from, .to = tg_postgres_of(to), .progress = progress, .user = user};
    move.link = &move.to->link;
    enum tg_err err = check_empty(move.link);
    if (err != TG_OK)
        return err;
    tg_pg_queue(move.link, TG_PG_BEGIN);
    err = copy_setup(&move);
    if (err == TG_OK)
        err = copy_record(&move);
    if (err == TG_OK)
        err = tg_move_claims(from, now_us, on_claim, &move);
    if (err == TG_OK) {
        progress(user, "claims", move.claims);
        err = copy_counters(&move);
    }
    if (err == TG_OK)
        err = copy_segments(&move);
    if (err == TG_OK)
        err = copy_state(&move);
    return err == TG_ERR_DENIED ? TG_ERR_DOWN : err; /* without COMMIT nothing of it is there */
}
