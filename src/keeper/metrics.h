/*
 * metrics.h - what the keeper counts, and how a scraper reads it.
 *
 * Promises: labels come from closed tables (reasons, verdicts, outcomes), never from input; the
 * text is the Prometheus exposition format 0.0.4.
 * Does not: lock; the loop's thread alone counts.
 */
#ifndef TG_KEEPER_METRICS_H
#define TG_KEEPER_METRICS_H

#include "base/buf.h"
#include "store/store.h"

#define TG_METRICS_REASONS_MAX 256 /* codes below this; the table of reasons ends under 210 */
#define TG_METRICS_BUCKETS 12

/* Bounds double from the first; what is above the last stands in +Inf. */
struct tg_histogram {
    uint64_t first;
    uint64_t counts[TG_METRICS_BUCKETS + 1];
    uint64_t sum;
};

struct tg_metrics {
    uint64_t verdicts[5];     /* by enum tg_verdict */
    uint64_t reasons[TG_METRICS_REASONS_MAX]; /* of refusals, by code */
    uint64_t outcomes[5];     /* by enum tg_outcome; those that are durable */
    uint64_t settles_refused;
    uint64_t authentications; /* good ones */
    uint64_t notes;
    uint64_t suppressed;
    uint64_t frames_bad;
    uint64_t links_refused;
    uint64_t links_lost;
    uint64_t acts;
    struct tg_histogram batch_works;
    struct tg_histogram commit_us;
};

/* What is read at the time of asking. */
struct tg_metrics_now {
    uint64_t gate_links, admin_links, pending, uptime_s, committer_cpu_us;
    bool sealer_up;
    struct tg_store_counts store;
};

void tg_metrics_start(struct tg_metrics *metrics);
void tg_histogram_add(struct tg_histogram *histogram, uint64_t value);
void tg_metrics_refusal(struct tg_metrics *metrics, uint16_t reason);
void tg_metrics_write(struct tg_buf *out, const struct tg_metrics *metrics, const struct tg_metrics_now *now);

#endif
