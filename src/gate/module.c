/*
 * module.c - the two modules: their tables, what is hung into nginx at configuration, a worker's start and end.
 */
#include <malloc.h>

#include "gate/check.h"
#include "gate/guard.h"
#include "gate/link.h"
#include "gate/log.h"
#include "gate/steps.h"
#include "gate/zone.h"

#include "base/banned.h"

/* An answer's status and fields beside its body, in a SETTLE frame (base/limits.h: TG_ANSWER_BYTES_MAX). */
#define TG_SETTLE_EXTRA_BYTES (TG_ANSWER_BYTES_MAX - TG_HOLD_BYTES_MAX + 1024u)

/*
 * What a worker keeps of memory that requests gave back. Held answers are let go in the keeper's batches, many at
 * once; by the C library's usual 128 KB every batch gave the pages to the system and faulted them in again.
 */
#define TG_MODULE_KEEP_BYTES (4 * 1024 * 1024)
/* Larger allocations than any body or answer in memory are the system's at once. */
#define TG_MODULE_MAPPED_BYTES (1024 * 1024)

static ngx_int_t tg_module_hang(ngx_http_core_main_conf_t *core, ngx_uint_t phase, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt *place = ngx_array_push(&core->phases[phase].handlers);

    if (place == NULL) {
        return NGX_ERROR;
    }
    *place = handler;
    return NGX_OK;
}

static ngx_int_t tg_module_configured(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (tg_gate_zone_add(cf, &ngx_http_tollgate_module) != NGX_OK || tg_gate_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }
    if (tg_module_hang(core, NGX_HTTP_POST_READ_PHASE, tg_gate_post_read) != NGX_OK) {
        return NGX_ERROR;
    }
    return tg_module_hang(core, NGX_HTTP_PREACCESS_PHASE, tg_gate_preaccess);
}

static ngx_int_t tg_module_worker_start(ngx_cycle_t *cycle)
{
    const struct tg_gate_main_conf *main = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tollgate_module);

    if ((ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) || main == NULL ||
        main->keeper.socklen == 0) {
        return NGX_OK;
    }
    /* Only speed depends on it: a refusal is no error. */
    (void)mallopt(M_TRIM_THRESHOLD, TG_MODULE_KEEP_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, TG_MODULE_MAPPED_BYTES);
    if (tg_gate_link_init(cycle, &main->keeper, main->hold_bytes_max + TG_SETTLE_EXTRA_BYTES) != NGX_OK) {
        return NGX_ERROR;
    }
    /* A single process is the master too: it opens and becomes what a worker may not. */
    if (main->guard != 0 && ngx_process == NGX_PROCESS_WORKER) {
        tg_gate_guard_enter(cycle);
    }
    return NGX_OK;
}

static void tg_module_worker_end(ngx_cycle_t *cycle)
{
    (void)cycle;
    tg_gate_link_exit();
}

static ngx_http_module_t tg_module_context = {
    tg_gate_log_variables,    /* preconfiguration */
    tg_module_configured,     /* postconfiguration */
    tg_gate_main_conf_make,   /* create main configuration */
    NULL,                     /* init main configuration */
    tg_gate_server_conf_make, /* create server configuration */
    NULL,                     /* merge server configuration */
    tg_gate_location_conf_make,
    tg_gate_location_conf_merge,
};

ngx_module_t ngx_http_tollgate_module = {
    NGX_MODULE_V1,
    &tg_module_context,
    tg_gate_commands,
    NGX_HTTP_MODULE,
    NULL,                   /* init master */
    NULL,                   /* init module */
    tg_module_worker_start, /* init process */
    NULL,                   /* init thread */
    NULL,                   /* exit thread */
    tg_module_worker_end,   /* exit process */
    NULL,                   /* exit master */
    NGX_MODULE_V1_PADDING,
};

static ngx_http_module_t tg_filter_context = {
    NULL, tg_gate_filter_init, /* postconfiguration */
    NULL, NULL,
    NULL, NULL,
    NULL, NULL,
};

ngx_module_t ngx_http_tollgate_filter_module = {
    NGX_MODULE_V1, &tg_filter_context,    NULL, NGX_HTTP_MODULE, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL,          NGX_MODULE_V1_PADDING,
};
