/*
 * reconcile.h - resolving unknown payments by probing, for `reconcile --probe` and the tour.
 */
#ifndef TG_CLI_RECONCILE_H
#define TG_CLI_RECONCILE_H

#include "cli/admin.h"
#include "cli/probe.h"

struct tg_reconcile_counts {
    int executed;
    int not_executed;
    int unsure;
};

/*
 * Probes every unknown (or only the one of that request id, where it is not NULL) and tells the keeper; prints a
 * line for each unless quiet.
 */
TG_MUST_CHECK enum tg_err tg_reconcile_probe(struct tg_admin *admin, const struct tg_probe *probe, const char *only,
                                             bool quiet, struct tg_reconcile_counts *ret);

#endif
