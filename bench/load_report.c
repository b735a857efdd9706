/*
 * load_report.c - the line at the end.
 *
 * Promises: percentiles of what was due (at a fixed rate) or sent (closed) inside the measured time;
 * counts by status of the whole run, so that they can be held against what others counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

static int order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t percentile(double part)
{
    size_t at = (size_t)(part * (double)load_counts.latency_count);
    return load_counts.latency_us[at < load_counts.latency_count ? at : load_counts.latency_count - 1];
}

void load_report(void)
{
    const struct load_counts *counts = &load_counts;
    qsort(counts->latency_us, counts->latency_count, sizeof(*counts->latency_us), order);
    printf("{\"label\":\"%s\",\"asked\":%" PRIu64 ",\"done\":%" PRIu64 ",\"seconds\":%.3f,\"broken\":%" PRIu64
           ",\"retried\":%" PRIu64 ",\"connects\":%" PRIu64 ",\"in_window\":%" PRIu64 ",\"rate\":%.1f,\"status\":{",
           load_options.label, counts->asked, counts->done, counts->seconds, counts->broken, counts->retried,
           counts->connects, counts->in_window, (double)counts->in_window / load_options.seconds);
    bool first = true;
    for (int i = 0; i < 600; i++)
        if (counts->by_status[i]) {
            printf("%s\"%d\":%" PRIu64, first ? "" : ",", i, counts->by_status[i]);
            first = false;
        }
    printf("}");
    if (counts->latency_count)
        printf(",\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u", percentile(0.5),
               percentile(0.9), percentile(0.99), percentile(0.999), counts->latency_us[counts->latency_count - 1]);
    printf("}\n");
}
