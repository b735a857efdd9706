/*
 * row.h - one row of the record, as a struct and as bytes.
 *
 * Promises: a kind says which parts a row has; one writer and one strict
 * reader serve them all. The stored answer is not among the bytes: it stands
 * in a column of its own, so that reading claims does not read answers.
 * Does not: know the database. A row is never changed once written.
 */
#ifndef TG_STORE_ROW_H
#define TG_STORE_ROW_H

#include "base/buf.h"
#include "store/store.h"

enum tg_row_kind {
    TG_ROW_ADMIT = 1,         /* a claim was taken */
    TG_ROW_VERDICT = 2,       /* an ADMIT that took nothing: replay, conflict, mismatch, quota */
    TG_ROW_REFUSAL = 3,       /* a verdict without a claim */
    TG_ROW_SETTLE = 4,        /* an outcome that leaves no answer: not sent, not executed, unknown */
    TG_ROW_FINAL = 5,         /* outcome final: carries the claim, so that a replay reads one row */
    TG_ROW_LOST = 6,          /* a link went while this claim was in flight */
    TG_ROW_RESOLVE = 7,       /* an unknown was ended by hand: not executed */
    TG_ROW_RESOLVE_FINAL = 8, /* and executed */
    TG_ROW_CARRY_OPEN = 9,    /* an unsettled claim from a segment that leaves; not an event */
    TG_ROW_CARRY_FINAL = 10   /* a settled one that outlives its segment; not an event */
};
#define TG_ROW_KIND_MAX TG_ROW_CARRY_FINAL

/* The longest spans that are kept; longer ones are cut, an event must not fail for its words. */
#define TG_ROW_METHOD_BYTES_MAX 32
#define TG_ROW_WORDS_BYTES_MAX 1024 /* actor, note */
/* All fixed parts (under 400 bytes), four names and two texts. */
#define TG_ROW_BYTES_MAX 4096

struct tg_row {
    enum tg_row_kind kind;
    uint64_t sequence;
    /* head, in every row */
    struct tg_verdict_row verdict;
    /* claim */
    uint64_t ticket;
    uint8_t claim_key[TG_CLAIM_KEY_BYTES];
    uint8_t fingerprint[TG_DIGEST_BYTES];
    int64_t expires_us;
    /* quota, with an admit */
    bool has_quota;
    int32_t quota_day;
    uint64_t replaces; /* the ticket of an unknown that was sent again; 0: none */
    /* verdict */
    uint8_t result; /* enum tg_claim_result */
    uint8_t original_id[TG_REQUEST_ID_BYTES];
    /* settlement */
    uint8_t outcome; /* enum tg_outcome; 0 in a carried claim whose outcome nobody told */
    uint16_t upstream_status;
    uint16_t caller_status;
    uint32_t upstream_us;
    uint32_t seal_segment;
    bool has_answer;
    /* words */
    struct tg_span actor, note;
};

/* Upstream statuses from here on moved no money: the reservation is given back (DESIGN.md, Claims). */
#define TG_ROW_STATUS_NOT_SPENT 400

/* True when the kind ends a claim as final: it belongs into the index. */
static inline bool tg_row_is_final(enum tg_row_kind kind)
{
    return kind == TG_ROW_FINAL || kind == TG_ROW_RESOLVE_FINAL || kind == TG_ROW_CARRY_FINAL;
}

/* False for rows that only carry a claim on. */
static inline bool tg_row_is_event(enum tg_row_kind kind)
{
    return kind != TG_ROW_CARRY_OPEN && kind != TG_ROW_CARRY_FINAL;
}

/* What an ADMIT leaves: a claim taken (TG_ROW_ADMIT) or why not (TG_ROW_VERDICT). */
struct tg_row tg_row_admit(const struct tg_admit_work *work, enum tg_row_kind kind);

/* Appends the row's bytes; out needs TG_ROW_BYTES_MAX. */
void tg_row_write(struct tg_buf *out, const struct tg_row *row);

/* Reads what tg_row_write wrote; spans borrow from body. TG_ERR_CORRUPT for anything else. */
TG_MUST_CHECK enum tg_err tg_row_read(enum tg_row_kind kind, uint64_t sequence, struct tg_span body,
                                      struct tg_row *ret);

#endif
