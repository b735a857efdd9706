/*
 * move_sum.c - see move.h: what a store holds, in digests that do not depend on where it is kept.
 *
 * Promises: events are chained in their order, in the words that operators read, behind the number of the last one;
 * all else is summed, so its order does not matter. Of a claim the row that admitted it, its key and request, state,
 * what was told, the end, and the sealed answer to its last byte; of what operators set up, the counters and the
 * segments every column.
 * Does not: open an answer.
 */
#include <string.h>

#include "base/endian.h"
#include "crypto/crypto.h"
#include "store/move.h"
#include "store/move_claim.h"
#include "store/postgres.h"
#include "store/sqlite.h"
#include "wire/message.h"

#define READ_ROWS 500
#define DAY_US (86400ll * 1000000)
/* Of a claim, before the row that admitted it. */
#define CLAIM_HEAD_BYTES 32
/* The longest row that is written out before it is hashed: a credential's. */
#define ROW_BYTES_MAX (256u + TG_NAME_BYTES_MAX + TG_OPERATIONS_BYTES_MAX)

static const char *const names[TG_MOVE_KINDS] = {
    [TG_MOVE_EVENTS] = "events",     [TG_MOVE_CLAIMS] = "claims",   [TG_MOVE_PARTNERS] = "partners",
    [TG_MOVE_CREDENTIALS] = "keys",  [TG_MOVE_LIMITS] = "limits",   [TG_MOVE_CERTIFICATES] = "certificates",
    [TG_MOVE_ROUTES] = "routes",     [TG_MOVE_SEALERS] = "sealers", [TG_MOVE_COUNTERS] = "counters",
    [TG_MOVE_SEGMENTS] = "segments",
};

struct sum {
    struct tg_move_sum *ret;
    enum tg_err err; /* of a callback that cannot return one */
    tg_move_progress *progress;
    void *user;
    int64_t now_us;
};

const char *tg_move_kind_name(enum tg_move_kind kind)
{
    return names[kind];
}

bool tg_move_sum_equal(const struct tg_move_sum *one, const struct tg_move_sum *two, enum tg_move_kind kind)
{
    return one->counts[kind] == two->counts[kind] &&
           memcmp(one->digests[kind], two->digests[kind], TG_DIGEST_BYTES) == 0;
}

static void count(struct sum *sum, enum tg_move_kind kind)
{
    if (++sum->ret->counts[kind] % TG_MOVE_PROGRESS_STEP == 0)
        sum->progress(sum->user, names[kind], sum->ret->counts[kind]);
}

/* ---- the record ---- */

static bool on_event(void *user, uint64_t sequence, struct tg_span json)
{
    struct sum *sum = user;
    uint8_t *digest = sum->ret->digests[TG_MOVE_EVENTS];
    uint8_t number[8];
    tg_be64_write(number, sequence);
    const struct tg_span parts[] = {tg_span(digest, TG_DIGEST_BYTES), tg_span(number, sizeof(number)), json};
    sum->err = tg_sha256_parts(parts, 3, digest);
    count(sum, TG_MOVE_EVENTS);
    return sum->err == TG_OK;
}

static enum tg_err sum_events(struct tg_store *store, struct sum *sum)
{
    tg_be64_write(sum->ret->digests[TG_MOVE_EVENTS], tg_store_last_event(store));
    enum tg_err err = tg_store_events(store, 0, SIZE_MAX, on_event, sum);
    sum->progress(sum->user, names[TG_MOVE_EVENTS], sum->ret->counts[TG_MOVE_EVENTS]);
    return err == TG_OK ? sum->err : err;
}

/* ---- what is summed ---- */

/* Added as four big numbers, so that neither order nor a pair of equal ones hides anything. */
static void add_digest(uint8_t to[TG_DIGEST_BYTES], const uint8_t more[TG_DIGEST_BYTES])
{
    for (size_t i = 0; i < TG_DIGEST_BYTES; i += 8)
        tg_be64_write(to + i, tg_be64_read(to + i) + tg_be64_read(more + i));
}

static enum tg_err add_row(struct sum *sum, enum tg_move_kind kind, const struct tg_span *parts, size_t part_count)
{
    uint8_t digest[TG_DIGEST_BYTES];
    enum tg_err err = tg_sha256_parts(parts, part_count, digest);
    if (err != TG_OK)
        return err;
    add_digest(sum->ret->digests[kind], digest);
    count(sum, kind);
    return TG_OK;
}

/* A row that was written out whole. */
static void add_written(struct sum *sum, enum tg_move_kind kind, struct tg_buf *row)
{
    const struct tg_span bytes = tg_buf_span(row);
    if (sum->err == TG_OK)
        sum->err = tg_buf_done(row);
    if (sum->err == TG_OK)
        sum->err = add_row(sum, kind, &bytes, 1);
}

static void put_numbers(struct tg_buf *row, const int64_t *numbers, size_t number_count)
{
    for (size_t i = 0; i < number_count; i++)
        tg_buf_put_u64(row, (uint64_t)numbers[i]);
}

/* With its length, so that no byte moves from one text to the next unseen. */
static void put_text(struct tg_buf *row, const char *text, size_t cap)
{
    size_t len = strnlen(text, cap);
    tg_buf_put_u32(row, (uint32_t)len);
    tg_buf_put(row, tg_span(text, len));
}

/* ---- claims ---- */

static enum tg_err on_claim(void *user, const struct tg_move_claim *claim)
{
    struct sum *sum = user;
    bool final = claim->state == TG_CLAIM_STATE_FINAL;
    uint8_t bytes[CLAIM_HEAD_BYTES + TG_ROW_BYTES_MAX];
    struct tg_buf out = tg_buf(bytes, sizeof(bytes));
    tg_buf_put_u64(&out, claim->admit.ticket);
    tg_buf_put_u8(&out, (uint8_t)claim->state);
    tg_buf_put_u64(&out, (uint64_t)claim->expires_us);
    tg_buf_put_u16(&out, final || claim->state == TG_CLAIM_STATE_UNKNOWN ? claim->upstream_status : 0);
    tg_buf_put_u16(&out, claim->state == TG_CLAIM_STATE_UNKNOWN ? claim->reason : 0);
    tg_buf_put_u16(&out, final ? claim->caller_status : 0);
    tg_buf_put_u32(&out, final ? claim->seal_segment : 0);
    tg_row_write(&out, &claim->admit);
    const struct tg_span parts[] = {tg_buf_span(&out), claim->sealed};
    return tg_buf_done(&out) == TG_OK ? add_row(sum, TG_MOVE_CLAIMS, parts, 2) : TG_ERR_CORRUPT;
}

static enum tg_err show_claim(struct sum *sum, const PGresult *rows, int at)
{
    struct tg_move_claim claim = {.state = TG_CLAIM_STATE_LOST};
    int64_t state = tg_pg_get_int(rows, at, 2), told = tg_pg_get_int(rows, at, 3);
    bool settled = !tg_pg_is_null(rows, at, 11);
    if (tg_row_read(TG_ROW_ADMIT, 0, tg_pg_get_bytes(rows, at, 4), &claim.admit) != TG_OK)
        return TG_ERR_CORRUPT;
    /* By these columns a claim is found, whatever its row says. */
    if (!tg_pg_get_copy(rows, at, 0, claim.admit.claim_key, TG_CLAIM_KEY_BYTES) ||
        !tg_pg_get_copy(rows, at, 10, claim.admit.verdict.request_id, TG_REQUEST_ID_BYTES))
        return TG_ERR_CORRUPT;
    claim.admit.ticket = (uint64_t)tg_pg_get_int(rows, at, 1);
    claim.expires_us = claim.admit.expires_us;
    if (settled) {
        bool same = tg_span_equal(tg_pg_get_bytes(rows, at, 11), tg_pg_get_bytes(rows, at, 10)) &&
                    tg_pg_get_int(rows, at, 12) == TG_OUTCOME_FINAL && state == TG_PG_ROW_FINAL;
        claim.state = same ? TG_CLAIM_STATE_FINAL : TG_CLAIM_STATE_NONE; /* which no folder has */
        claim.upstream_status = (uint16_t)tg_pg_get_int(rows, at, 5);
        claim.caller_status = (uint16_t)tg_pg_get_int(rows, at, 6);
        claim.seal_segment = (uint32_t)tg_pg_get_int(rows, at, 7);
        claim.expires_us = tg_pg_get_int(rows, at, 8);
        claim.sealed = tg_pg_get_bytes(rows, at, 9);
    } else if (state == TG_PG_ROW_UNKNOWN) {
        claim.state = TG_CLAIM_STATE_UNKNOWN;
        claim.upstream_status = (uint16_t)(told >> 16);
        claim.reason = (uint16_t)told;
    }
    if (settled && claim.expires_us <= sum->now_us)
        return TG_OK;
    return on_claim(sum, &claim);
}

static enum tg_err sum_claims(struct tg_pg_link *link, struct sum *sum)
{
    int64_t ticket = 0;
    int rows = READ_ROWS;
    enum tg_err err = TG_OK;
    while (err == TG_OK && rows == READ_ROWS) {
        PGresult *result = NULL;
        tg_pg_int8(link, ticket);
        tg_pg_int8(link, READ_ROWS);
        if (tg_pg_run(link, TG_PG_MOVE_CLAIMS, &result) != TG_OK)
            return TG_ERR_DOWN;
        rows = PQntuples(result);
        for (int i = 0; err == TG_OK && i < rows; i++) {
            ticket = tg_pg_get_int(result, i, 1);
            err = show_claim(sum, result, i);
        }
        PQclear(result);
    }
    return err;
}

/* ---- what operators set up ---- */

static void on_partner(void *user, const struct tg_partner *partner)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    put_numbers(&row, (const int64_t[]){partner->id}, 1);
    put_text(&row, partner->name, sizeof(partner->name));
    add_written(user, TG_MOVE_PARTNERS, &row);
}

static void on_credential(void *user, const struct tg_credential *one)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    const int64_t numbers[] = {one->id,         one->partner,    one->environment,
                               one->created_us, one->expires_us, one->revoked_us};
    put_numbers(&row, numbers, sizeof(numbers) / sizeof(numbers[0]));
    tg_buf_put(&row, tg_span(one->hash, sizeof(one->hash)));
    put_text(&row, one->prefix, sizeof(one->prefix));
    put_text(&row, one->operations, sizeof(one->operations));
    add_written(user, TG_MOVE_CREDENTIALS, &row);
}

static void on_limit(void *user, const struct tg_limit *limit)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    const int64_t numbers[] = {limit->partner, limit->environment, limit->payment_minor_max, limit->day_minor_max};
    put_numbers(&row, numbers, sizeof(numbers) / sizeof(numbers[0]));
    put_text(&row, limit->currency, sizeof(limit->currency));
    add_written(user, TG_MOVE_LIMITS, &row);
}

static void on_certificate(void *user, const struct tg_partner_certificate *certificate)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    put_numbers(&row, (const int64_t[]){certificate->partner, certificate->not_after_us}, 2);
    tg_buf_put(&row, tg_span(certificate->sha256, sizeof(certificate->sha256)));
    add_written(user, TG_MOVE_CERTIFICATES, &row);
}

static void on_route(void *user, const struct tg_route_credential *route)
{
    struct sum *sum = user;
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf head = tg_buf(bytes, sizeof(bytes));
    put_text(&head, route->route, sizeof(route->route));
    const struct tg_span parts[] = {tg_buf_span(&head), route->sealed};
    if (sum->err == TG_OK)
        sum->err = add_row(sum, TG_MOVE_ROUTES, parts, 2);
}

static enum tg_err sum_setup(struct tg_store *store, struct sum *sum)
{
    const struct tg_setup_reader reader = {sum, on_partner, on_credential, on_limit, on_certificate, on_route};
    enum tg_err err = tg_store_setup_read(store, &reader);
    return err == TG_OK ? sum->err : err;
}

/* ---- counters and segments ---- */

static enum tg_err add_counter(struct sum *sum, const struct tg_quota_key *key, int64_t reserved, int64_t committed)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    bool asked_for = key->day >= sum->now_us / DAY_US - 2; /* as tg_quota_forget */
    if (reserved == 0 && (committed == 0 || !asked_for))
        return TG_OK;
    put_numbers(&row, (const int64_t[]){key->partner, key->day, key->environment, reserved, committed}, 5);
    tg_buf_put(&row, tg_span(key->currency, sizeof(key->currency)));
    add_written(sum, TG_MOVE_COUNTERS, &row);
    return sum->err;
}

static enum tg_err add_segment(struct sum *sum, const struct tg_segment_info *info)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct tg_buf row = tg_buf(bytes, sizeof(bytes));
    const int64_t numbers[] = {info->number, info->opened_us, info->sealed_us, (int64_t)info->first,
                               info->answers_end_us, info->purged};
    put_numbers(&row, numbers, sizeof(numbers) / sizeof(numbers[0]));
    add_written(sum, TG_MOVE_SEGMENTS, &row);
    return sum->err;
}

/* ---- the folder ---- */

static enum tg_err folder_sealer(struct tg_store *store, struct sum *sum)
{
    sqlite3_stmt *get = NULL;
    enum tg_err err = tg_sqlite_prepare(store->setup, "SELECT public_key FROM sealer", &get);
    if (err != TG_OK)
        return err;
    int rc = sqlite3_step(get);
    err = tg_sqlite_err(rc);
    if (rc == SQLITE_ROW) {
        const struct tg_span key = tg_sqlite_bytes(get, 0);
        err = add_row(sum, TG_MOVE_SEALERS, &key, 1);
    }
    sqlite3_finalize(get);
    return err;
}

enum tg_err tg_move_sum_folder(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret,
                               tg_move_progress *progress, void *user)
{
    struct sum sum = {.ret = ret, .progress = progress, .user = user, .now_us = now_us};
    const struct tg_quota *quota = &store->quota;
    *ret = (struct tg_move_sum){0};
    enum tg_err err = sum_events(store, &sum);
    if (err == TG_OK)
        err = tg_move_claims(store, now_us, on_claim, &sum);
    progress(user, names[TG_MOVE_CLAIMS], ret->counts[TG_MOVE_CLAIMS]);
    if (err == TG_OK)
        err = sum_setup(store, &sum);
    if (err == TG_OK)
        err = folder_sealer(store, &sum);
    for (size_t i = 0; err == TG_OK && i < quota->buckets; i++)
        for (const struct tg_quota_counter *one = quota->table[i]; err == TG_OK && one != NULL; one = one->next)
            err = add_counter(&sum, &one->key, one->reserved, one->committed);
    for (size_t i = 0; err == TG_OK && i < store->info_count; i++)
        err = add_segment(&sum, &store->infos[i]);
    return err;
}

/* ---- the server ---- */

static enum tg_err server_sealer(struct sum *sum, const PGresult *rows, int at)
{
    const struct tg_span key = tg_pg_get_bytes(rows, at, 0);
    return add_row(sum, TG_MOVE_SEALERS, &key, 1);
}

static enum tg_err server_counter(struct sum *sum, const PGresult *rows, int at)
{
    struct tg_quota_key key = {.partner = (uint32_t)tg_pg_get_int(rows, at, 0),
                               .day = (int32_t)tg_pg_get_int(rows, at, 1),
                               .environment = (uint8_t)tg_pg_get_int(rows, at, 2)};
    if (!tg_pg_get_copy(rows, at, 3, key.currency, sizeof(key.currency)))
        return TG_ERR_CORRUPT;
    return add_counter(sum, &key, tg_pg_get_int(rows, at, 4), tg_pg_get_int(rows, at, 5));
}

static enum tg_err server_segment(struct sum *sum, const PGresult *rows, int at)
{
    const struct tg_segment_info info = {.number = (uint32_t)tg_pg_get_int(rows, at, 0),
                                         .opened_us = tg_pg_get_int(rows, at, 1),
                                         .sealed_us = tg_pg_get_int(rows, at, 2),
                                         .first = (uint64_t)tg_pg_get_int(rows, at, 3),
                                         .answers_end_us = tg_pg_get_int(rows, at, 4),
                                         .purged = tg_pg_get_int(rows, at, 5) != 0};
    return add_segment(sum, &info);
}

static enum tg_err each_row(struct tg_pg_link *link, enum tg_pg_statement statement, struct sum *sum,
                            enum tg_err (*each)(struct sum *sum, const PGresult *rows, int at))
{
    PGresult *result = NULL;
    enum tg_err err = TG_OK;
    if (tg_pg_run(link, statement, &result) != TG_OK)
        return TG_ERR_DOWN;
    for (int i = 0; err == TG_OK && i < PQntuples(result); i++)
        err = each(sum, result, i);
    PQclear(result);
    return err;
}

enum tg_err tg_move_sum_server(struct tg_store *base, int64_t now_us, struct tg_move_sum *ret,
                               tg_move_progress *progress, void *user)
{
    struct tg_pg_link *link = &tg_postgres_of(base)->link;
    struct sum sum = {.ret = ret, .progress = progress, .user = user, .now_us = now_us};
    *ret = (struct tg_move_sum){0};
    enum tg_err err = sum_events(base, &sum);
    if (err == TG_OK)
        err = sum_claims(link, &sum);
    progress(user, names[TG_MOVE_CLAIMS], ret->counts[TG_MOVE_CLAIMS]);
    if (err == TG_OK)
        err = sum_setup(base, &sum);
    if (err == TG_OK)
        err = each_row(link, TG_PG_SEALER, &sum, server_sealer);
    if (err == TG_OK)
        err = each_row(link, TG_PG_MOVE_COUNTERS, &sum, server_counter);
    if (err == TG_OK)
        err = each_row(link, TG_PG_MOVE_SEGMENTS, &sum, server_segment);
    return err;
}
