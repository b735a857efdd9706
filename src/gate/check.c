/*
 * check.c - walks all servers and locations after merging, and applies the rules (rules.h) to the gated ones.
 *
 * Runs in postconfiguration: location queues have become trees by then. What core modules
 * settle only after http{} has ended (worker_shutdown_timeout may stand below it) is judged
 * by a small core module of our own, whose init_conf runs last and fails a reload safely.
 */
#include "gate/check.h"

#include <ngx_http_ssl_module.h>

#include "gate/layout.h"
#include "gate/rules.h"

#include "base/banned.h"

struct tg_check {
    ngx_conf_t *cf;
    const struct tg_gate_main_conf *main;
    ngx_http_core_srv_conf_t *server; /* the one being walked */
    bool gated;                       /* it has a location that is `on` */
    ngx_uint_t faults;
};

/* Longest settle_wait of a gated location in the configuration being read; judged in init_conf below. */
static ngx_msec_t tg_check_settle_wait_ms;

static void tg_check_fault(struct tg_check *check, const ngx_http_core_loc_conf_t *location, const char *text)
{
    ngx_str_t where = location->noname ? (ngx_str_t)ngx_string("limit_except") : location->name;

    check->faults++;
    ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0, "tollgate: location \"%V\" of the server in %s:%ui: %s", &where,
                  check->server->file_name, check->server->line, text);
}

static void tg_check_server_fault(struct tg_check *check, const ngx_http_core_srv_conf_t *server, const char *text)
{
    check->faults++;
    ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0, "tollgate: server in %s:%ui: %s", server->file_name, server->line,
                  text);
}

static const struct tg_gate_location_conf *tg_check_gate(const ngx_http_core_loc_conf_t *location)
{
    return location->loc_conf[ngx_http_tollgate_module.ctx_index];
}

static void tg_check_walk(struct tg_check *check, ngx_http_core_loc_conf_t *location);

static void tg_check_walk_tree(struct tg_check *check, const ngx_http_location_tree_node_t *node)
{
    if (node == NULL) {
        return;
    }
    tg_check_walk_tree(check, node->left);
    tg_check_walk_tree(check, node->right);
    tg_check_walk_tree(check, node->tree);
    if (node->exact != NULL) {
        tg_check_walk(check, node->exact);
    }
    if (node->inclusive != NULL) {
        tg_check_walk(check, node->inclusive);
    }
}

/* The location that `error_page` leads to, where that can be told for sure: `location = URI` or a named one. */
static ngx_http_core_loc_conf_t *tg_check_exact(const ngx_http_location_tree_node_t *node, ngx_str_t uri)
{
    while (node != NULL && uri.len > 0) {
        size_t len = ngx_min(uri.len, (size_t)node->len);
        ngx_int_t order = ngx_filename_cmp(uri.data, (u_char *)node->name, len);

        if (order != 0) {
            node = order < 0 ? node->left : node->right;
        } else if (uri.len > (size_t)node->len) {
            if (node->inclusive == NULL) {
                node = node->right;
                continue;
            }
            node = node->tree;
            uri.data += len;
            uri.len -= len;
        } else if (uri.len == (size_t)node->len) {
            return node->exact;
        } else {
            node = node->left;
        }
    }
    return NULL;
}

static ngx_http_core_loc_conf_t *tg_check_target(struct tg_check *check, ngx_str_t uri)
{
    ngx_http_core_loc_conf_t *root = check->server->ctx->loc_conf[ngx_http_core_module.ctx_index];
    ngx_http_core_loc_conf_t **named = check->server->named_locations;

    if (uri.len == 0 || uri.data[0] != '@') {
        return tg_check_exact(root->static_locations, uri);
    }
    for (; named != NULL && *named != NULL; named++) {
        if ((*named)->name.len == uri.len && ngx_strncmp((*named)->name.data, uri.data, uri.len) == 0) {
            return *named;
        }
    }
    return NULL;
}

static void tg_check_error_pages(struct tg_check *check, const ngx_http_core_loc_conf_t *location)
{
    const ngx_http_err_page_t *page;

    if (location->error_pages == NULL) {
        return;
    }
    page = location->error_pages->elts;
    for (ngx_uint_t i = 0; i < location->error_pages->nelts; i++) {
        const ngx_http_core_loc_conf_t *target = NULL;

        if (page[i].value.lengths == NULL) {
            target = tg_check_target(check, page[i].value.value);
        }
        if (target == NULL || (tg_check_gate(target)->problem == NULL && tg_check_gate(target)->mode != TG_GATE_ON) ||
            (tg_check_gate(target)->problem != NULL && !target->internal && !target->named)) {
            tg_check_fault(check, location,
                           "error_page leads past the gate; its target must be \"location = /NAME { internal; "
                           "tollgate_problem REASON; }\", a named location with tollgate_problem, or a gated one");
            return;
        }
    }
}

static void tg_check_rules(struct tg_check *check, ngx_http_core_loc_conf_t *location)
{
    const struct tg_gate_location_conf *gate = tg_check_gate(location);
    struct tg_rule_place place = {
        .cycle = check->cf->cycle,
        .main = check->main,
        .loc_conf = location->loc_conf,
        .core = location,
        .gate = gate,
        .proxy = tg_layout_loc_conf(check->cf->cycle, location->loc_conf, "ngx_http_proxy_module"),
    };
    const tg_rule_fn *rule = gate->mode == TG_GATE_ON ? tg_rules_on : tg_rules_observe;

    for (; *rule != NULL; rule++) {
        const char *text = (*rule)(&place);

        if (text != NULL) {
            tg_check_fault(check, location, text);
        }
    }
    if (gate->mode == TG_GATE_ON) {
        check->gated = true;
        tg_check_settle_wait_ms = ngx_max(tg_check_settle_wait_ms, gate->settle_wait_ms);
        tg_check_error_pages(check, location);
    }
}

static void tg_check_walk(struct tg_check *check, ngx_http_core_loc_conf_t *location)
{
    const struct tg_gate_location_conf *gate = tg_check_gate(location);

    /* A location that only serves problem documents forwards nothing. */
    if (gate->mode != TG_GATE_OFF && gate->problem == NULL) {
        tg_check_rules(check, location);
    }
    if (location->limit_except_loc_conf != NULL) {
        tg_check_walk(check, location->limit_except_loc_conf[ngx_http_core_module.ctx_index]);
    }
    tg_check_walk_tree(check, location->static_locations);
#if (NGX_PCRE)
    for (ngx_http_core_loc_conf_t **regex = location->regex_locations; regex != NULL && *regex != NULL; regex++) {
        tg_check_walk(check, *regex);
    }
#endif
}

static void tg_check_server(struct tg_check *check, ngx_http_core_srv_conf_t *server)
{
    ngx_http_core_loc_conf_t *root = server->ctx->loc_conf[ngx_http_core_module.ctx_index];
    const char *text;

    check->server = server;
    check->gated = false;
    /* The server's own settings serve no call: its locations inherit them and are looked at one by one. */
    tg_check_walk_tree(check, root->static_locations);
#if (NGX_PCRE)
    for (ngx_http_core_loc_conf_t **regex = root->regex_locations; regex != NULL && *regex != NULL; regex++) {
        tg_check_walk(check, *regex);
    }
#endif
    for (ngx_http_core_loc_conf_t **named = server->named_locations; named != NULL && *named != NULL; named++) {
        tg_check_walk(check, *named);
    }
    if (check->gated) {
        text = tg_rule_rewrite(check->cf->cycle, server->ctx->loc_conf);
        if (text != NULL) {
            tg_check_server_fault(check, server, text);
        }
        tg_check_error_pages(check, root);
    }
}

/* True when the server has a gated location. */
static bool tg_check_is_gated(const ngx_http_core_srv_conf_t *server)
{
    const struct tg_gate_server_conf *gate = server->ctx->srv_conf[ngx_http_tollgate_module.ctx_index];

    return gate->gated;
}

/* Fields are parsed, and early data is read, before nginx knows which server of an address is meant. */
static void tg_check_parser(struct tg_check *check, const ngx_http_core_srv_conf_t *server)
{
    const ngx_http_ssl_srv_conf_t *tls =
        tg_layout_loc_conf(check->cf->cycle, server->ctx->srv_conf, "ngx_http_ssl_module");
    const char *text = tg_rule_log(server->ctx->loc_conf[ngx_http_core_module.ctx_index]);

    if (text != NULL) {
        tg_check_server_fault(check, server, text);
    }

    if (server->ignore_invalid_headers) {
        tg_check_server_fault(check, server,
                              "it shares an address with a gated location: write \"ignore_invalid_headers off\", so "
                              "that bad field names are refused instead of dropped unseen");
    }
    if (!server->underscores_in_headers) {
        tg_check_server_fault(check, server,
                              "it shares an address with a gated location: write \"underscores_in_headers on\", so "
                              "that the gate sees every field");
    }
    if (tls != NULL && tls->early_data == 1) {
        tg_check_server_fault(check, server,
                              "it shares an address with a gated location: early data can be replayed; write "
                              "\"ssl_early_data off\"");
    }
}

static void tg_check_address(struct tg_check *check, const ngx_http_conf_addr_t *address)
{
    ngx_http_core_srv_conf_t *const *servers = address->servers.elts;
    bool gated = false;

    for (ngx_uint_t i = 0; i < address->servers.nelts; i++) {
        gated |= tg_check_is_gated(servers[i]);
    }
    for (ngx_uint_t i = 0; gated && i < address->servers.nelts; i++) {
        tg_check_parser(check, servers[i]);
    }
}

ngx_int_t tg_gate_check(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_core_srv_conf_t **server = core->servers.elts;
    const ngx_http_conf_port_t *port = core->ports != NULL ? core->ports->elts : NULL;
    struct tg_check check = {.cf = cf, .main = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module)};

    tg_check_settle_wait_ms = 0;
    for (ngx_uint_t i = 0; i < core->servers.nelts; i++) {
        tg_check_server(&check, server[i]);
    }
    for (ngx_uint_t i = 0; port != NULL && i < core->ports->nelts; i++) {
        const ngx_http_conf_addr_t *address = port[i].addrs.elts;

        for (ngx_uint_t k = 0; k < port[i].addrs.nelts; k++) {
            tg_check_address(&check, &address[k]);
        }
    }
    return check.faults == 0 ? NGX_OK : NGX_ERROR;
}

/* Core modules' init_conf: after the whole file, before anything old is replaced. */
static char *tg_check_init_conf(ngx_cycle_t *cycle, void *conf)
{
    const ngx_core_conf_t *core = (ngx_core_conf_t *)ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    (void)conf;
    /* 0: old workers may take as long as they need. */
    if (core->shutdown_timeout != 0 && core->shutdown_timeout != NGX_CONF_UNSET_MSEC &&
        tg_check_settle_wait_ms >= core->shutdown_timeout) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "tollgate: worker_shutdown_timeout must be above every tollgate_settle_wait, or a reload cuts "
                      "answers that are being recorded");
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static ngx_core_module_t tg_check_core_module = {ngx_string("tollgate"), NULL, tg_check_init_conf};

ngx_module_t ngx_tollgate_check_module = {
    NGX_MODULE_V1, &tg_check_core_module, NULL, NGX_CORE_MODULE, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING,
};
