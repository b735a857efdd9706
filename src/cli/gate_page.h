/*
 * gate_page.h - what a worker of the gate says of its own guard, on the instance's status page.
 *
 * Promises: one question over loopback, bounded in time and size. Of several workers, one answers.
 * Does not: judge; the kernel's own word about a process is guard.h's.
 */
#ifndef TG_CLI_GATE_PAGE_H
#define TG_CLI_GATE_PAGE_H

#include <stdint.h>

#include "base/span.h"
#include "cli/instance.h"

struct tg_gate_said {
    int64_t landlock; /* level; 0: none */
    int64_t dumpable;
};

/* TG_ERR_DOWN: no page, or not one of a gate that knows its guard. */
TG_MUST_CHECK enum tg_err tg_gate_ask(const struct tg_instance *instance, struct tg_gate_said *ret);

/* The same from the page's text. */
TG_MUST_CHECK enum tg_err tg_gate_said_parse(struct tg_span page, struct tg_gate_said *ret);

#endif
