/*
 * modules.c - what nginx looks for in the shared object: which modules, and where they stand among its own.
 *
 * The order: the handlers' module before limit_conn, since handlers of a phase run last registered first and
 * limit_conn and limit_req are to run before ours; the filter's right before the copy filter, so that bodies come in
 * memory and everything that changes an answer for its client runs after the release.
 */
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t ngx_http_tollgate_module;
extern ngx_module_t ngx_http_tollgate_filter_module;
extern ngx_module_t ngx_tollgate_check_module;

/* Found by name, so they are visible where everything else is hidden. */
#define TG_VISIBLE __attribute__((visibility("default")))

TG_VISIBLE extern ngx_module_t *ngx_modules[];
TG_VISIBLE extern char *ngx_module_names[];
TG_VISIBLE extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_tollgate_check_module, &ngx_http_tollgate_module, &ngx_http_tollgate_filter_module,
                               NULL};

char *ngx_module_names[] = {"ngx_tollgate_check_module", "ngx_http_tollgate_module", "ngx_http_tollgate_filter_module",
                            NULL};

char *ngx_module_order[] = {"ngx_http_tollgate_module", "ngx_http_limit_conn_module", "ngx_http_tollgate_filter_module",
                            "ngx_http_copy_filter_module", NULL};
