/*
 * move_sum.c - see move.h: what a store holds, in digests that do not depend on where it is kept.
 *
 * Promises: events are chained in their order, in the words that operators read; claims are summed, so their order
 * does not matter: key, fingerprint, request, state, what was told, the end, and the sealed answer to its last byte.
 * Does not: open an answer.
 */
#include <string.h>

#include "base/endian.h"
#include "crypto/crypto.h"
#include "store/move.h"
#include "store/move_claim.h"
#include "store/postgres.h"

#define READ_ROWS 500

struct sum {
    struct tg_move_sum *ret;
    enum tg_err err;
};

static bool on_event(void *user, uint64_t sequence, struct tg_span json)
{
    struct sum *sum = user;
    uint8_t number[8];
    tg_be64_write(number, sequence);
    const struct tg_span parts[] = {tg_span(sum->ret->event_digest, TG_DIGEST_BYTES), tg_span(number, sizeof(number)),
                                    json};
    sum->err = tg_sha256_parts(parts, 3, sum->ret->event_digest);
    sum->ret->events++;
    return sum->err == TG_OK;
}

static enum tg_err sum_events(struct tg_store *store, struct tg_move_sum *ret)
{
    struct sum sum = {ret, TG_OK};
    enum tg_err err = tg_store_events(store, 0, SIZE_MAX, on_event, &sum);
    return err == TG_OK ? sum.err : err;
}

/* Added as four big numbers, so that neither order nor a pair of equal ones hides anything. */
static void add_digest(uint8_t to[TG_DIGEST_BYTES], const uint8_t more[TG_DIGEST_BYTES])
{
    for (size_t i = 0; i < TG_DIGEST_BYTES; i += 8)
        tg_be64_write(to + i, tg_be64_read(to + i) + tg_be64_read(more + i));
}

static enum tg_err on_claim(void *user, const struct tg_move_claim *claim)
{
    struct tg_move_sum *ret = user;
    const struct tg_row *admit = &claim->admit;
    bool final = claim->state == TG_CLAIM_STATE_FINAL;
    uint8_t head[64], digest[TG_DIGEST_BYTES];
    struct tg_buf out = tg_buf(head, sizeof(head));
    tg_buf_put_u64(&out, admit->ticket);
    tg_buf_put_u8(&out, (uint8_t)claim->state);
    tg_buf_put_u64(&out, (uint64_t)claim->expires_us);
    tg_buf_put_u16(&out, final || claim->state == TG_CLAIM_STATE_UNKNOWN ? claim->upstream_status : 0);
    tg_buf_put_u16(&out, claim->state == TG_CLAIM_STATE_UNKNOWN ? claim->reason : 0);
    tg_buf_put_u16(&out, final ? claim->caller_status : 0);
    tg_buf_put_u32(&out, final ? claim->seal_segment : 0);
    const struct tg_span parts[] = {tg_buf_span(&out), tg_span(admit->claim_key, TG_CLAIM_KEY_BYTES),
                                    tg_span(admit->fingerprint, TG_DIGEST_BYTES),
                                    tg_span(admit->verdict.request_id, TG_REQUEST_ID_BYTES), claim->sealed};
    enum tg_err err = tg_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), digest);
    add_digest(ret->claim_digest, digest);
    ret->claims++;
    return err;
}

enum tg_err tg_move_sum_folder(struct tg_store *store, int64_t now_us, struct tg_move_sum *ret)
{
    *ret = (struct tg_move_sum){0};
    enum tg_err err = sum_events(store, ret);
    return err == TG_OK ? tg_move_claims(store, now_us, on_claim, ret) : err;
}

static enum tg_err show_claim(const PGresult *rows, int at, int64_t now_us, struct tg_move_sum *ret)
{
    struct tg_move_claim claim = {.state = TG_CLAIM_STATE_LOST};
    int64_t state = tg_pg_get_int(rows, at, 2), told = tg_pg_get_int(rows, at, 3);
    bool settled = !tg_pg_is_null(rows, at, 10);
    if (tg_row_read(TG_ROW_ADMIT, 0, tg_pg_get_bytes(rows, at, 4), &claim.admit) != TG_OK)
        return TG_ERR_CORRUPT;
    claim.admit.ticket = (uint64_t)tg_pg_get_int(rows, at, 1);
    claim.expires_us = claim.admit.expires_us;
    if (settled) {
        claim.state = TG_CLAIM_STATE_FINAL;
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
    if (settled && claim.expires_us <= now_us)
        return TG_OK;
    return on_claim(ret, &claim);
}

enum tg_err tg_move_sum_server(struct tg_store *base, int64_t now_us, struct tg_move_sum *ret)
{
    struct tg_pg_link *link = &tg_postgres_of(base)->link;
    int64_t ticket = 0;
    int rows = READ_ROWS;
    *ret = (struct tg_move_sum){0};
    enum tg_err err = sum_events(base, ret);
    while (err == TG_OK && rows == READ_ROWS) {
        PGresult *result = NULL;
        tg_pg_int8(link, ticket);
        tg_pg_int8(link, READ_ROWS);
        if (tg_pg_run(link, TG_PG_MOVE_CLAIMS, &result) != TG_OK)
            return TG_ERR_DOWN;
        rows = PQntuples(result);
        for (int i = 0; err == TG_OK && i < rows; i++) {
            ticket = tg_pg_get_int(result, i, 1);
            err = show_claim(result, i, now_us, ret);
        }
        PQclear(result);
    }
    return err;
}
