/*
 * check.h - what nginx -t refuses on a gated payment route.
 *
 * Promises: after merging, every location that can serve a gated call has been
 * looked at: nested, named, regular expression, and the ones inside
 * limit_except. Each refusal names the server, the location, the directive,
 * and what to write instead.
 * Does not: change a setting.
 */
#ifndef TG_GATE_CHECK_H
#define TG_GATE_CHECK_H

#include <ngx_config.h>
#include <ngx_core.h>

/* To be called from postconfiguration. NGX_OK, or NGX_ERROR with all faults logged. */
ngx_int_t tg_gate_check(ngx_conf_t *cf);

/*
 * A core module without directives: judges worker_shutdown_timeout, which nginx settles only after http{}.
 * To be listed in modules.c before or behind the others; its place does not matter.
 */
extern ngx_module_t ngx_tollgate_check_module;

#endif
