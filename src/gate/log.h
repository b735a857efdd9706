/*
 * log.h - variables for one access line a request.
 *
 * $tollgate_request_id $tollgate_reason $tollgate_verdict $tollgate_partner $tollgate_operation $tollgate_template
 * $tollgate_route $tollgate_mode $tollgate_outcome $tollgate_auth_ms $tollgate_admit_ms $tollgate_settle_ms
 * $tollgate_upstream_ms
 *
 * Promises: no personal data: ids that we gave, names from the configuration and numbers. The path is the
 * operation's template, never what the caller sent. A variable that has nothing to say is empty.
 */
#ifndef TG_GATE_LOG_H
#define TG_GATE_LOG_H

#include "gate/gate.h"

/* To be called from preconfiguration. NGX_OK or NGX_ERROR. */
ngx_int_t tg_gate_log_variables(ngx_conf_t *cf);

#endif
