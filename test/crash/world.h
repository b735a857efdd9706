/*
 * world.h - a store under work that is known in advance: what it must hold after each step, whatever becomes of its
 * disk.
 *
 * A moment is what the store shows (read back through its own calls and its memory) together with what the works
 * that it acknowledged make of it by a model of their own. A step is one call of the store, or a few for a rotation.
 *
 * Promises: the same seed on the same moment does the same steps. After each acknowledged step view and model are
 * held against each other: claims, answers, counters, the results of every work.
 * Does not: know disks or power cuts (lives.c does).
 */
#ifndef TEST_CRASH_WORLD_H
#define TEST_CRASH_WORLD_H

#include "store/testkit.h"

#define WORLD_KEYS 24u
#define WORLD_DAYS 32u /* from KIT_START on */
#define WORLD_SEGMENTS 256u
#define WORLD_EVENTS 2048u
#define WORLD_PARTNERS 6u
#define WORLD_FOLDER "/tollgate-disk/store"

/* One claim key, by the model. */
struct world_claim {
    enum tg_claim_state state;
    bool has_quota;
    uint64_t request, print, owner, ticket;
    int64_t admitted_us, expires_us, amount;
    int32_t day;
    uint16_t status;     /* FINAL: what a replay shows; UNKNOWN: what the upstream said */
    uint32_t answer_len; /* 0: none */
    uint32_t seal_segment;
};

struct world_model {
    struct world_claim claims[WORLD_KEYS];
    struct {
        int64_t reserved, committed;
    } days[WORLD_DAYS];
    bool purged[WORLD_SEGMENTS];
    uint64_t requests; /* request ids given so far */
    uint32_t acts;     /* names given so far */
};

/* One claim key, as the store shows it; zeroes where it holds nothing. */
struct world_shown {
    uint32_t state; /* IN_FLIGHT stands for LOST too: a start cannot tell them apart */
    uint32_t status;
    uint32_t answer_len; /* that a replay would give */
    uint32_t unused;
    uint64_t ticket, answer, print;
    int64_t expires_us;
    uint8_t request_id[TG_REQUEST_ID_BYTES];
};

enum world_segment { WORLD_SEGMENT_NONE = 0, WORLD_SEGMENT_KEPT = 1, WORLD_SEGMENT_PURGED = 2 };

struct world_view {
    uint64_t setup;
    uint32_t segment; /* the open one */
    size_t event_count;
    uint64_t events[WORLD_EVENTS];
    struct world_shown claims[WORLD_KEYS];
    struct {
        int64_t reserved, committed;
    } days[WORLD_DAYS];
    uint8_t segments[WORLD_SEGMENTS];
};

struct world_moment {
    struct world_view view;
    struct world_model model;
};

struct world {
    struct kit kit;
    struct world_model model;
    uint64_t draw;       /* state of the generator */
    uint32_t destroy[8]; /* segments whose keys the last rotation gave up */
    size_t destroy_count;
    bool small; /* checkpoints after a few frames already */
};

/* Why the last call returned false. */
extern char world_fault[1024];
extern bool world_unread; /* and that was a call that failed, not a wrong answer */
bool world_differs(const char *format, ...) __attribute__((format(printf, 1, 2))); /* notes it; returns false */
uint64_t world_draw(struct world *world, uint64_t below);

/* Opens the store under WORLD_FOLDER at its time. */
enum tg_err world_open(struct world *world);

/* What the store shows now; false: it contradicts itself. */
bool world_look(struct world *world, struct world_view *ret);
/* View and model agree. */
bool world_agrees(const struct world_view *view, const struct world_model *model, int64_t now_us);
/* Two views are the same; names what is not. `mixed`: each part of view may be that of either. */
bool world_same(const struct world_view *view, const struct world_view *a, const struct world_view *b, bool mixed);
/* After a start nothing is in flight. */
void world_forget_links(struct world_model *model);

enum world_kind { WORLD_BATCH, WORLD_ACT, WORLD_ROTATE, WORLD_PURGE, WORLD_CHECKPOINT };
extern const char *const world_names[];
/* What the next step is, and the time that it comes at: kit.now_us goes on. */
enum world_kind world_next(struct world *world);
/* Does it. The store's answer; TG_ERR_BUG: the store answered, and wrongly (world_fault says how). */
enum tg_err world_do(struct world *world, enum world_kind kind);

/* steps of one kind: world_batch.c, world_act.c */
enum tg_err world_batch(struct world *world);
enum tg_err world_act(struct world *world);

#endif
