/*
 * fault.h - what shall go wrong next, armed by the control socket only.
 *
 * Promises: pure; nothing of a request but its operation's name is looked at, so
 * no caller can cause a fault. Armed faults live in memory: a restart disarms.
 * Only requests with the right credential meet faults. The fault armed first
 * wins; one request meets one fault.
 */
#ifndef REFPAY_FAULT_H
#define REFPAY_FAULT_H

#include <jansson.h>

#include "base/err.h"
#include "base/span.h"

#define TG_FAULTS_MAX 32
#define TG_FAULT_OPERATION_BYTES_MAX 64
#define TG_FAULT_DELAY_MS_MAX 600000 /* ten minutes: longer than any timeout under test */
#define TG_FAULT_COUNT_MAX 1000000

enum tg_fault_kind {
    TG_FAULT_NONE = 0,
    TG_FAULT_SLOW,                    /* acts, commits, then waits delay_ms before it answers */
    TG_FAULT_SLOW_BEFORE,             /* waits delay_ms, then acts and answers */
    TG_FAULT_RESET_BEFORE,            /* RST before anything is done */
    TG_FAULT_RESET_AFTER_COMMIT,      /* acts, commits, RST in place of the answer */
    TG_FAULT_GARBAGE_STATUS,          /* acts, commits, answers with bytes that are no status line */
    TG_FAULT_CUT_BODY,                /* acts, commits, announces more body than it sends, closes */
    TG_FAULT_CLOSE_DELIMITED,         /* acts, commits, answers without a length, closes */
    TG_FAULT_HUGE,                    /* acts, commits, answers with a body over 64 KB */
    TG_FAULT_EARLY_HINTS,             /* acts, commits, answers after a 103 */
    TG_FAULT_STALL,                   /* acts, commits, never answers */
    TG_FAULT_STATUS_500,              /* does nothing, answers 500 */
    TG_FAULT_STATUS_503,              /* does nothing, answers 503 */
    TG_FAULT_STATUS_429,              /* does nothing, answers 429 */
    TG_FAULT_STATUS_500_AFTER_COMMIT, /* acts, commits, answers 500 */
    TG_FAULT_REFUSE_CONNECT           /* stops listening for delay_ms; done at once by the server */
};

struct tg_fault {
    enum tg_fault_kind kind;
    int64_t left; /* requests that will still meet it */
    int64_t delay_ms;
    char operation[TG_FAULT_OPERATION_BYTES_MAX + 1]; /* "": any */
};

struct tg_faults {
    struct tg_fault armed[TG_FAULTS_MAX];
    size_t count;
    int64_t fired; /* since the start */
};

/* The kind of a name, TG_FAULT_NONE when there is none such. */
enum tg_fault_kind tg_fault_kind(struct tg_span name);
const char *tg_fault_name(enum tg_fault_kind kind);

TG_MUST_CHECK enum tg_err tg_fault_arm(struct tg_faults *faults, const struct tg_fault *fault);
void tg_fault_clear(struct tg_faults *faults);

/* The fault that this request meets; kind TG_FAULT_NONE: none. Counts it. */
struct tg_fault tg_fault_take(struct tg_faults *faults, const char *operation);

/* True when the fault keeps the request from acting at all. */
bool tg_fault_is_before(enum tg_fault_kind kind);

/* {"armed":[...],"fired":N} */
json_t *tg_fault_show(const struct tg_faults *faults);

#endif
