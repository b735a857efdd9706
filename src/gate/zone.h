/*
 * zone.h - counters that all workers share, in one bounded piece of shared memory.
 *
 * Promises: every label is one of a fixed set (a metric, a reason code, a
 * bucket), so no caller can make the memory grow; each count is one relaxed
 * atomic addition, without a lock; a reload keeps the counts. Counting before
 * the zone exists (nginx -t) does nothing.
 * Does not: decide. Whatever decides about money is counted in the keeper.
 */
#ifndef TG_GATE_ZONE_H
#define TG_GATE_ZONE_H

/* nginx first: it sets feature macros. */
#include <ngx_config.h>
#include <ngx_core.h>

#include "base/buf.h"

enum tg_metric {
    TG_METRIC_REQUESTS = 0,        /* requests on gated routes */
    TG_METRIC_ALLOWED,             /* forwarded after ALLOW */
    TG_METRIC_REPLAYED,            /* answered from the record */
    TG_METRIC_REFUSED,             /* answered by the gate with a problem */
    TG_METRIC_OBSERVED,            /* requests on routes in observe */
    TG_METRIC_OBSERVED_REFUSAL,    /* would have been refused */
    TG_METRIC_OBSERVED_UNRECORDED, /* observed while the keeper could not be told */
    TG_METRIC_SETTLED,             /* SETTLE answered durable */
    TG_METRIC_UNSETTLED,           /* admitted, and no durable SETTLE in time */
    TG_METRIC_OUTCOME_UNKNOWN,     /* answered outcome_unknown */
    TG_METRIC_AUTH_ASKED,          /* AUTH questions sent */
    TG_METRIC_AUTH_CACHED,         /* AUTH answered from the worker's cache */
    TG_METRIC_AUTH_FLUSHED,        /* FLUSH frames received */
    TG_METRIC_CLIENT_GONE,         /* the client left before its answer */
    TG_METRIC_NOTE_LOST,           /* NOTE could not be queued */
    TG_METRIC_LINK_UP,             /* links to the keeper made */
    TG_METRIC_LINK_DOWN,           /* links to the keeper lost */
    TG_METRIC_LATE_ANSWER,         /* answers with an old turn, dropped */
    TG_METRIC_STRIPPED,            /* requests from which trust fields were dropped */
    TG_METRIC_COUNT
};

enum tg_latency { TG_LATENCY_ADMIT = 0, TG_LATENCY_SETTLE, TG_LATENCY_UPSTREAM, TG_LATENCY_COUNT };

/* Text of all counters at most; the status page allocates this once a request. */
#define TG_ZONE_TEXT_BYTES_MAX (32u * 1024u)

/* Declares the zone; once, from the main configuration. NGX_OK or NGX_ERROR. */
ngx_int_t tg_gate_zone_add(ngx_conf_t *cf, ngx_module_t *module);

void tg_gate_count(enum tg_metric metric);

/* One refusal (or, with observed, one that would have been) by its reason code. */
void tg_gate_count_reason(uint16_t reason, bool observed);

void tg_gate_latency(enum tg_latency latency, uint64_t elapsed_us);

/* Prometheus text format 0.0.4 of everything counted. TG_ERR_DOWN before the zone exists. */
TG_MUST_CHECK enum tg_err tg_gate_zone_write(struct tg_buf *out);

#endif
