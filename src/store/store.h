/*
 * store.h - what the keeper remembers, behind one seam for every database.
 *
 * Shape: a batch of works is one transaction and one durable point. All works
 * of a batch are decided in order against what is durable plus the works
 * before them; when tg_store_commit returns TG_OK every result stands on the
 * disk. When it returns anything else nothing of the batch may be told to
 * anyone and the process must stop (reference: a failed fsync is never
 * retried). The seam asks for sets, not rows, so that a database across a
 * socket can answer a batch in two round trips.
 *
 * Threads: one committer thread calls everything but tg_store_checkpoint,
 * which a second thread may call at any time.
 * Does not: keep time or make randomness; both come in with each work. Seals
 * nothing: stored answers come in sealed.
 */
#ifndef TG_STORE_STORE_H
#define TG_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include "core/idempotency/claim.h" /* enum tg_claim_result */

struct tg_store;

enum tg_work_kind {
    TG_WORK_ADMIT = 1,   /* decide a claim, reserve quota, record the verdict */
    TG_WORK_REFUSAL = 2, /* record a verdict that was reached without a claim (policy, gate NOTE) */
    TG_WORK_SETTLE = 3,  /* record an outcome */
    TG_WORK_LOST = 4,    /* the gate's link went: what was in flight is unknown from now on */
    TG_WORK_RESOLVE = 5  /* reconcile: an operator or a probe ends an unknown */
};

/* The row that every verdict leaves, and the claim where there is one. Digests are already MACed pseudonyms. */
struct tg_verdict_row {
    int64_t at_us;           /* UTC microseconds */
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint8_t flags;           /* TG_FLAG_* of wire/message.h */
    uint8_t environment;
    uint16_t reason;         /* REFUSAL: why; ADMIT: filled from the result by the store's caller beforehand is 0 */
    uint16_t status;         /* REFUSAL: what the caller saw */
    uint32_t partner;
    uint32_t credential;
    int64_t amount_minor;
    uint8_t currency[3];
    struct tg_span route, operation, method, path_template;
    uint8_t payee[16], payer[16], instrument[16], address[16]; /* pseudonyms; zero where not said */
};

struct tg_admit_work {
    struct tg_verdict_row row;
    uint8_t claim_key[TG_CLAIM_KEY_BYTES];
    uint8_t fingerprint[TG_DIGEST_BYTES];
    int64_t expires_us;      /* the claim's end; an unknown outlives it */
    uint64_t owner;          /* the link (gate worker) that holds the claim; LOST names it */
    bool resend_unknown;     /* profile: an unknown with the same fingerprint may be taken again */
    bool has_quota;
    int64_t quota_day_minor; /* limit of the day for (partner, environment, currency) */
    int32_t quota_day;       /* days since 1970-01-01 UTC */
    /* results */
    enum tg_claim_result result;
    uint64_t ticket;
    uint16_t stored_status;  /* REPLAY */
    uint8_t original_id[TG_REQUEST_ID_BYTES];
    struct tg_span sealed;   /* REPLAY: in the batch's arena */
    uint32_t seal_segment;   /* REPLAY: whose key opens it */
};

struct tg_settle_work {
    int64_t at_us;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    uint64_t ticket;         /* 0: find by request id */
    uint64_t owner;
    uint8_t flags;
    uint8_t outcome;         /* enum tg_outcome */
    uint16_t reason;
    uint16_t upstream_status;
    uint16_t caller_status;
    uint32_t upstream_us;
    struct tg_span sealed;   /* empty: nothing to keep */
    uint32_t seal_segment;
    /* result: TG_OK; TG_ERR_ABSENT (no such admitted request); TG_ERR_DENIED (settled before, otherwise; the first
     * settlement stands). The same outcome told twice is TG_OK. A late settle of an unknown ends it. */
    enum tg_err result;
};

struct tg_resolve_work {
    int64_t at_us;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    bool executed;
    uint16_t status;         /* executed: the status that a replay shows */
    struct tg_span sealed;   /* executed and probed: the answer; else empty */
    uint32_t seal_segment;
    struct tg_span actor;    /* "uid=0 login=alice" */
    struct tg_span note;
    enum tg_err result;      /* TG_ERR_ABSENT: no unknown of that id */
};

struct tg_work {
    enum tg_work_kind kind;
    union {
        struct tg_admit_work admit;
        struct tg_verdict_row refusal;
        struct tg_settle_work settle;
        struct { uint64_t owner; int64_t at_us; } lost;
        struct tg_resolve_work resolve;
    };
};

struct tg_store_options {
    const char *path;            /* directory of the embedded store; or NULL and: */
    const char *connection;      /* of a PostgreSQL server, as libpq reads it; may hold a password: it is never logged */
    uint64_t segment_rows_max;   /* rows after which a segment is sealed; 0: the default, 1,000,000 */
    int64_t segment_us_max;      /* age after which it is sealed; 0: an hour */
    int64_t retention_us;        /* life of events; 0: 13 months */
    int64_t purge_grace_us;      /* a sealed segment's answer key lives at least so long: an answer may be on its way,
                                  * sealed before the rotation and committed after it; 0: a minute */
    bool moved_too;              /* open a folder that was copied to a server (move.h): to compare, not to serve from */
    void (*log)(void *user, const char *text); /* start and rotation messages; no data of any call */
    void *log_user;
};

/* Opens or creates; migrates forward; TG_ERR_DENIED for a schema newer than this program. now_us: UTC. */
TG_MUST_CHECK enum tg_err tg_store_open(const struct tg_store_options *options, int64_t now_us, struct tg_store **ret);
void tg_store_close(struct tg_store *store);

/* Decides, appends, commits. Pointers in results live in the arena until its reset. */
TG_MUST_CHECK enum tg_err tg_store_commit(struct tg_store *store, int64_t now_us, struct tg_work *const *works,
                                          size_t count, struct tg_arena *arena);

/* The open segment's number: settles of the next batch seal under its key. Changes only in tg_store_rotate. */
uint32_t tg_store_segment(const struct tg_store *store);

/*
 * Between batches: seals the open segment when it is due, drops expired ones from the index, unlinks what is past
 * retention. *ret_new_segment: 0, or a number whose key must be made before the next commit. ret_destroy: up to
 * `room` segment numbers whose answer keys are due to be destroyed; tg_store_purged confirms each.
 */
TG_MUST_CHECK enum tg_err tg_store_rotate(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment,
                                          uint32_t *ret_destroy, size_t room, size_t *ret_destroy_count);
TG_MUST_CHECK enum tg_err tg_store_purged(struct tg_store *store, uint32_t segment);

/* Checkpoints in small steps off the commit path; from the second thread. True when it did something. */
bool tg_store_checkpoint(struct tg_store *store);

struct tg_store_counts {
    uint64_t claims_live, claims_in_flight, claims_unknown, events, segments;
    uint64_t bytes; /* 0: not known (a server that cannot say) */
};
void tg_store_count(const struct tg_store *store, struct tg_store_counts *ret); /* any thread */

/* Unknown claims, oldest first, at most limit; each row through `each` until it returns false. */
struct tg_unknown_row {
    struct tg_verdict_row row;
    uint64_t ticket;
    uint16_t upstream_status; /* 0: none came */
    uint16_t reason;
};
TG_MUST_CHECK enum tg_err tg_store_unknowns(struct tg_store *store, size_t limit,
                                            bool (*each)(void *user, const struct tg_unknown_row *row), void *user);

/* The events from sequence number `from` on, in order, as the operator reads them (one JSON object, no newline). */
TG_MUST_CHECK enum tg_err tg_store_events(struct tg_store *store, uint64_t from, size_t limit,
                                          bool (*each)(void *user, uint64_t sequence, struct tg_span json), void *user);
uint64_t tg_store_last_event(const struct tg_store *store);

/* ---- what an operator sets up: few rows, all in memory in the keeper ---- */

struct tg_partner { uint32_t id; char name[TG_NAME_BYTES_MAX + 1]; };
struct tg_credential {
    uint32_t id, partner;
    uint8_t environment;
    uint8_t hash[TG_DIGEST_BYTES];
    char prefix[TG_API_KEY_PREFIX_CHARS + 1];
    char operations[TG_OPERATIONS_BYTES_MAX + 1]; /* names with spaces between, or "*" */
    int64_t created_us, expires_us, revoked_us;   /* 0: never */
};
struct tg_limit {
    uint32_t partner;
    uint8_t environment;
    char currency[4];
    int64_t payment_minor_max; /* 0: none allowed */
    int64_t day_minor_max;     /* 0: no limit of the day */
};
struct tg_partner_certificate { uint32_t partner; uint8_t sha256[TG_DIGEST_BYTES]; int64_t not_after_us; };
struct tg_route_credential { char route[TG_NAME_BYTES_MAX + 1]; struct tg_span sealed; };

/* Rows are shown in order of id; strings are valid during the call. Any callback may be NULL. */
struct tg_setup_reader {
    void *user;
    void (*partner)(void *user, const struct tg_partner *row);
    void (*credential)(void *user, const struct tg_credential *row);
    void (*limit)(void *user, const struct tg_limit *row);
    void (*certificate)(void *user, const struct tg_partner_certificate *row);
    void (*route)(void *user, const struct tg_route_credential *row);
};
TG_MUST_CHECK enum tg_err tg_store_setup_read(struct tg_store *store, const struct tg_setup_reader *reader);
/* True when another keeper of the same database changed it since it was read; learned by tg_store_rotate. */
bool tg_store_setup_changed(const struct tg_store *store);

enum tg_act_kind {
    TG_ACT_PARTNER_ADD = 1, TG_ACT_CREDENTIAL_ADD = 2, TG_ACT_CREDENTIAL_REVOKE = 3, TG_ACT_LIMIT_SET = 4,
    TG_ACT_CERTIFICATE_ADD = 5, TG_ACT_ROUTE_SET = 6, TG_ACT_OTHER = 7 /* recorded only */
};
/* One administrative act: the change and its event in one durable step. */
struct tg_act {
    enum tg_act_kind kind;
    int64_t at_us;
    struct tg_span actor;  /* "uid=0 login=alice" */
    struct tg_span what;   /* "partner.limit.set shop-1 EUR" */
    struct tg_span before, after; /* JSON without secrets, or empty */
    uint8_t request_id[TG_REQUEST_ID_BYTES];
    union {
        struct tg_partner partner;       /* id filled in */
        struct tg_credential credential; /* id filled in; REVOKE: id and revoked_us */
        struct tg_limit limit;
        struct tg_partner_certificate certificate;
        struct tg_route_credential route;
    };
};
/* TG_ERR_DENIED: name taken; TG_ERR_ABSENT: no such row. Both leave an event that says so. */
TG_MUST_CHECK enum tg_err tg_store_act(struct tg_store *store, struct tg_act *act);

/* How what is kept is reached, for an operator: "a folder", "TCP, TLS, server verified"; any thread. */
const char *tg_store_way(const struct tg_store *store);

/* ---- whose keys name the claims ---- */

#define TG_STORE_SEALER_BYTES 32 /* an Ed25519 public key */
/*
 * A store belongs to one sealer, known by the public half of its record key: under other keys the same claim would have
 * another name and be taken again. The first one is written down, durable. TG_ERR_DENIED: it belongs to another.
 */
TG_MUST_CHECK enum tg_err tg_store_sealer(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES]);

#endif
