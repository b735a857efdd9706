/*
 * keeper.h - what the loop's thread of the keeper holds, and the services that work on it.
 *
 * Promises: everything here is touched by the loop's thread alone; the store belongs to the
 * committer's thread, which is reached by jobs.
 * Does not: hold secrets beyond a batch; does not know libuv or threads: the server (server.c) and a simulator
 * drive it through the ports of its links, its sealer and its committer, and through tg_env.
 */
#ifndef TG_KEEPER_KEEPER_H
#define TG_KEEPER_KEEPER_H

#include <sys/types.h>

#include "keeper/batch.h"
#include "keeper/committer.h"
#include "keeper/link.h"
#include "keeper/metrics.h"
#include "keeper/sealer_link.h"
#include "keeper/setup.h"
#include "keeper/throttle.h"

/* ADMITs that wait for their turn: at 10,000 a second some 400 ms, beyond which a caller had better ask again. */
#define TG_KEEPER_ADMITS_MAX 4096
/* NOTEs and failed keys that wait to be recorded; more are only counted. */
#define TG_KEEPER_NOTES_MAX 4096
/* Refusals of callers that nobody knows, recorded in a second; a flood of them must not fill the disk. */
#define TG_KEEPER_UNKNOWN_ROWS_PER_SECOND 50
/* How long the end waits for what is pending. */
#define TG_KEEPER_END_MS 5000

struct tg_keeper_options {
    const char *store;               /* folder of the embedded store, or NULL and: */
    const char *store_postgres_file; /* holds the connection of a PostgreSQL server */
    const char *gate_socket;
    const char *admin_socket;
    const char *sealer_socket;
    const char *user;
    const char *log;
    const char *pid;
    uid_t gate_uid;
    uid_t admin_uid;
    uint64_t segment_rows;
    uint64_t segment_seconds;
    uint64_t purge_grace_seconds;
    uint64_t retention_days;
};

/* Which sealer the store belongs to, as far as it is known (belong.h). */
struct tg_belong {
    struct tg_job job;
    struct tg_keeper *keeper;
    bool asking; /* the store is being asked about `asked` */
    bool known;  /* it is `own` */
    uint8_t asked[TG_STORE_SEALER_BYTES];
    uint8_t own[TG_STORE_SEALER_BYTES];
    enum tg_err result;
};

struct tg_keeper {
    struct tg_keeper_options options;
    struct tg_setup setup;
    struct tg_throttle *throttle;
    struct tg_metrics metrics;
    struct tg_committer committer;
    struct tg_sealer_link sealer;
    struct tg_belong belong;
    struct tg_batcher batcher;
    struct tg_link *links;
    struct tg_link *dirty;
    size_t gate_links;
    size_t admin_links;
    uint64_t owner_next;
    uint8_t boot_id[16];
    uint32_t segment;           /* whose key seals answers now: its key is made */
    uint32_t segment_wanted;    /* opened by the store; its key is being made */
    uint32_t making;            /* whose key was asked for; 0: none */
    bool sealer_was_away;
    size_t destroying;          /* keys that the sealer was asked to destroy */
    struct tg_bucket unknown_rows;
    uint64_t suppressed;        /* refusals that were not recorded since it was last written down */
    bool acting;                /* the suppressed count is being written */
    bool refreshing;            /* whether another keeper changed the setup is being looked at */
    uint64_t ticks;
    int64_t started_us;
    int64_t ending_since_us;    /* 0: serving */
    int exit_status;
};

/* engine.c: names the process, readies batches and ties store, sealer and segments; the store is open. */
TG_MUST_CHECK enum tg_err tg_engine_start(struct tg_keeper *keeper);
/* After each turn: begins what can be begun, sends what was gathered. */
void tg_engine_turn(struct tg_keeper *keeper);
/* Every TG_ENGINE_TICK_MS while it serves. */
#define TG_ENGINE_TICK_MS 20
void tg_engine_tick(struct tg_keeper *keeper);
/*
 * How long nothing is gained by a look at the links, unless the sealer or the committer has news before: a batch is
 * under way, no gate asks what is answered from memory (AUTH), and nothing waits to be written. 0: look at them.
 */
int tg_engine_inward_ms(const struct tg_keeper *keeper);
/* From here on nothing new is admitted. True once nothing is pending any more. */
void tg_engine_end(struct tg_keeper *keeper);
bool tg_engine_ended(const struct tg_keeper *keeper);
/* Frees what it holds; links and the sealer are closed before, and no job is on its way. */
void tg_engine_free(struct tg_keeper *keeper);

/* gate_link.c: one frame of a gate. False: close the link. */
bool tg_gate_frame(struct tg_link *link, const struct tg_frame *frame);
void tg_gate_gone(struct tg_link *link);
/* Tells every gate to forget the keys that it remembers. */
void tg_gate_flush(struct tg_keeper *keeper);

/* auth.c, admit.c, settle.c, note.c, stats.c: one service each. */
bool tg_auth_serve(struct tg_link *link, const struct tg_frame *frame);
bool tg_admit_serve(struct tg_link *link, const struct tg_frame *frame);
bool tg_settle_serve(struct tg_link *link, const struct tg_frame *frame);
bool tg_note_serve(struct tg_link *link, const struct tg_frame *frame);
bool tg_stats_serve(struct tg_link *link, const struct tg_frame *frame);

/* admit.c: the answer of a decided ADMIT; takes the question. */
void tg_admit_answer(struct tg_keeper *keeper, struct tg_question *question);
/* An ADMIT that is refused at once, without a row of its own. */
void tg_admit_refuse(struct tg_link *link, uint16_t slot, uint32_t turn, uint16_t reason, uint16_t retry_after_s);
/* admit.c: policy at its turn; fills the work. */
void tg_admit_prepare(struct tg_keeper *keeper, struct tg_question *question);
/* admit.c: SHA-256 of a claim key's parts, for the sealer to MAC. */
TG_MUST_CHECK enum tg_err tg_admit_claim_digest(const struct tg_admit *admit, uint8_t ret[TG_DIGEST_BYTES]);

/* settle.c */
void tg_settle_prepare(struct tg_keeper *keeper, struct tg_question *question);
void tg_settle_answer(struct tg_keeper *keeper, struct tg_question *question);

/* note.c: records a refusal that no claim belongs to; rate-bounded when nobody is known. */
void tg_note_record(struct tg_keeper *keeper, const struct tg_verdict_row *row);
/* Writes down how many were not recorded, when there are any. */
void tg_note_suppressed(struct tg_keeper *keeper);

/* actor.c: "uid=1000 login=alice", from /proc/PID/loginuid where the kernel knows it. */
void tg_admin_actor(uid_t uid, pid_t pid, char ret[TG_LINK_ACTOR_BYTES]);

/* admin.c: what a JSON parser frees is wiped first: it may have held a credential. Once, before any frame. */
void tg_admin_start(void);
/* admin.c: one frame of an operator. */
bool tg_admin_frame(struct tg_link *link, const struct tg_frame *frame);

#endif
