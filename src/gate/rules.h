/*
 * rules.h - the rules that one gated location must keep (check.h walks to it).
 *
 * Promises: one rule, one reason, one text that names the directive and the
 * remedy. Rules only look.
 */
#ifndef TG_GATE_RULES_H
#define TG_GATE_RULES_H

#include "gate/gate.h"

/* What a rule looks at. */
struct tg_rule_place {
    const ngx_cycle_t *cycle;
    const struct tg_gate_main_conf *main;
    void **loc_conf;                             /* of the location, merged */
    const ngx_http_core_loc_conf_t *core;
    const struct tg_gate_location_conf *gate;
    const ngx_http_upstream_conf_t *proxy;       /* proxy_pass and its settings; NULL: no proxy module */
};

/* A rule's text when it is broken, NULL when it is kept. Static storage. */
typedef const char *(*tg_rule_fn)(const struct tg_rule_place *place);

/* Rules of a location that is `on`, and the few that `observe` needs too; both end with NULL. */
extern const tg_rule_fn tg_rules_on[];
extern const tg_rule_fn tg_rules_observe[];

/* Directives of the rewrite module that act before the gate does: text, or NULL. For locations and servers. */
const char *tg_rule_rewrite(const ngx_cycle_t *cycle, void **loc_conf);

/* The error log's level: text, or NULL. For locations and for servers, whose parser logs too. */
const char *tg_rule_log(const ngx_http_core_loc_conf_t *core);

#endif
