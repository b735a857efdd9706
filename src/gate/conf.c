/*
 * conf.c - the directives, and how they are inherited.
 *
 * Values are checked where they are read, with a line number; what only the whole configuration shows is check.c's.
 */
#include "core/http/field.h"
#include "gate/status.h"
#include "gate/steps.h"

#include "base/banned.h"

#define TG_CONF_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1)

#define TG_ADMIT_WAIT_MS_DEFAULT 1000
#define TG_SETTLE_WAIT_MS_DEFAULT 5000

/* Above a minute a caller has long left, and a leaving worker would wait for it. */
#define TG_WAIT_MS_MAX 60000

static char *tg_conf_keeper(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    struct tg_gate_main_conf *main = conf;
    ngx_str_t *argument = cf->args->elts;
    ngx_url_t url;

    (void)cmd;
    if (main->keeper.socklen != 0) {
        return "is duplicate";
    }
    ngx_memzero(&url, sizeof(url));
    url.url = argument[1];
    if (argument[1].len < 6 || ngx_strncmp(argument[1].data, "unix:", 5) != 0) {
        return "must be unix:PATH: the keeper does not listen on a network";
    }
    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"", url.err != NULL ? url.err : "no address", &url.url);
        return NGX_CONF_ERROR;
    }
    main->keeper = url.addrs[0];
    return NGX_CONF_OK;
}

static char *tg_conf_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    struct tg_gate_location_conf *location = conf;
    ngx_str_t *argument = cf->args->elts;

    (void)cmd;
    if (location->profile != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    location->profile = tg_gate_profile_load(cf, &argument[1]);
    return location->profile == NULL ? "names a profile that cannot be used" : NGX_CONF_OK;
}

static char *tg_conf_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    struct tg_gate_location_conf *location = conf;
    ngx_str_t *argument = cf->args->elts;

    (void)cmd;
    if (location->route.data != NULL) {
        return "is duplicate";
    }
    if (argument[1].len == 0 || argument[1].len > TG_NAME_BYTES_MAX) {
        return "must be a name of 1 to 64 characters";
    }
    location->route = argument[1];
    return NGX_CONF_OK;
}

/* Fields that a credential may not travel in: they frame the message or belong to the connection. */
static bool tg_conf_field_reserved(struct tg_span name)
{
    return tg_span_equal_nocase(name, TG_SPAN("host")) || tg_span_equal_nocase(name, TG_SPAN("content-length")) ||
           tg_span_equal_nocase(name, TG_SPAN("content-type")) || tg_span_equal_nocase(name, TG_SPAN("connection")) ||
           tg_span_equal_nocase(name, TG_SPAN("transfer-encoding")) || tg_span_equal_nocase(name, TG_SPAN("te")) ||
           tg_span_equal_nocase(name, TG_SPAN("upgrade")) || tg_span_equal_nocase(name, TG_SPAN("expect")) ||
           tg_span_equal_nocase(name, TG_SPAN("keep-alive")) ||
           tg_span_equal_nocase(name, TG_SPAN("tollgate-request-id"));
}

static char *tg_conf_upstream_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    struct tg_gate_location_conf *location = conf;
    ngx_str_t *argument = cf->args->elts;
    struct tg_span name = tg_gate_span(argument[1]);

    (void)cmd;
    if (location->upstream_credential.data != NULL) {
        return "is duplicate";
    }
    if (!tg_field_name_ok(name) || tg_conf_field_reserved(name)) {
        return "must name a request field that can carry a credential";
    }
    location->upstream_credential.data = ngx_pnalloc(cf->pool, name.len);
    if (location->upstream_credential.data == NULL) {
        return NGX_CONF_ERROR;
    }
    location->upstream_credential.len = name.len;
    location->upstream_credential_hash =
        ngx_hash_strlow(location->upstream_credential.data, argument[1].data, name.len);
    return NGX_CONF_OK;
}

static char *tg_conf_problem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    struct tg_gate_location_conf *location = conf;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ngx_str_t *argument = cf->args->elts;

    (void)cmd;
    if (location->problem != NULL) {
        return "is duplicate";
    }
    location->problem = tg_reason_find(tg_gate_span(argument[1]));
    if (location->problem == NULL || location->problem->status == 0) {
        return "must name a reason with a status (see `tollgate explain`)";
    }
    core->handler = tg_gate_problem_handler;
    return NGX_CONF_OK;
}

/* ---- bounds ---- */

static char *tg_conf_wait_bounds(ngx_conf_t *cf, void *post, void *data)
{
    const ngx_msec_t *wait_ms = data;

    (void)cf;
    (void)post;
    return *wait_ms == 0 || *wait_ms > TG_WAIT_MS_MAX ? "must be between 1ms and 60s" : NGX_CONF_OK;
}

static char *tg_conf_hold_bounds(ngx_conf_t *cf, void *post, void *data)
{
    const size_t *bytes = data;

    (void)cf;
    (void)post;
    return *bytes == 0 || *bytes > TG_HOLD_BYTES_MAX ? "must be between 1 and 1m" : NGX_CONF_OK;
}

static ngx_conf_post_t tg_conf_wait_post = {tg_conf_wait_bounds};
static ngx_conf_post_t tg_conf_hold_post = {tg_conf_hold_bounds};

static ngx_conf_enum_t tg_conf_modes[] = {{ngx_string("off"), TG_GATE_OFF},
                                          {ngx_string("observe"), TG_GATE_OBSERVE},
                                          {ngx_string("on"), TG_GATE_ON},
                                          {ngx_null_string, 0}};
static ngx_conf_enum_t tg_conf_card_data[] = {
    {ngx_string("refuse"), TG_GATE_CARD_REFUSE}, {ngx_string("allow"), TG_GATE_CARD_ALLOW}, {ngx_null_string, 0}};
static ngx_conf_enum_t tg_conf_shapes[] = {
    {ngx_string("plain"), TG_PROBLEM_PLAIN}, {ngx_string("stripe"), TG_PROBLEM_STRIPE}, {ngx_null_string, 0}};

#define TG_LOCATION(member) NGX_HTTP_LOC_CONF_OFFSET, offsetof(struct tg_gate_location_conf, member)
#define TG_MAIN(member) NGX_HTTP_MAIN_CONF_OFFSET, offsetof(struct tg_gate_main_conf, member)

ngx_command_t tg_gate_commands[] = {
    {ngx_string("tollgate"), TG_CONF_ANYWHERE, ngx_conf_set_enum_slot, TG_LOCATION(mode), tg_conf_modes},
    {ngx_string("tollgate_keeper"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, tg_conf_keeper, TG_MAIN(keeper), NULL},
    {ngx_string("tollgate_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot, TG_MAIN(zone_bytes),
     NULL},
    {ngx_string("tollgate_guard"), NGX_HTTP_MAIN_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot, TG_MAIN(guard), NULL},
    {ngx_string("tollgate_profile"), TG_CONF_ANYWHERE, tg_conf_profile, TG_LOCATION(profile), NULL},
    {ngx_string("tollgate_route"), TG_CONF_ANYWHERE, tg_conf_route, TG_LOCATION(route), NULL},
    {ngx_string("tollgate_admit_wait"), TG_CONF_ANYWHERE, ngx_conf_set_msec_slot, TG_LOCATION(admit_wait_ms),
     &tg_conf_wait_post},
    {ngx_string("tollgate_settle_wait"), TG_CONF_ANYWHERE, ngx_conf_set_msec_slot, TG_LOCATION(settle_wait_ms),
     &tg_conf_wait_post},
    {ngx_string("tollgate_hold_max"), TG_CONF_ANYWHERE, ngx_conf_set_size_slot, TG_LOCATION(hold_bytes_max),
     &tg_conf_hold_post},
    {ngx_string("tollgate_card_data"), TG_CONF_ANYWHERE, ngx_conf_set_enum_slot, TG_LOCATION(card_data),
     tg_conf_card_data},
    {ngx_string("tollgate_shape"), TG_CONF_ANYWHERE, ngx_conf_set_enum_slot, TG_LOCATION(shape), tg_conf_shapes},
    {ngx_string("tollgate_upstream_credential"), TG_CONF_ANYWHERE, tg_conf_upstream_credential,
     TG_LOCATION(upstream_credential), NULL},
    {ngx_string("tollgate_problem"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, tg_conf_problem, TG_LOCATION(problem), NULL},
    {ngx_string("tollgate_status"), NGX_HTTP_LOC_CONF | NGX_CONF_ANY, tg_gate_status_set, TG_LOCATION(operators), NULL},
    {ngx_string("tollgate_health"), NGX_HTTP_LOC_CONF | NGX_CONF_ANY, tg_gate_health_set, TG_LOCATION(operators), NULL},
    ngx_null_command};

/* ---- making and merging ---- */

void *tg_gate_main_conf_make(ngx_conf_t *cf)
{
    struct tg_gate_main_conf *main = ngx_pcalloc(cf->pool, sizeof(*main));

    if (main == NULL || ngx_array_init(&main->profiles, cf->pool, 4, sizeof(struct tg_gate_profile)) != NGX_OK) {
        return NULL;
    }
    main->zone_bytes = NGX_CONF_UNSET_SIZE;
    main->guard = NGX_CONF_UNSET;
    return main;
}

void *tg_gate_server_conf_make(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(struct tg_gate_server_conf));
}

void *tg_gate_location_conf_make(ngx_conf_t *cf)
{
    struct tg_gate_location_conf *location = ngx_pcalloc(cf->pool, sizeof(*location));

    if (location == NULL) {
        return NULL;
    }
    location->mode = NGX_CONF_UNSET_UINT;
    location->profile = NGX_CONF_UNSET_PTR;
    location->admit_wait_ms = NGX_CONF_UNSET_MSEC;
    location->settle_wait_ms = NGX_CONF_UNSET_MSEC;
    location->hold_bytes_max = NGX_CONF_UNSET_SIZE;
    location->card_data = NGX_CONF_UNSET_UINT;
    location->shape = NGX_CONF_UNSET_UINT;
    return location;
}

static void tg_conf_merge_credential(struct tg_gate_location_conf *child, const struct tg_gate_location_conf *parent)
{
    ngx_str_t usual = ngx_string("authorization");

    if (child->upstream_credential.data != NULL) {
        return;
    }
    child->upstream_credential = parent->upstream_credential.data != NULL ? parent->upstream_credential : usual;
    child->upstream_credential_hash = ngx_hash_key(child->upstream_credential.data, child->upstream_credential.len);
}

/* What POST_READ and the worker's start need to know of all locations together. */
static void tg_conf_gather(ngx_conf_t *cf, const struct tg_gate_location_conf *location)
{
    struct tg_gate_main_conf *main = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module);
    struct tg_gate_server_conf *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_tollgate_module);

    if (location->mode == TG_GATE_OFF) {
        return;
    }
    main->gated = true;
    main->hold_bytes_max = ngx_max(main->hold_bytes_max, location->hold_bytes_max);
    server->gated |= location->mode == TG_GATE_ON;
    server->observed |= location->mode == TG_GATE_OBSERVE;
}

char *tg_gate_location_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    const struct tg_gate_location_conf *from = parent;
    struct tg_gate_location_conf *to = child;

    ngx_conf_merge_uint_value(to->mode, from->mode, TG_GATE_OFF);
    ngx_conf_merge_ptr_value(to->profile, from->profile, NULL);
    ngx_conf_merge_str_value(to->route, from->route, "");
    ngx_conf_merge_msec_value(to->admit_wait_ms, from->admit_wait_ms, TG_ADMIT_WAIT_MS_DEFAULT);
    ngx_conf_merge_msec_value(to->settle_wait_ms, from->settle_wait_ms, TG_SETTLE_WAIT_MS_DEFAULT);
    ngx_conf_merge_size_value(to->hold_bytes_max, from->hold_bytes_max, TG_HOLD_BYTES_DEFAULT);
    ngx_conf_merge_uint_value(to->card_data, from->card_data, TG_GATE_CARD_BY_PROFILE);
    ngx_conf_merge_uint_value(to->shape, from->shape, 0);
    tg_conf_merge_credential(to, from);
    tg_conf_gather(cf, to);
    return NGX_CONF_OK;
}
