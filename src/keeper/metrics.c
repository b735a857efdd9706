/*
 * metrics.c - counters to text.
 *
 * Promises: as metrics.h.
 * Does not: write a series that was never counted up, but for the fixed ones.
 */
#include "keeper/metrics.h"

#include "core/policy/reason.h"
#include "wire/message.h"

#include "base/banned.h"

static const char *const verdict_names[5] = {NULL, "allow", "replay", "challenge", "refuse"};
static const char *const outcome_names[5] = {NULL, "final", "not_executed", "unknown", "not_sent"};

void tg_metrics_start(struct tg_metrics *metrics)
{
    *metrics = (struct tg_metrics){0};
    metrics->batch_works.first = 1;
    metrics->commit_us.first = 64;
}

void tg_histogram_add(struct tg_histogram *histogram, uint64_t value)
{
    size_t at = 0;
    uint64_t bound = histogram->first;
    while (at < TG_METRICS_BUCKETS && value > bound) {
        at++;
        bound *= 2;
    }
    histogram->counts[at]++;
    histogram->sum += value;
}

void tg_metrics_refusal(struct tg_metrics *metrics, uint16_t reason)
{
    if (reason < TG_METRICS_REASONS_MAX) {
        metrics->reasons[reason]++;
    }
}

static void head(struct tg_buf *out, const char *name, const char *type)
{
    tg_buf_put_string(out, "# TYPE tollgate_keeper_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, " ");
    tg_buf_put_string(out, type);
    tg_buf_put_string(out, "\n");
}

static void series(struct tg_buf *out, const char *name, const char *label, const char *value, uint64_t number)
{
    tg_buf_put_string(out, "tollgate_keeper_");
    tg_buf_put_string(out, name);
    if (label != NULL) {
        tg_buf_put_string(out, "{");
        tg_buf_put_string(out, label);
        tg_buf_put_string(out, "=\"");
        tg_buf_put_string(out, value);
        tg_buf_put_string(out, "\"}");
    }
    tg_buf_put_string(out, " ");
    tg_buf_put_decimal(out, (int64_t)number);
    tg_buf_put_string(out, "\n");
}

static void single(struct tg_buf *out, const char *name, const char *type, uint64_t number)
{
    head(out, name, type);
    series(out, name, NULL, NULL, number);
}

static void table(struct tg_buf *out, const char *name, const char *label, const char *const *names, size_t count,
                  const uint64_t *numbers)
{
    head(out, name, "counter");
    for (size_t i = 1; i < count; i++) {
        series(out, name, label, names[i], numbers[i]);
    }
}

static void refusals(struct tg_buf *out, const struct tg_metrics *metrics)
{
    size_t count;
    const struct tg_reason_entry *entries = tg_reason_all(&count);
    head(out, "refusals_total", "counter");
    for (size_t i = 0; i < count; i++) {
        if (entries[i].code < TG_METRICS_REASONS_MAX && metrics->reasons[entries[i].code] > 0) {
            series(out, "refusals_total", "reason", entries[i].name, metrics->reasons[entries[i].code]);
        }
    }
}

static void histogram(struct tg_buf *out, const char *name, const struct tg_histogram *h)
{
    uint64_t total = 0;
    uint64_t bound = h->first;
    head(out, name, "histogram");
    for (size_t i = 0; i <= TG_METRICS_BUCKETS; i++, bound *= 2) {
        total += h->counts[i];
        tg_buf_put_string(out, "tollgate_keeper_");
        tg_buf_put_string(out, name);
        tg_buf_put_string(out, "_bucket{le=\"");
        if (i < TG_METRICS_BUCKETS) {
            tg_buf_put_decimal(out, (int64_t)bound);
        } else {
            tg_buf_put_string(out, "+Inf");
        }
        tg_buf_put_string(out, "\"} ");
        tg_buf_put_decimal(out, (int64_t)total);
        tg_buf_put_string(out, "\n");
    }
    const char *ends[2] = {"_sum ", "_count "};
    for (size_t i = 0; i < 2; i++) {
        tg_buf_put_string(out, "tollgate_keeper_");
        tg_buf_put_string(out, name);
        tg_buf_put_string(out, ends[i]);
        tg_buf_put_decimal(out, (int64_t)(i == 0 ? h->sum : total));
        tg_buf_put_string(out, "\n");
    }
}

void tg_metrics_write(struct tg_buf *out, const struct tg_metrics *metrics, const struct tg_metrics_now *now)
{
    table(out, "verdicts_total", "verdict", verdict_names, 5, metrics->verdicts);
    refusals(out, metrics);
    table(out, "outcomes_total", "outcome", outcome_names, 5, metrics->outcomes);
    single(out, "settles_refused_total", "counter", metrics->settles_refused);
    single(out, "authentications_total", "counter", metrics->authentications);
    single(out, "notes_total", "counter", metrics->notes);
    single(out, "suppressed_total", "counter", metrics->suppressed);
    single(out, "frames_bad_total", "counter", metrics->frames_bad);
    single(out, "links_refused_total", "counter", metrics->links_refused);
    single(out, "links_lost_total", "counter", metrics->links_lost);
    single(out, "acts_total", "counter", metrics->acts);
    histogram(out, "batch_works", &metrics->batch_works);
    histogram(out, "commit_microseconds", &metrics->commit_us);
    single(out, "gate_links", "gauge", now->gate_links);
    single(out, "admin_links", "gauge", now->admin_links);
    single(out, "pending", "gauge", now->pending);
    single(out, "uptime_seconds", "gauge", now->uptime_s);
    single(out, "committer_cpu_microseconds_total", "counter", now->committer_cpu_us);
    single(out, "sealer_up", "gauge", now->sealer_up ? 1 : 0);
    single(out, "claims_live", "gauge", now->store.claims_live);
    single(out, "claims_in_flight", "gauge", now->store.claims_in_flight);
    single(out, "claims_unknown", "gauge", now->store.claims_unknown);
    single(out, "events", "gauge", now->store.events);
    single(out, "segments", "gauge", now->store.segments);
    if (now->store.bytes != 0) { /* not known: no number is shown, for 0 would be one */
        single(out, "store_bytes", "gauge", now->store.bytes);
    }
}
