/*
 * postgres.h - what the files of the PostgreSQL store share: the open store, and one batch on its way.
 *
 * Shape: a batch is loaded (round trip one: what is known of the keys, tickets and counters that it names; new keys
 * are taken at once), decided in memory in order with the same words as the embedded store, and stored (round trip
 * two: guarded changes, events, COMMIT). A guard that does not hold, or a serialization failure, rolls back and loads
 * again. Memory is a cache: in-flight claims of this keeper, which nobody else may change while it lives, and
 * counters, whose every use is guarded.
 *
 * Who lives: a keeper has a row in tollgate_instance and holds an advisory lock on its number in the session that
 * commits. When the session is gone the lock is free, and whoever can take it calls that keeper's in-flight claims
 * lost. On a server without real advisory locks an old heartbeat stands for it. Either way the one who was declared
 * gone finds `takeovers` changed in its next batch and its row gone, and stops: it cannot commit on top.
 */
#ifndef TG_STORE_POSTGRES_H
#define TG_STORE_POSTGRES_H

#include <stdatomic.h>

#include "store/backend.h"
#include "store/event.h"
#include "store/pending.h"
#include "store/postgres_link.h"
#include "store/quota.h"
#include "store/recent.h"

/* Of our advisory locks, beside those of others in the same database: "tgk1". */
#define TG_PG_LOCK_CLASS 0x74676b31
/* Rows of the record in one row of tollgate_event. */
#define TG_PG_EVENT_ROWS_MAX 1024u

enum tg_pg_row_state { TG_PG_ROW_IN_FLIGHT = 1, TG_PG_ROW_LOST = 2, TG_PG_ROW_UNKNOWN = 3, TG_PG_ROW_FINAL = 4 };

/* A claim that a batch touches: what stands in the table, and what it becomes. */
struct tg_pg_entry {
    struct tg_pg_entry *next_key, *next_ticket, *next_request;
    struct tg_pending_claim claim;    /* as it stands after the works so far; state NONE: nobody's */
    struct tg_pending_claim *pending; /* ours and in flight before the batch */
    bool row, inserted;               /* a row stands in the table; put there by this batch's first round trip */
    uint64_t row_ticket;
    uint8_t row_state;   /* enum tg_pg_row_state */
    bool foreign;        /* in flight under another keeper */
    bool damaged;        /* its bytes cannot be read: its key is held */
    bool changed;        /* the row must be written, or go */
    struct tg_span body; /* the ADMIT row */
    /* the settlement of claim.ticket, when claim.state is FINAL */
    bool has_answer, purged;
    uint16_t upstream_status, caller_status;
    uint32_t seal_segment;
    int64_t expires_us, sealed_len;
    struct tg_span sealed; /* empty with sealed_len > 0: to be asked for */
};

/* What was told of a ticket that has no claim any more; or of a final one. */
struct tg_pg_told {
    uint64_t ticket;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t outcome;
};

struct tg_pg_settlement {
    uint64_t ticket;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t outcome;
    uint16_t upstream_status, caller_status;
    uint32_t segment;
    int64_t expires_us;
    struct tg_span sealed;
};

struct tg_pg_counter {
    struct tg_pg_counter *next;
    struct tg_quota_counter now;
    int64_t reserved, committed; /* before */
    bool loaded, there;
    bool remembered; /* from the cache: what is changed has a guard, what is refused would have none */
};

#define TG_PG_COUNTER_BUCKETS 1024u

struct tg_pg_bytes { /* grows; what stood in it moves */
    uint8_t *ptr;
    size_t len, cap;
};

struct tg_pg_batch {
    int64_t now_us;
    struct tg_work *const *works;
    size_t count;
    struct tg_arena *arena;
    struct tg_pg_entry *entries;
    size_t entry_count, entry_cap;
    struct tg_pg_entry **by_key, **by_ticket, **by_request;
    size_t buckets;
    struct tg_pg_told *told;
    size_t told_count;
    struct tg_pg_settlement *settlements;
    size_t settlement_count;
    struct tg_pg_counter *counters;
    size_t counter_count;
    struct tg_pg_counter *counter_buckets[TG_PG_COUNTER_BUCKETS];
    struct tg_quota marks;         /* only its list of marked counters is used */
    struct tg_span *bodies;        /* of each work that is an ADMIT */
    struct tg_pg_bytes body_bytes; /* as many as `count` rows: does not move */
    struct tg_pg_bytes events;
    size_t event_count;
    size_t chunk_starts[64]; /* of each row of tollgate_event */
    size_t chunks;
    int64_t claims, unknown; /* how the shared counts change */
    bool takes_back;         /* a lost claim is in flight again: its ticket may be below low_ticket */
    /* results of the first round trip, whose bytes the entries borrow */
    PGresult *results[8];
    size_t result_count;
    /* what is asked */
    struct tg_pg_entry **fresh;
    size_t fresh_count;
    uint64_t *ask_tickets;
    size_t ask_ticket_count;
    const uint8_t **ask_requests;
    size_t ask_request_count;
    void *memory; /* of all arrays above */
    size_t memory_len;
};

struct tg_pg_segment_end {
    uint32_t segment;
    int64_t end_us; /* as it stands in the database */
};

struct tg_postgres {
    struct tg_store_head head;
    struct tg_pg_link link; /* the committer's session */
    struct tg_pg_link side; /* the second thread's */
    const char *way;        /* how the server is reached */
    bool failed;
    atomic_bool side_failed;
    void (*log)(void *user, const char *text);
    void *log_user;
    uint64_t segment_rows_max;
    int64_t segment_us_max, retention_us, purge_grace_us;

    int32_t instance;
    bool heartbeats_only; /* no advisory locks to trust */
    int64_t silent_s;     /* then a keeper without a heartbeat for so long counts as gone */
    int64_t takeovers, setup_version, setup_read_version;
    uint64_t ticket_next, ticket_end;
    uint32_t segment;
    int64_t segment_opened_us;
    uint64_t segment_first_event;
    uint64_t last_event;
    struct tg_pg_segment_end ends[4];
    size_t end_next;
    unsigned locking; /* batches that still lock counters before they use them */
    int64_t beat_us;  /* monotonic */

    struct tg_pending pending; /* of this keeper, all in flight */
    struct tg_recent recent;
    struct tg_quota counters; /* as they were last seen */
    struct tg_pg_batch batch;
    uint8_t *event_bytes; /* TG_EVENT_BYTES_MAX of state.h */

    /* the second thread's */
    int64_t look_us, sweep_us, size_us, pass_us; /* monotonic: when each was done last */
    uint64_t sweep_ticket;
    bool sweeping, leaving;
    atomic_int_fast64_t now_us;
    atomic_uint_fast64_t live, in_flight, unknown, events, segments, bytes;
};

static inline struct tg_postgres *tg_postgres_of(struct tg_store *store)
{
    return (struct tg_postgres *)(void *)store;
}

static inline const struct tg_postgres *tg_postgres_of_const(const struct tg_store *store)
{
    return (const struct tg_postgres *)(const void *)store;
}

/* postgres.c */
void tg_postgres_log(const struct tg_postgres *store, const char *text);
int64_t tg_postgres_clock_us(void); /* monotonic, for pacing only */
uint64_t tg_postgres_low_ticket(struct tg_postgres *store);

/* postgres_batch.c: memory, maps and what is asked */
TG_MUST_CHECK enum tg_err tg_pg_batch_begin(struct tg_postgres *store, int64_t now_us, struct tg_work *const *works,
                                            size_t count, struct tg_arena *arena);
void tg_pg_batch_end(struct tg_pg_batch *batch);
void tg_pg_batch_free(struct tg_pg_batch *batch);
/* NULL too for bytes that are no key: a server may answer what it likes. */
struct tg_pg_entry *tg_pg_entry_key(const struct tg_pg_batch *batch, struct tg_span key);
/* These two find only what is somebody's. */
struct tg_pg_entry *tg_pg_entry_ticket(const struct tg_pg_batch *batch, uint64_t ticket);
struct tg_pg_entry *tg_pg_entry_request(const struct tg_pg_batch *batch, const uint8_t *request_id);
/* A fresh entry, not in the maps yet; NULL when there is no room. */
struct tg_pg_entry *tg_pg_entry_add(struct tg_pg_batch *batch);
void tg_pg_entry_link(struct tg_pg_batch *batch, struct tg_pg_entry *entry);
void tg_pg_entry_unlink(struct tg_pg_batch *batch, struct tg_pg_entry *entry);
struct tg_pg_entry *tg_pg_entry_pending(struct tg_pg_batch *batch, struct tg_pending_claim *claim);
struct tg_pg_counter *tg_pg_counter(struct tg_postgres *store, const struct tg_quota_key *key);
struct tg_quota_key tg_pg_quota_key(const struct tg_pending_claim *claim);
/* Room of len bytes behind what stands there; NULL without memory. */
uint8_t *tg_pg_bytes_grab(struct tg_pg_bytes *bytes, size_t len);

/* postgres_load.c: round trip one */
TG_MUST_CHECK enum tg_err tg_pg_load(struct tg_postgres *store, bool again);
/* postgres_decide.c: in memory, but for large answers */
TG_MUST_CHECK enum tg_err tg_pg_decide(struct tg_postgres *store);
/* postgres_apply.c: round trip two, and then memory */
TG_MUST_CHECK enum tg_err tg_pg_apply(struct tg_postgres *store);
TG_MUST_CHECK enum tg_err tg_pg_adopt(struct tg_postgres *store);

/* The calls of backend.h. */
TG_MUST_CHECK enum tg_err tg_postgres_commit(struct tg_store *store, int64_t now_us, struct tg_work *const *works,
                                             size_t count, struct tg_arena *arena);
TG_MUST_CHECK enum tg_err tg_postgres_rotate(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment,
                                             uint32_t *ret_destroy, size_t room, size_t *ret_destroy_count);
TG_MUST_CHECK enum tg_err tg_postgres_purged(struct tg_store *store, uint32_t segment);
bool tg_postgres_checkpoint(struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_postgres_unknowns(struct tg_store *store, size_t limit,
                                               bool (*each)(void *user, const struct tg_unknown_row *row), void *user);
TG_MUST_CHECK enum tg_err tg_postgres_events(struct tg_store *store, uint64_t from, size_t limit,
                                             bool (*each)(void *user, uint64_t sequence, struct tg_span json),
                                             void *user);
uint64_t tg_postgres_last_event(const struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_postgres_setup_read(struct tg_store *store, const struct tg_setup_reader *reader);
bool tg_postgres_setup_changed(const struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_postgres_act(struct tg_store *store, struct tg_act *act);
TG_MUST_CHECK enum tg_err tg_postgres_sealer(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES]);

/* postgres_rotate.c: one look at the shared row; TG_ERR_DOWN: this keeper was declared gone. */
TG_MUST_CHECK enum tg_err tg_postgres_poll(struct tg_postgres *store);
/* postgres_side.c: calls the in-flight claims of one keeper lost, in a transaction of its own. */
TG_MUST_CHECK enum tg_err tg_postgres_takeover(struct tg_pg_link *link, int32_t instance);
/* All keepers but ours that are gone; *ret_living: how many are not. */
TG_MUST_CHECK enum tg_err tg_postgres_takeover_gone(struct tg_postgres *store, struct tg_pg_link *link,
                                                    size_t *ret_living);

#endif
