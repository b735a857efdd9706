/*
 * state.h - what the files of the store share: the open store, and the one way in which a row changes it.
 *
 * Promises: tg_state_apply is the only writer of the claims in memory. The
 * commit path calls it for each row that it appends, a start for each row
 * that it reads, so both come to the same state.
 * Does not: decide; does not: write rows (tg_state_append does both in order).
 */
#ifndef TG_STORE_STATE_H
#define TG_STORE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/backend.h"
#include "store/event.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/pending.h"
#include "store/quota.h"
#include "store/recent.h"
#include "store/segment.h"
#include "store/store.h"

/* Connections kept to sealed segments: replays come from the last day, 24 hours of which few are asked at a time. */
#define TG_STORE_READERS 16
/* Rows read, or claims carried, in one step of leaving: some milliseconds, once a segment. */
#define TG_STORE_CARRY_ROWS 2000u
enum tg_leaving { TG_LEAVING_NO = 0, TG_LEAVING_BEGUN = 1, TG_LEAVING_GONE = 2 };

/* What is known of a segment without opening its file; a row of tollgate.sqlite. */
struct tg_segment_info {
    uint32_t number;
    uint64_t first, last;  /* sequence numbers; last is UINT64_MAX while the segment is open */
    int64_t opened_us, sealed_us; /* sealed_us 0: open */
    int64_t claims_end_us; /* when the last settled claim with its row here expires */
    int64_t answers_end_us; /* when the last answer sealed under this number's key expires */
    int64_t last_event_us;
    uint64_t events, rows, bytes;
    bool purged;
    bool dropped; /* its claims are out of the index, or were never read in */
    bool changed; /* answers_end_us differs from what stands in tollgate.sqlite */
    enum tg_leaving leaving;
};

struct tg_reader {
    struct tg_segment segment;
    uint64_t used;
};

/* Work that a commit must not wait for; done by the second thread. */
struct tg_job {
    struct tg_job *next;
    uint32_t number;
    uint64_t first, last;
    struct tg_segment retired; /* the writer's connection, to be checkpointed and closed; may be empty */
    struct tg_key_open *open;  /* unsettled claims at sealing */
    size_t open_count;
    bool keys;  /* write the key file */
    bool leave; /* remove the segment's files, in small steps */
};

struct tg_checkpointer {
    pthread_mutex_t turnstile, write_lock; /* see checkpoint.c */
    pthread_mutex_t jobs_lock;
    struct tg_job *jobs, **jobs_end;
    struct tg_job *gone; /* finished leave jobs, for the committer */
    sqlite3 *db;         /* second thread only: its connection to the open segment */
    uint32_t number;
    int done_frames;
    atomic_int frames;   /* in the open segment's write-ahead log */
    atomic_uint open_number;
    atomic_bool broken;  /* a checkpoint failed to sync: nothing may be committed any more */
    int step_frames, restart_frames; /* checkpoint.c says how many; tests take fewer, to see every step in a small store */
    int64_t cut_bytes;
};

struct tg_store { /* in a folder */
    struct tg_store_head head;
    char path[TG_STORE_PATH_BYTES_MAX / 2];
    int folder_fd; /* holds the lock on the store */
    uint64_t segment_rows_max;
    int64_t segment_us_max, retention_us, purge_grace_us;
    void (*log)(void *user, const char *text);
    void *log_user;

    sqlite3 *setup; /* tollgate.sqlite */
    struct tg_segment open;
    struct tg_segment_info *infos; /* by number; the last one is open */
    size_t info_count, info_cap;
    struct tg_reader readers[TG_STORE_READERS];
    uint64_t reader_clock;

    struct tg_index index; /* final claims */
    struct tg_pending pending;
    struct tg_recent recent;
    struct tg_quota quota;
    uint64_t sequence; /* the last one given */
    uint64_t acts, sealed_events;
    bool failed; /* a batch broke off: memory and disk may differ */

    uint32_t sweep_number, sweep_shard; /* the segment that is leaving the index; 0: none */
    uint32_t carry_number;              /* the segment whose living claims are being carried on */
    uint64_t carry_from;
    uint32_t carry_rows;                /* in one step; TG_STORE_CARRY_ROWS, tests take fewer */

    struct tg_row_held held; /* scratch of the committer */
    uint8_t *event_bytes;    /* TG_EVENT_BYTES_MAX */
    struct tg_checkpointer checkpointer;
    atomic_uint_fast64_t live, in_flight, unknown, events, segments, sealed_bytes, open_bytes;
};

/* The texts carry no data of any call. */
void tg_state_log(const struct tg_store *store, const char *text);

/* By number (NULL when it is not there), or the one that holds a sequence number. */
struct tg_segment_info *tg_state_info(const struct tg_store *store, uint32_t number);
struct tg_segment_info *tg_state_info_of(const struct tg_store *store, uint64_t sequence);
struct tg_segment_info *tg_state_open_info(const struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_state_add_info(struct tg_store *store, const struct tg_segment_info *info);

/* What the row says becomes so in memory. Rows come in order of sequence. */
TG_MUST_CHECK enum tg_err tg_state_apply(struct tg_store *store, const struct tg_row *row);

/* Gives the row its number (an ADMIT's is its ticket too), writes it to the open segment, applies it. */
TG_MUST_CHECK enum tg_err tg_state_append(struct tg_store *store, struct tg_row *row, struct tg_span sealed);

/* A row by number from whichever segment holds it; TG_ERR_ABSENT when its file has left. */
TG_MUST_CHECK enum tg_err tg_state_read(struct tg_store *store, uint64_t sequence, struct tg_row_held *ret,
                                        struct tg_arena *arena, struct tg_span *sealed);
/* The connection for reading a segment, the open one included. */
TG_MUST_CHECK enum tg_err tg_state_reader(struct tg_store *store, const struct tg_segment_info *info,
                                          struct tg_segment **ret);
void tg_state_close_reader(struct tg_store *store, uint32_t number);

/* The row of a final claim that has this key and is not expired at now_us; TG_ERR_ABSENT. sealed as in tg_segment_read. */
TG_MUST_CHECK enum tg_err tg_state_final(struct tg_store *store, const uint8_t *claim_key, int64_t now_us,
                                         struct tg_row_held *ret);

/* Copies sizes into the counters that any thread may read: all of them, or those that every batch changes. */
void tg_state_publish(struct tg_store *store);
void tg_state_publish_claims(struct tg_store *store);

/* settle.c: one work each, called inside the batch's transaction. */
TG_MUST_CHECK enum tg_err tg_settle_work_do(struct tg_store *store, struct tg_settle_work *work);
TG_MUST_CHECK enum tg_err tg_lost_work_do(struct tg_store *store, uint64_t owner, int64_t at_us);
TG_MUST_CHECK enum tg_err tg_resolve_work_do(struct tg_store *store, struct tg_resolve_work *work);
/* Gives back or spends what the claim reserved. */
TG_MUST_CHECK enum tg_err tg_settle_quota(struct tg_store *store, const struct tg_pending_claim *claim, bool spent);

/* The calls of backend.h, each in the file of its subject. */
void tg_embedded_close(struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_embedded_commit(struct tg_store *store, int64_t now_us, struct tg_work *const *works,
                                             size_t count, struct tg_arena *arena);
TG_MUST_CHECK enum tg_err tg_embedded_rotate(struct tg_store *store, int64_t now_us, uint32_t *ret_new_segment,
                                             uint32_t *ret_destroy, size_t room, size_t *ret_destroy_count);
TG_MUST_CHECK enum tg_err tg_embedded_purged(struct tg_store *store, uint32_t segment);
bool tg_embedded_checkpoint(struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_embedded_unknowns(struct tg_store *store, size_t limit,
                                               bool (*each)(void *user, const struct tg_unknown_row *row), void *user);
TG_MUST_CHECK enum tg_err tg_embedded_events(struct tg_store *store, uint64_t from, size_t limit,
                                             bool (*each)(void *user, uint64_t sequence, struct tg_span json),
                                             void *user);
TG_MUST_CHECK enum tg_err tg_embedded_setup_read(struct tg_store *store, const struct tg_setup_reader *reader);
TG_MUST_CHECK enum tg_err tg_embedded_act(struct tg_store *store, struct tg_act *act);
TG_MUST_CHECK enum tg_err tg_embedded_sealer(struct tg_store *store, const uint8_t key[TG_STORE_SEALER_BYTES]);

/* recover.c */
TG_MUST_CHECK enum tg_err tg_recover(struct tg_store *store, int64_t now_us);
/* segments.c: the list of segments in tollgate.sqlite */
TG_MUST_CHECK enum tg_err tg_segments_load(struct tg_store *store);
TG_MUST_CHECK enum tg_err tg_segments_begin(struct tg_store *store, const struct tg_segment_info *fresh);
TG_MUST_CHECK enum tg_err tg_segments_save(struct tg_store *store, const struct tg_segment_info *info);
TG_MUST_CHECK enum tg_err tg_segments_forget(struct tg_store *store, uint32_t number);
/* rotate.c: makes the file of a fresh segment with its snapshot of counters and opens it as the store's writer. */
TG_MUST_CHECK enum tg_err tg_rotate_create(struct tg_store *store, uint32_t number);
/* leave.c: one bounded step of removing the oldest segment past retention. */
TG_MUST_CHECK enum tg_err tg_leave_step(struct tg_store *store, int64_t now_us);
/* checkpoint.c */
TG_MUST_CHECK enum tg_err tg_checkpointer_init(struct tg_store *store);
void tg_checkpointer_free(struct tg_store *store); /* finishes all jobs but file removal */
void tg_checkpointer_lock(struct tg_store *store); /* around all that writes to the open segment */
void tg_checkpointer_unlock(struct tg_store *store);
void tg_checkpointer_watch(struct tg_store *store); /* the writer's connection is new */
TG_MUST_CHECK enum tg_err tg_checkpointer_key_job(struct tg_store *store, const struct tg_segment_info *info,
                                                  struct tg_segment *retired);
TG_MUST_CHECK enum tg_err tg_checkpointer_leave_job(struct tg_store *store, uint32_t number);
/* The number of a segment whose files are gone since the last call; 0: none. */
uint32_t tg_checkpointer_gone(struct tg_store *store);

#endif
