/*
 * admin_status.c - status, metrics.
 *
 * Promises: answered from memory; says plainly what does not protect (one user for all processes,
 * no seccomp filter).
 * Does not: show paths of keys or anything secret.
 */
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/landlock.h"
#include "keeper/admin.h"
#include "keeper/clock.h"
#include "keeper/sandbox.h"
#include "keeper/stats.h"

#include "base/banned.h"

static uid_t sealer_uid(const struct tg_keeper *keeper)
{
    return keeper->sealer.ready ? keeper->sealer.port->peer(&keeper->sealer) : TG_DAEMON_UID_NONE;
}

static json_t *protection(const struct tg_keeper *keeper)
{
    uid_t sealer = sealer_uid(keeper);
    bool apart = sealer != TG_DAEMON_UID_NONE && sealer != geteuid() && keeper->options.gate_uid != geteuid() &&
                 keeper->options.gate_uid != sealer;
    return json_pack("{s:b,s:s,s:b,s:i,s:b,s:s,s:s}", "processes_separated", apart, "note",
                     apart                          ? "gate, keeper and sealer run as different users"
                     : sealer == TG_DAEMON_UID_NONE ? "not known while no sealer is connected"
                                                    : "processes not separated",
                     "keeper_seccomp", tg_sandbox_built(), "keeper_landlock", tg_landlock_level(), "core_dumps",
                     TG_DAEMON_SANITIZED, "keys", "file", "store_way", tg_store_way(keeper->committer.store));
}

/* One "name=value" word of the sealer's own description: a number where it is one. */
static void put_word(json_t *object, struct tg_span word)
{
    char name[64];
    uint64_t number = 0;
    size_t at = tg_span_find(word, '=');
    struct tg_span value = tg_span_sub(word, at + 1, word.len);
    if (at == 0 || at >= word.len || at >= sizeof(name) || value.len == 0) {
        return;
    }
    memcpy(name, word.ptr, at);
    name[at] = '\0';
    char text[32] = {0};
    memcpy(text, value.ptr, value.len < sizeof(text) ? value.len : sizeof(text) - 1);
    json_t *shown = tg_daemon_number(text, INT32_MAX, &number) == TG_OK ? json_integer((json_int_t)number)
                                                                         : json_string(text);
    (void)json_object_set_new(object, name, shown);
}

static json_t *sealer_row(const struct tg_keeper *keeper)
{
    json_t *row = json_pack("{s:b}", "up", keeper->sealer.ready);
    struct tg_span rest = tg_span_string(keeper->sealer.guard);
    if (row != NULL && keeper->sealer.foreign) {
        (void)json_object_set_new(row, "foreign", json_true());
    }
    while (row != NULL && keeper->sealer.ready && rest.len > 0) {
        size_t at = tg_span_find(rest, ' ');
        put_word(row, tg_span_sub(rest, 0, at));
        rest = tg_span_sub(rest, at + 1, rest.len);
    }
    return row;
}

void tg_admin_status(struct tg_admin_call *call)
{
    struct tg_keeper *keeper = call->keeper;
    struct tg_store_counts counts;
    tg_store_count(keeper->committer.store, &counts);
    json_t *bytes = counts.bytes == 0 ? json_null() : json_integer((json_int_t)counts.bytes); /* null: not known */
    json_t *store = json_pack("{s:I,s:I,s:I,s:I,s:I,s:o,s:I}", "claims_live", (json_int_t)counts.claims_live,
                              "claims_in_flight", (json_int_t)counts.claims_in_flight, "claims_unknown",
                              (json_int_t)counts.claims_unknown, "events", (json_int_t)counts.events, "segments",
                              (json_int_t)counts.segments, "bytes", bytes, "segment",
                              (json_int_t)keeper->segment);
    const struct tg_setup *setup = &keeper->setup;
    json_t *rows = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "partners", (json_int_t)setup->partners.count,
                             "keys", (json_int_t)setup->keys.count, "limits", (json_int_t)setup->limits.count,
                             "certificates", (json_int_t)setup->certificates.count, "routes",
                             (json_int_t)setup->routes.count, "gate_links", (json_int_t)keeper->gate_links, "pending",
                             (json_int_t)keeper->batcher.queue.count, "unknown", (json_int_t)counts.claims_unknown);
    json_int_t uptime_s = (tg_clock_monotonic_us() - keeper->started_us) / 1000000;
    json_t *self = json_pack("{s:I,s:I,s:I}", "pid", (json_int_t)getpid(), "uid", (json_int_t)geteuid(), "uptime_s",
                             uptime_s);
    json_t *sealer = sealer_row(keeper);
    tg_admin_ok(call, json_pack("{s:o,s:o,s:o,s:o,s:o}", "keeper", self, "sealer", sealer, "store", store, "counts",
                                rows, "protection", protection(keeper)));
}

void tg_admin_metrics(struct tg_admin_call *call)
{
    uint8_t text[TG_STATS_BYTES_MAX];
    struct tg_buf stats = tg_buf(text, sizeof(text));
    tg_stats_write(call->keeper, &stats);
    tg_admin_ok(call, json_pack("{s:o}", "text", json_stringn((const char *)text, stats.len)));
}
