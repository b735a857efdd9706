/*
 * admin.h - one command of an operator, from its JSON to its answer.
 *
 * Promises: a link has one command at a time; every act is an event with its actor, durable
 * before it is answered and before memory changes; duplicate members are refused.
 * Does not: show a secret; hashes, sealed bytes and credentials never stand in an answer.
 */
#ifndef TG_KEEPER_ADMIN_H
#define TG_KEEPER_ADMIN_H

#include <jansson.h>

#include "keeper/keeper.h"

/* Answers below the frame's limit with room for what surrounds them. */
#define TG_ADMIN_ANSWER_BYTES_MAX (3u * 1024u * 1024u)
#define TG_ADMIN_WHAT_BYTES 256

struct tg_admin_call {
    struct tg_job job; /* first: a call is a job */
    struct tg_keeper *keeper;
    struct tg_link *link;
    uint16_t slot;
    uint32_t turn;
    json_t *root;      /* the whole request */
    json_t *arguments;
    /* an act under way */
    struct tg_act act;
    enum tg_err err;
    uint8_t what[TG_ADMIN_WHAT_BYTES];
    char *before;
    char *after;
    void (*apply)(struct tg_admin_call *call); /* durable: change memory, answer */
    void *held;        /* a command's own memory, freed with the call */
    size_t held_len;   /* wiped so far */
    struct tg_buf text; /* an answer that is built as text */
    uint64_t number;
};

/* ---- arguments; false: the call has been answered with the fault ---- */
bool tg_admin_text(struct tg_admin_call *call, const char *name, size_t max, struct tg_span *ret);
bool tg_admin_name(struct tg_admin_call *call, const char *name, struct tg_span *ret); /* 1..64 of [A-Za-z0-9._-] */
bool tg_admin_number(struct tg_admin_call *call, const char *name, int64_t max, int64_t *ret); /* 0..max */
bool tg_admin_bool(struct tg_admin_call *call, const char *name, bool *ret);
bool tg_admin_hex(struct tg_admin_call *call, const char *name, uint8_t *ret, size_t len);
bool tg_admin_partner(struct tg_admin_call *call, const struct tg_partner **ret); /* by name */
bool tg_admin_environment(struct tg_admin_call *call, uint8_t *ret);
bool tg_admin_has(const struct tg_admin_call *call, const char *name);
bool tg_admin_name_ok(struct tg_span name);

/* ---- answers; each ends the call ---- */
void tg_admin_ok(struct tg_admin_call *call, json_t *result); /* takes result; NULL is no memory */
void tg_admin_rows(struct tg_admin_call *call, json_t *rows);
void tg_admin_answer_text(struct tg_admin_call *call, struct tg_span json);
void tg_admin_fail(struct tg_admin_call *call, const char *error, const char *text);

/*
 * Makes the act durable, then calls apply. `what` is its name and object; before and after are taken (NULL: none).
 * The act's kind and row are filled in beforehand. A failed act is answered here.
 */
void tg_admin_act(struct tg_admin_call *call, const char *verb, struct tg_span object, json_t *before, json_t *after,
                  void (*apply)(struct tg_admin_call *call));

/* Room for a command's own memory, wiped and freed with the call; NULL: answered. */
void *tg_admin_hold(struct tg_admin_call *call, size_t len);

const char *tg_admin_environment_name(uint8_t environment);
json_t *tg_admin_time(int64_t us); /* "2026-01-31T12:00:00Z", or null for 0 */

/* ---- the commands, one file a group ---- */
void tg_admin_partner_add(struct tg_admin_call *call);
void tg_admin_partner_list(struct tg_admin_call *call);
void tg_admin_limit_set(struct tg_admin_call *call);
void tg_admin_limit_show(struct tg_admin_call *call);
void tg_admin_key_create(struct tg_admin_call *call);
void tg_admin_key_list(struct tg_admin_call *call);
void tg_admin_key_revoke(struct tg_admin_call *call);
void tg_admin_certificate_add(struct tg_admin_call *call);
void tg_admin_certificate_list(struct tg_admin_call *call);
void tg_admin_route_set(struct tg_admin_call *call);
void tg_admin_route_list(struct tg_admin_call *call);
void tg_admin_reconcile_list(struct tg_admin_call *call);
void tg_admin_reconcile_resolve(struct tg_admin_call *call);
void tg_admin_log_tail(struct tg_admin_call *call);
void tg_admin_log_act(struct tg_admin_call *call);
void tg_admin_status(struct tg_admin_call *call);
void tg_admin_metrics(struct tg_admin_call *call);
void tg_admin_backup_begin(struct tg_admin_call *call);
void tg_admin_backup_state(struct tg_admin_call *call);
void tg_admin_backup_end(struct tg_admin_call *call);

#endif
