/*
 * stats.c - the keeper's counters, for a gate's status page or an operator.
 *
 * Promises: answered from memory.
 * Does not: count.
 */
#include "keeper/clock.h"
#include "keeper/keeper.h"
#include "keeper/stats.h"

#include "base/banned.h"

void tg_stats_write(struct tg_keeper *keeper, struct tg_buf *out)
{
    struct tg_metrics_now now = {
        .gate_links = keeper->gate_links,
        .admin_links = keeper->admin_links,
        .pending = keeper->batcher.queue.count,
        .uptime_s = (uint64_t)((tg_clock_monotonic_us() - keeper->started_us) / 1000000),
        .committer_cpu_us = tg_committer_cpu_us(&keeper->committer),
        .sealer_up = keeper->sealer.ready,
    };
    tg_store_count(keeper->committer.store, &now.store);
    tg_metrics_write(out, &keeper->metrics, &now);
}

bool tg_stats_serve(struct tg_link *link, const struct tg_frame *frame)
{
    uint8_t text[TG_STATS_BYTES_MAX];
    struct tg_buf stats = tg_buf(text, sizeof(text));
    if (frame->body.len != 0) {
        return false;
    }
    tg_stats_write(link->keeper, &stats);
    struct tg_buf *out = tg_link_room(link, stats.len + TG_FRAME_HEADER_BYTES);
    if (out != NULL) {
        tg_bytes_write(out, TG_FRAME_STATS_ANSWER, frame->slot, frame->turn, tg_buf_span(&stats));
    }
    return true;
}
