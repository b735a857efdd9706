/*
 * gate.h - what every file of the nginx module shares: configuration, the request's context, the keeper's slots.
 *
 * The module is two ngx_module_t in one shared object: `ngx_http_tollgate_module` (configuration, POST_READ,
 * PREACCESS, the link) and `ngx_http_tollgate_filter_module` (holds answers); they need different places in nginx's
 * module order (modules.c).
 *
 * Promises: configuration is written while it is read and never afterwards. A request's context lives in its pool and
 * is found again after internal redirects. No function here blocks, and none touches a request that may be gone.
 * Does not: decide policy. core/ reads messages, the keeper decides.
 */
#ifndef TG_GATE_GATE_H
#define TG_GATE_GATE_H

/* nginx's headers come first: they set feature macros. */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/limits.h"
#include "base/span.h"
#include "core/payment/facts.h"
#include "core/payment/profile.h"
#include "core/policy/reason.h"
#include "wire/message.h"

extern ngx_module_t ngx_http_tollgate_module;
extern ngx_module_t ngx_http_tollgate_filter_module;

enum tg_gate_mode { TG_GATE_OFF = 0, TG_GATE_OBSERVE = 1, TG_GATE_ON = 2 };

enum tg_gate_card_data { TG_GATE_CARD_BY_PROFILE = 0, TG_GATE_CARD_REFUSE = 1, TG_GATE_CARD_ALLOW = 2 };

/* http{}: one for the whole configuration. */
struct tg_gate_main_conf {
    ngx_addr_t keeper;     /* tollgate_keeper unix:PATH; socklen 0: not given */
    ngx_array_t profiles;  /* of struct tg_gate_profile, each file parsed once */
    size_t zone_bytes;     /* tollgate_zone SIZE; NGX_CONF_UNSET_SIZE: what zone.c needs */
    size_t hold_bytes_max; /* the largest tollgate_hold_max of all locations: sizes the link's output */
    bool gated;            /* some location is `on` or `observe` */
    ngx_flag_t guard;      /* tollgate_guard on | off; NGX_CONF_UNSET: on */
};

/* One parsed profile file. */
struct tg_gate_profile {
    ngx_str_t path; /* full path: the identity */
    const struct tg_profile *profile;
};

/* server{}: what its locations ask for, gathered while they are merged. */
struct tg_gate_server_conf {
    bool gated;    /* at least one location is `on`: fields are checked and trust headers dropped at POST_READ */
    bool observed; /* at least one location is `observe` */
};

/* http{}, server{}, location{}. */
struct tg_gate_location_conf {
    ngx_uint_t mode;                  /* enum tg_gate_mode */
    const struct tg_profile *profile; /* NULL: none given */
    ngx_str_t route;                  /* 1..TG_NAME_BYTES_MAX when gated */
    ngx_msec_t admit_wait_ms;         /* for AUTH, and for ADMIT, each */
    ngx_msec_t settle_wait_ms;
    size_t hold_bytes_max;
    ngx_uint_t card_data;                  /* enum tg_gate_card_data */
    ngx_str_t upstream_credential;         /* lower-case field name that carries the route's credential */
    ngx_uint_t upstream_credential_hash;   /* nginx's hash of that name */
    ngx_uint_t shape;                      /* enum tg_problem_shape; 0: the profile's, or plain */
    const struct tg_reason_entry *problem; /* tollgate_problem NAME: this location serves only that document */
    ngx_array_t *operators; /* of ngx_cidr_t: who else than loopback may see the status pages; NULL: nobody */
};

/* How far a request has come in PREACCESS. Phase handlers are entered again and again: each step is passed once. */
enum tg_gate_step {
    TG_STEP_NEW = 0,
    TG_STEP_AUTH_ASKED, /* suspended */
    TG_STEP_AUTH_ANSWERED,
    TG_STEP_BODY_ASKED, /* nginx reads the body */
    TG_STEP_BODY_READ,
    TG_STEP_ADMIT_ASKED, /* suspended */
    TG_STEP_ADMIT_ANSWERED,
    TG_STEP_PASSED,  /* goes, or went, to the upstream; a verdict holds for one location and one pass */
    TG_STEP_ANSWERED /* the gate answers itself: refusal or replay */
};

/* How far the answer of an admitted call has come. */
enum tg_gate_hold {
    TG_HOLD_NONE = 0,  /* no header seen */
    TG_HOLD_GATHERING, /* header seen, not sent; the body is copied */
    TG_HOLD_ASKED,     /* SETTLE is under way */
    TG_HOLD_OVER,      /* SETTLE has ended, one way or the other */
    TG_HOLD_RELEASED   /* header and body went on to the next filters */
};

/* The input filters of an upstream's answer that framing.c stands in for. */
struct tg_gate_framing {
    ngx_int_t (*init)(void *data);
    ngx_int_t (*pipe_filter)(ngx_event_pipe_t *pipe, ngx_buf_t *buf);
    ngx_int_t (*filter)(void *data, ssize_t bytes);
};

struct tg_gate_slot;

/*
 * One request's context: made at POST_READ (main requests only), in r->pool.
 * log.c reads it; nothing in it is secret but `credential_value`.
 */
struct tg_gate_ctx {
    ngx_http_request_t *request;
    const struct tg_gate_location_conf *conf; /* the gated location that judged; NULL before PREACCESS */
    const struct tg_operation *operation;     /* NULL: not matched (yet) */
    struct tg_gate_slot *slot;                /* the question under way, or the slot kept from ADMIT to SETTLE */

    uint8_t request_id[TG_REQUEST_ID_BYTES];
    u_char request_id_text[TG_REQUEST_ID_CHARS]; /* no NUL behind */
    ngx_str_t client_request_id;                 /* valid X-Request-Id, echoed; else empty */

    uint8_t step;          /* enum tg_gate_step */
    uint8_t hold;          /* enum tg_gate_hold */
    uint8_t mode;          /* enum tg_gate_mode of conf, copied when PREACCESS begins */
    uint8_t verdict;       /* enum tg_verdict, 0: none yet */
    uint8_t outcome;       /* enum tg_outcome, 0: not settled */
    uint8_t environment;   /* enum tg_environment, 0: not authenticated */
    uint16_t field_reason; /* what POST_READ's checks said: TG_REASON_OK or a refusal that PREACCESS carries out */
    uint16_t reason; /* why the caller saw what it saw: TG_REASON_OK or the refusal (in observe: the would-be one) */
    uint16_t upstream_status; /* as the upstream sent it; 0: none */
    uint16_t retry_after_s;
    uint32_t partner; /* 0: not authenticated */
    uint32_t credential;
    uint64_t ticket;
    ngx_msec_t began_ms; /* ngx_current_msec at POST_READ */
    ngx_msec_t asked_ms; /* when the question under way was asked */
    uint32_t auth_ms;    /* waited for AUTH, ADMIT, SETTLE: for the access line */
    uint32_t admit_ms;
    uint32_t settle_ms;

    bool authenticated_from_cache;
    bool judged_by_keeper; /* the verdict is ADMIT's: the keeper has recorded it */
    bool admitted;         /* ADMIT said ALLOW: a SETTLE is owed */
    bool settled;          /* SETTLE is durable */
    bool refused_answer;   /* the upstream's answer may not be passed on; `reason` says why */
    bool upstream_answer;  /* the header held is the upstream's own, not one that nginx made */
    bool answer_unfit;     /* its header alone says that it cannot be passed on */
    bool over;             /* the answer is larger than may be held */
    bool cut;              /* the answer ended before its end */
    bool replayed;
    bool gone; /* cleanup has run: ask nothing more */

    struct tg_span body; /* the one contiguous request body; borrowed from r->request_body */
    struct tg_facts facts;
    struct tg_pointer where; /* JSON Pointer of a refusal */
    bool has_key;
    uint8_t key_digest[TG_DIGEST_BYTES]; /* of the idempotency key */
    ngx_str_t key_raw;                   /* the key as the caller sent it, to be said again; empty: none, or quoted */

    u_char *credential_value; /* the route's own credential as it stands in headers_in: wiped when sent */
    size_t credential_bytes;
    ngx_table_elt_t *credential_header;
    struct tg_span stored; /* REPLAY: the stored answer, in r->pool */
    uint8_t original_id[TG_REQUEST_ID_BYTES];

    u_char *held; /* the gathered answer body */
    size_t held_bytes;
    size_t held_cap;
    ngx_uint_t http_version; /* as it was at admission: an HTTP/0.9 answer changes r->http_version */
    struct tg_gate_framing framing;
    ngx_msec_t heard_ms; /* when the upstream was last heard */
};

/* The context of r's main request, also after internal redirects have wiped r->ctx; NULL when there is none. */
struct tg_gate_ctx *tg_gate_ctx_find(ngx_http_request_t *r);

/* ---- headers.c: adding fields (fields.h finds and drops them) ---- */

/* Adds a field; name and value must live as long as the request. lowcase must be the name in lower case. */
ngx_int_t tg_gate_header_add_in(ngx_http_request_t *r, struct tg_span name, struct tg_span lowcase,
                                struct tg_span value);
ngx_int_t tg_gate_header_add_out(ngx_http_request_t *r, struct tg_span name, struct tg_span value);

/* ---- link to the keeper (link.c), as others need it ---- */

/* True while this worker has a connection to the keeper. */
bool tg_gate_link_up(void);

/* Slots in use in this worker. */
ngx_uint_t tg_gate_link_slots_used(void);

#endif
