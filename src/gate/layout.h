/*
 * layout.h - settings of stock modules whose structs are in no public header.
 *
 * A module's directive table is public at run time and says at which offset a
 * directive's slot stands; where a directive has a setter of its own and offset 0,
 * its value is the first member. The module is built for one nginx version, which
 * refuses to load it into another, so what was read in that version's source holds.
 *
 * Promises: a module that this nginx does not have is NULL, never a guess.
 * Does not: write.
 */
#ifndef TG_GATE_LAYOUT_H
#define TG_GATE_LAYOUT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#if (nginx_version != 1022001)
#error "layout.h was checked against nginx 1.22.1: check it again for this version"
#endif

/* real_ip_header proxy_protocol (ngx_http_realip_module) */
#define TG_LAYOUT_REALIP_PROXY 3

/* ngx_http_realip_module's location settings begin so. */
struct tg_layout_realip {
    ngx_array_t *from; /* of ngx_cidr_t; NULL: nobody is trusted */
    ngx_uint_t type;
};

/* ngx_http_proxy_module's location settings hold these before `proxy_http_version`: what proxy_pass was given. */
struct tg_layout_proxy_target {
    ngx_str_t key_start;
    ngx_str_t schema; /* "http://" or "https://" */
    ngx_str_t host_header;
    ngx_str_t port;
    ngx_str_t uri; /* empty: the request's own goes on */
    ngx_flag_t redirect;
};

/* The module of this name in the cycle, or NULL. */
const ngx_module_t *tg_layout_module(const ngx_cycle_t *cycle, const char *name);

/* A module's location settings, NULL where the module is absent. */
void *tg_layout_loc_conf(const ngx_cycle_t *cycle, void **loc_conf, const char *module);

/* The slot of a directive within a module's location settings; NULL where either is absent. */
void *tg_layout_slot(const ngx_cycle_t *cycle, void **loc_conf, const char *module, const char *directive);

#endif
