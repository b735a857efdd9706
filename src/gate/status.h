/*
 * status.h - the two pages for operators: counters for Prometheus, and whether the gate can serve.
 *
 * `tollgate_status [ADDRESS|CIDR ...];`  the gate's counters, then the keeper's own when it answers in time
 * `tollgate_health [ADDRESS|CIDR ...];`  JSON: live (this worker runs), ready (the keeper answers); 200 or 503
 *
 * Promises: only loopback and the listed addresses see them, everyone else a 403; GET and HEAD only; never
 * waits longer than TG_STATUS_WAIT_MS for the keeper.
 * Does not: show a name, an address or an amount: labels are bounded (zone.h).
 */
#ifndef TG_GATE_STATUS_H
#define TG_GATE_STATUS_H

#include "gate/gate.h"

/* A scraper must not hang on a keeper that does. */
#define TG_STATUS_WAIT_MS 200

/* Setters of the two directives: location{} only, any number of arguments (NGX_HTTP_LOC_CONF | NGX_CONF_ANY). */
char *tg_gate_status_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *tg_gate_health_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#endif
