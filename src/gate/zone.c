/*
 * zone.c - the shared counters (zone.h) and their Prometheus text.
 */
#include "gate/zone.h"

#include "core/policy/reason.h"
#include "gate/gate.h"

#include "base/banned.h"

/* One table of counters is far under this; nginx's slab keeps its own books in the rest. */
#define TG_ZONE_BYTES (64u * 1024u)

/* The slab hands out whole pages for what is larger than half of one: some machines have pages of 64 KB. */
#define TG_ZONE_PAGES 8

/* Reasons are numbered below this (core/policy/reason.h); others count as internal. */
#define TG_ZONE_REASONS 256

#define TG_ZONE_BUCKETS 14

/* Upper bounds: from a cached answer to the longest settle_wait that makes sense. */
static const uint64_t tg_zone_bounds_us[TG_ZONE_BUCKETS] = {250,    500,    1000,   2500,    5000,    10000,   25000,
                                                            50000,  100000, 250000, 500000, 1000000, 5000000, 30000000};
static const char *const tg_zone_bound_names[TG_ZONE_BUCKETS] = {"0.00025", "0.0005", "0.001", "0.0025", "0.005",
                                                                 "0.01",    "0.025",  "0.05",  "0.1",    "0.25",
                                                                 "0.5",     "1",      "5",     "30"};

static const char *const tg_zone_metric_names[TG_METRIC_COUNT] = {
    [TG_METRIC_REQUESTS] = "requests",
    [TG_METRIC_ALLOWED] = "allowed",
    [TG_METRIC_REPLAYED] = "replayed",
    [TG_METRIC_REFUSED] = "refused",
    [TG_METRIC_OBSERVED] = "observed",
    [TG_METRIC_OBSERVED_REFUSAL] = "observed_refusals",
    [TG_METRIC_OBSERVED_UNRECORDED] = "observed_unrecorded",
    [TG_METRIC_SETTLED] = "settled",
    [TG_METRIC_UNSETTLED] = "unsettled",
    [TG_METRIC_OUTCOME_UNKNOWN] = "outcome_unknown",
    [TG_METRIC_AUTH_ASKED] = "auth_asked",
    [TG_METRIC_AUTH_CACHED] = "auth_cached",
    [TG_METRIC_AUTH_FLUSHED] = "auth_flushed",
    [TG_METRIC_CLIENT_GONE] = "client_gone",
    [TG_METRIC_NOTE_LOST] = "notes_lost",
    [TG_METRIC_LINK_UP] = "links_made",
    [TG_METRIC_LINK_DOWN] = "links_lost",
    [TG_METRIC_LATE_ANSWER] = "late_answers",
    [TG_METRIC_STRIPPED] = "trust_fields_stripped",
};

static const char *const tg_zone_latency_names[TG_LATENCY_COUNT] = {
    [TG_LATENCY_ADMIT] = "admit",
    [TG_LATENCY_SETTLE] = "settle",
    [TG_LATENCY_UPSTREAM] = "upstream",
};

struct tg_zone_histogram {
    ngx_atomic_t bucket[TG_ZONE_BUCKETS + 1]; /* each counts its own range; the last is +Inf */
    ngx_atomic_t sum_us;
};

/* The layout in shared memory. A reload with another module version may find another one: size is checked. */
struct tg_zone {
    size_t size;
    ngx_atomic_t metric[TG_METRIC_COUNT];
    ngx_atomic_t reason[TG_ZONE_REASONS];
    ngx_atomic_t observed[TG_ZONE_REASONS];
    struct tg_zone_histogram latency[TG_LATENCY_COUNT];
};

/* Set in the master before workers are made; the memory outlives reloads. */
static struct tg_zone *tg_zone_shared;

static ngx_int_t tg_zone_init(ngx_shm_zone_t *shm_zone, void *old)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)(void *)shm_zone->shm.addr;
    struct tg_zone *zone = old != NULL ? old : shm_zone->shm.exists ? pool->data : NULL;

    if (zone == NULL || zone->size != sizeof(*zone)) {
        zone = ngx_slab_calloc(pool, sizeof(*zone));
        if (zone == NULL) {
            return NGX_ERROR;
        }
        zone->size = sizeof(*zone);
        pool->data = zone;
    }
    shm_zone->data = zone;
    tg_zone_shared = zone;
    return NGX_OK;
}

ngx_int_t tg_gate_zone_add(ngx_conf_t *cf, ngx_module_t *module)
{
    const struct tg_gate_main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module);
    ngx_str_t name = ngx_string("tollgate_counters");
    size_t bytes = ngx_max(TG_ZONE_BYTES, TG_ZONE_PAGES * ngx_pagesize);
    ngx_shm_zone_t *shm_zone;

    _Static_assert(sizeof(struct tg_zone) < TG_ZONE_BYTES / 2, "the counters must leave the slab room");
    if (main->zone_bytes != NGX_CONF_UNSET_SIZE && main->zone_bytes > bytes) {
        bytes = main->zone_bytes;
    }
    shm_zone = ngx_shared_memory_add(cf, &name, bytes, module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }
    shm_zone->init = tg_zone_init;
    return NGX_OK;
}

void tg_gate_count(enum tg_metric metric)
{
    if (tg_zone_shared != NULL && metric < TG_METRIC_COUNT) {
        (void)ngx_atomic_fetch_add(&tg_zone_shared->metric[metric], 1);
    }
}

void tg_gate_count_reason(uint16_t reason, bool observed)
{
    ngx_atomic_t *table;

    if (tg_zone_shared == NULL) {
        return;
    }
    table = observed ? tg_zone_shared->observed : tg_zone_shared->reason;
    (void)ngx_atomic_fetch_add(&table[reason < TG_ZONE_REASONS ? reason : TG_REASON_INTERNAL], 1);
}

void tg_gate_latency(enum tg_latency latency, uint64_t elapsed_us)
{
    struct tg_zone_histogram *histogram;
    size_t i = 0;

    if (tg_zone_shared == NULL || latency >= TG_LATENCY_COUNT) {
        return;
    }
    histogram = &tg_zone_shared->latency[latency];
    while (i < TG_ZONE_BUCKETS && elapsed_us > tg_zone_bounds_us[i]) {
        i++;
    }
    (void)ngx_atomic_fetch_add(&histogram->bucket[i], 1);
    (void)ngx_atomic_fetch_add(&histogram->sum_us, (ngx_atomic_int_t)elapsed_us);
}

static void tg_zone_number(struct tg_buf *out, ngx_atomic_t value)
{
    tg_buf_put_decimal(out, (int64_t)value);
    tg_buf_put_string(out, "\n");
}

static void tg_zone_metrics(struct tg_buf *out, struct tg_zone *zone)
{
    for (size_t i = 0; i < TG_METRIC_COUNT; i++) {
        tg_buf_put_string(out, "# TYPE tollgate_gate_");
        tg_buf_put_string(out, tg_zone_metric_names[i]);
        tg_buf_put_string(out, "_total counter\ntollgate_gate_");
        tg_buf_put_string(out, tg_zone_metric_names[i]);
        tg_buf_put_string(out, "_total ");
        tg_zone_number(out, zone->metric[i]);
    }
}

/* Only reasons that occurred, so that the page stays short; the set of possible labels is fixed. */
static void tg_zone_reasons(struct tg_buf *out, const ngx_atomic_t *table, const char *name)
{
    tg_buf_put_string(out, "# TYPE ");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, " counter\n");
    for (uint16_t code = 0; code < TG_ZONE_REASONS; code++) {
        if (table[code] == 0) {
            continue;
        }
        tg_buf_put_string(out, name);
        tg_buf_put_string(out, "{code=\"");
        tg_buf_put_decimal(out, code);
        tg_buf_put_string(out, "\",reason=\"");
        tg_buf_put_string(out, tg_reason_entry(code)->name);
        tg_buf_put_string(out, "\"} ");
        tg_zone_number(out, table[code]);
    }
}

/* Seconds with six decimals: Prometheus wants base units, and we have no floats. */
static void tg_zone_seconds(struct tg_buf *out, uint64_t elapsed_us)
{
    uint64_t part_us = elapsed_us % 1000000;

    tg_buf_put_decimal(out, (int64_t)(elapsed_us / 1000000));
    tg_buf_put_string(out, ".");
    for (uint64_t digit = 100000; digit > 0; digit /= 10) {
        tg_buf_put_u8(out, (uint8_t)('0' + part_us / digit % 10));
    }
    tg_buf_put_string(out, "\n");
}

static void tg_zone_histogram(struct tg_buf *out, const struct tg_zone_histogram *histogram, const char *name)
{
    ngx_atomic_t sum = 0;

    tg_buf_put_string(out, "# TYPE tollgate_gate_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, "_seconds histogram\n");
    for (size_t i = 0; i <= TG_ZONE_BUCKETS; i++) {
        sum += histogram->bucket[i];
        tg_buf_put_string(out, "tollgate_gate_");
        tg_buf_put_string(out, name);
        tg_buf_put_string(out, "_seconds_bucket{le=\"");
        tg_buf_put_string(out, i < TG_ZONE_BUCKETS ? tg_zone_bound_names[i] : "+Inf");
        tg_buf_put_string(out, "\"} ");
        tg_zone_number(out, sum);
    }
    tg_buf_put_string(out, "tollgate_gate_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, "_seconds_sum ");
    tg_zone_seconds(out, histogram->sum_us);
    tg_buf_put_string(out, "tollgate_gate_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, "_seconds_count ");
    tg_zone_number(out, sum);
}

enum tg_err tg_gate_zone_write(struct tg_buf *out)
{
    struct tg_zone *zone = tg_zone_shared;

    if (zone == NULL) {
        return TG_ERR_DOWN;
    }
    tg_zone_metrics(out, zone);
    tg_zone_reasons(out, zone->reason, "tollgate_gate_reasons_total");
    tg_zone_reasons(out, zone->observed, "tollgate_gate_observed_reasons_total");
    for (size_t i = 0; i < TG_LATENCY_COUNT; i++) {
        tg_zone_histogram(out, &zone->latency[i], tg_zone_latency_names[i]);
    }
    return tg_buf_done(out);
}
