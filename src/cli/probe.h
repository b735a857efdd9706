/*
 * probe.h - asking the upstream, through the gate, whether it carried out a call whose outcome is unknown.
 *
 * Promises: asks only by an operation without effect that the profile names. "Not executed" is concluded only where
 * the probe lists the very collection that the call would have added to: a missing capture or refund is never
 * read off a list of payments. What is not certain stays unknown.
 * Does not: tell the keeper (reconcile.c does).
 */
#ifndef TG_CLI_PROBE_H
#define TG_CLI_PROBE_H

#include "cli/instance.h"

#include <jansson.h>

enum tg_probe_verdict {
    TG_PROBE_EXECUTED = 1,     /* the upstream has it */
    TG_PROBE_NOT_EXECUTED = 2, /* the upstream would have it, and has not */
    TG_PROBE_UNSURE = 3        /* why says what to do */
};

struct tg_probe {
    const struct tg_instance *instance;
    const char *url;
    const char *ca;
    const char *key; /* API key that may use the probe operation */
    int64_t now_s;   /* UTC */
    int64_t after_s; /* a call that the upstream may still be at work on must be so old before it "was not" executed */
};

struct tg_probe_result {
    enum tg_probe_verdict verdict;
    char why[200];
    uint16_t status;     /* EXECUTED: what a replay shows */
    char *answer_hex;    /* EXECUTED: core/http/answer.h in hex; free() it */
};

/* row: one of reconcile.list. */
void tg_probe_ask(const struct tg_probe *probe, const json_t *row, struct tg_probe_result *ret);

/* What a list answer says of one request id: the verdict, and the found object (borrowed). */
enum tg_probe_verdict tg_probe_judge(const json_t *answer, const char *request_id, const json_t **found, char *why,
                                     size_t why_size);

/*
 * True when the upstream has ended its part for certain: it cut the connection, or answered something. After a
 * time limit or a lost process it may still be at work; then only age tells.
 */
bool tg_probe_ended(const json_t *row, int64_t now_s, int64_t after_s);

#endif
