/*
 * fault.c - the table of armed faults.
 *
 * Promises: see fault.h.
 */
#include "fault.h"

#include <string.h>

static const char *const names[] = {
    [TG_FAULT_NONE] = "none",
    [TG_FAULT_SLOW] = "slow",
    [TG_FAULT_SLOW_BEFORE] = "slow_before",
    [TG_FAULT_RESET_BEFORE] = "reset_before",
    [TG_FAULT_RESET_AFTER_COMMIT] = "reset_after_commit",
    [TG_FAULT_GARBAGE_STATUS] = "garbage_status",
    [TG_FAULT_CUT_BODY] = "cut_body",
    [TG_FAULT_CLOSE_DELIMITED] = "close_delimited",
    [TG_FAULT_HUGE] = "huge",
    [TG_FAULT_EARLY_HINTS] = "early_hints",
    [TG_FAULT_STALL] = "stall",
    [TG_FAULT_STATUS_500] = "status_500",
    [TG_FAULT_STATUS_503] = "status_503",
    [TG_FAULT_STATUS_429] = "status_429",
    [TG_FAULT_STATUS_500_AFTER_COMMIT] = "status_500_after_commit",
    [TG_FAULT_REFUSE_CONNECT] = "refuse_connect",
};

#define KINDS (sizeof(names) / sizeof(names[0]))

enum tg_fault_kind tg_fault_kind(struct tg_span name)
{
    for (size_t i = 1; i < KINDS; i++) {
        if (tg_span_equal(name, tg_span_string(names[i]))) {
            return (enum tg_fault_kind)i;
        }
    }
    return TG_FAULT_NONE;
}

const char *tg_fault_name(enum tg_fault_kind kind)
{
    return (size_t)kind < KINDS ? names[kind] : "none";
}

enum tg_err tg_fault_arm(struct tg_faults *faults, const struct tg_fault *fault)
{
    if (fault->kind == TG_FAULT_NONE || fault->left < 1) {
        return TG_ERR_INPUT;
    }
    if (faults->count == TG_FAULTS_MAX || fault->left > TG_FAULT_COUNT_MAX || fault->delay_ms < 0 ||
        fault->delay_ms > TG_FAULT_DELAY_MS_MAX) {
        return TG_ERR_LIMIT;
    }
    faults->armed[faults->count++] = *fault;
    return TG_OK;
}

void tg_fault_clear(struct tg_faults *faults)
{
    faults->count = 0;
}

struct tg_fault tg_fault_take(struct tg_faults *faults, const char *operation)
{
    for (size_t i = 0; i < faults->count; i++) {
        struct tg_fault *armed = &faults->armed[i];
        if (armed->operation[0] != '\0' &&
            !tg_span_equal(tg_span_string(armed->operation), tg_span_string(operation))) {
            continue;
        }
        struct tg_fault taken = *armed;
        faults->fired++;
        if (--armed->left == 0) {
            faults->count--;
            memmove(armed, armed + 1, (faults->count - i) * sizeof(*armed));
        }
        return taken;
    }
    return (struct tg_fault){.kind = TG_FAULT_NONE};
}

bool tg_fault_is_before(enum tg_fault_kind kind)
{
    return kind == TG_FAULT_RESET_BEFORE || kind == TG_FAULT_STATUS_500 || kind == TG_FAULT_STATUS_503 ||
           kind == TG_FAULT_STATUS_429;
}

json_t *tg_fault_show(const struct tg_faults *faults)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < faults->count; i++) {
        const struct tg_fault *armed = &faults->armed[i];
        json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:s}", "kind", tg_fault_name(armed->kind), "left",
                                              (json_int_t)armed->left, "delay_ms", (json_int_t)armed->delay_ms,
                                              "operation", armed->operation));
    }
    return json_pack("{s:o, s:I}", "armed", rows, "fired", (json_int_t)faults->fired);
}
