/*
 * rules.c - what nginx may not be told to do with a payment (rules.h).
 *
 * Most rules keep one of two promises: what was admitted is what is forwarded,
 * once; and nothing is said to the caller before it is recorded.
 */
#include "gate/rules.h"

#include "gate/fields.h"
#include "gate/layout.h"

#include "base/banned.h"

/* Every X-Accel field lets the upstream steer nginx: another file, another speed, another body (settle is then wrong).
 */
#define TG_RULE_X_ACCEL                                                                                                \
    (NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT | NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES | NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE |      \
     NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING | NGX_HTTP_UPSTREAM_IGN_XA_CHARSET)

enum tg_rule_kind {
    TG_RULE_POINTER = 1, /* must be NULL */
    TG_RULE_NUMBER = 2,  /* flag or size: must be 0 */
    TG_RULE_TEXT = 3     /* ngx_str_t: must be empty */
};

/* Directives of stock modules that may not be in force at all. */
struct tg_rule_slot {
    const char *module;
    const char *directive;
    enum tg_rule_kind kind;
    const char *text;
};

static const struct tg_rule_slot tg_rule_slots[] = {
    {"ngx_http_mirror_module", "mirror", TG_RULE_POINTER, "mirror sends a payment twice; write \"mirror off\""},
    {"ngx_http_slice_filter_module", "slice", TG_RULE_NUMBER,
     "slice asks the upstream several times; write \"slice 0\""},
    {"ngx_http_try_files_module", "try_files", TG_RULE_POINTER,
     "try_files leads an admitted call elsewhere; remove it"},
    {"ngx_http_auth_request_module", "auth_request", TG_RULE_TEXT,
     "auth_request shows the route's credential to another server; write \"auth_request off\""},
    {"ngx_http_ssi_filter_module", "ssi", TG_RULE_NUMBER, "ssi lets an answer make further calls; write \"ssi off\""},
    {"ngx_http_addition_filter_module", "add_before_body", TG_RULE_TEXT,
     "add_before_body changes the recorded answer; write add_before_body \"\""},
    {"ngx_http_addition_filter_module", "add_after_body", TG_RULE_TEXT,
     "add_after_body changes the recorded answer; write add_after_body \"\""},
    {"ngx_http_proxy_module", "proxy_set_body", TG_RULE_TEXT,
     "proxy_set_body forwards another body than the one admitted; remove it"},
    {"ngx_http_proxy_module", "proxy_method", TG_RULE_POINTER,
     "proxy_method forwards another method than the one admitted; remove it"},
};

/* Modules that can take the place of proxy_pass; the upstream's settings are their first member too. */
static const char *const tg_rule_other_pass[] = {"ngx_http_fastcgi_module", "ngx_http_uwsgi_module",
                                                 "ngx_http_scgi_module", "ngx_http_grpc_module",
                                                 "ngx_http_memcached_module"};

static const char *tg_rule_keeper(const struct tg_rule_place *place)
{
    if (place->main->keeper.socklen == 0) {
        return "tollgate_keeper is missing; write \"tollgate_keeper unix:PATH\" in http";
    }
    if (place->gate->profile == NULL) {
        return "tollgate_profile is missing";
    }
    return place->gate->route.len == 0 ? "tollgate_route is missing" : NULL;
}

static const char *tg_rule_pass(const struct tg_rule_place *place)
{
    for (size_t i = 0; i < sizeof(tg_rule_other_pass) / sizeof(*tg_rule_other_pass); i++) {
        const ngx_http_upstream_conf_t *other =
            tg_layout_loc_conf(place->cycle, place->loc_conf, tg_rule_other_pass[i]);

        if (other != NULL && other->upstream != NULL) {
            return "only proxy_pass can be gated; remove fastcgi_pass, uwsgi_pass, scgi_pass, grpc_pass, "
                   "memcached_pass";
        }
    }
    if (place->proxy == NULL || place->proxy->upstream == NULL || place->core->handler == NULL) {
        return "proxy_pass is missing, or its upstream is not a fixed name";
    }
    return NULL;
}

static const char *tg_rule_uri(const struct tg_rule_place *place)
{
    const void *slot = tg_layout_slot(place->cycle, place->loc_conf, "ngx_http_proxy_module", "proxy_http_version");
    const struct tg_layout_proxy_target *target;

    if (slot == NULL || place->proxy->upstream == NULL) {
        return NULL;
    }
    target = (const struct tg_layout_proxy_target *)slot - 1;
    if (target->schema.len < 7 || ngx_strncmp(target->schema.data, "http", 4) != 0) {
        return "where proxy_pass leads cannot be read from this nginx";
    }
    return target->uri.len > 0 ? "a URI in proxy_pass forwards another path than the one admitted; write only scheme "
                                 "and host, without even a \"/\""
                               : NULL;
}

static const char *tg_rule_retries(const struct tg_rule_place *place)
{
    if (place->proxy == NULL) {
        return NULL;
    }
    if (!(place->proxy->next_upstream & NGX_HTTP_UPSTREAM_FT_OFF)) {
        return "proxy_next_upstream may send a payment twice; write \"proxy_next_upstream off\"";
    }
    if (!place->proxy->ignore_client_abort) {
        return "a client that leaves would cancel a payment in flight; write \"proxy_ignore_client_abort on\"";
    }
    return NULL;
}

static const char *tg_rule_copies(const struct tg_rule_place *place)
{
    if (place->proxy == NULL) {
        return NULL;
    }
    if (place->proxy->store != 0) {
        return "proxy_store keeps answers on disk; write \"proxy_store off\"";
    }
#if (NGX_HTTP_CACHE)
    if (place->proxy->cache != 0) {
        return "proxy_cache answers without the keeper; write \"proxy_cache off\"";
    }
#endif
    if (place->proxy->max_temp_file_size != 0) {
        return "answers may reach the disk; write \"proxy_max_temp_file_size 0\"";
    }
    return NULL;
}

static const char *tg_rule_forwarding(const struct tg_rule_place *place)
{
    if (place->proxy == NULL) {
        return NULL;
    }
    if (!place->proxy->request_buffering) {
        return "the body must be whole before it is forwarded; write \"proxy_request_buffering on\"";
    }
    if (!place->proxy->pass_request_body || !place->proxy->pass_request_headers) {
        return "what is admitted is what is forwarded; write \"proxy_pass_request_body on\" and "
               "\"proxy_pass_request_headers on\"";
    }
    return NULL;
}

static const char *tg_rule_answers(const struct tg_rule_place *place)
{
    if (place->proxy == NULL) {
        return NULL;
    }
    if ((place->proxy->ignore_headers & TG_RULE_X_ACCEL) != TG_RULE_X_ACCEL) {
        return "the upstream could steer nginx; write \"proxy_ignore_headers X-Accel-Redirect X-Accel-Expires "
               "X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset\"";
    }
    if (place->proxy->intercept_errors) {
        return "the caller must see the answer that is recorded; write \"proxy_intercept_errors off\"";
    }
    return NULL;
}

static const char *tg_rule_body(const struct tg_rule_place *place)
{
    off_t body_max = place->core->client_max_body_size;

    if (body_max == 0) {
        return "client_max_body_size 0 means no limit; name one";
    }
    if (body_max > (off_t)place->core->client_body_buffer_size) {
        return "bodies stay in memory; client_max_body_size must not be above client_body_buffer_size";
    }
    if (body_max > (off_t)TG_BODY_BYTES_MAX) {
        return "client_max_body_size must not be above 256k, the largest body that is inspected";
    }
    if (place->core->client_body_in_file_only != 0) {
        return "bodies stay in memory; write \"client_body_in_file_only off\"";
    }
    return NULL;
}

static const char *tg_rule_times(const struct tg_rule_place *place)
{
    if (place->gate->settle_wait_ms >= place->core->send_timeout) {
        return "tollgate_settle_wait must be below send_timeout, or nginx gives up while the record is written";
    }
    return NULL;
}

static const char *tg_rule_afterwards(const struct tg_rule_place *place)
{
    return place->core->post_action.len > 0 ? "post_action makes a further call after a payment; remove it" : NULL;
}

static const char *tg_rule_stock(const struct tg_rule_place *place)
{
    for (size_t i = 0; i < sizeof(tg_rule_slots) / sizeof(*tg_rule_slots); i++) {
        const struct tg_rule_slot *rule = &tg_rule_slots[i];
        const void *slot = tg_layout_slot(place->cycle, place->loc_conf, rule->module, rule->directive);
        bool set = false;

        if (slot == NULL) {
            continue;
        }
        switch (rule->kind) {
        case TG_RULE_POINTER:
            set = *(void *const *)slot != NULL;
            break;
        case TG_RULE_NUMBER:
            set = *(const size_t *)slot != 0;
            break;
        case TG_RULE_TEXT:
            set = ((const ngx_str_t *)slot)->len != 0;
            break;
        }
        if (set) {
            return rule->text;
        }
    }
    return NULL;
}

static bool tg_rule_is(ngx_str_t text, const char *wanted)
{
    return text.len == ngx_strlen(wanted) && ngx_strncasecmp(text.data, (u_char *)wanted, text.len) == 0;
}

static bool tg_rule_names(ngx_str_t key, struct tg_span field)
{
    return tg_gate_field_is(tg_span(key.data, key.len), field);
}

/* proxy_set_header lines as they were written: key and value are an ngx_keyval_t. */
static const char *tg_rule_fields(const struct tg_rule_place *place)
{
    ngx_array_t *const *slot =
        tg_layout_slot(place->cycle, place->loc_conf, "ngx_http_proxy_module", "proxy_set_header");
    const ngx_keyval_t *line;

    if (slot == NULL || *slot == NULL) {
        return NULL;
    }
    line = (*slot)->elts;
    for (ngx_uint_t i = 0; i < (*slot)->nelts; i++) {
        if (tg_rule_is(line[i].key, "Upgrade") && line[i].value.len > 0) {
            return "Upgrade would open a tunnel past the gate; remove \"proxy_set_header Upgrade\"";
        }
        if (tg_rule_is(line[i].key, "Connection") && line[i].value.len > 0 && !tg_rule_is(line[i].value, "close") &&
            !tg_rule_is(line[i].value, "keep-alive")) {
            return "proxy_set_header Connection may only be \"\", \"close\" or \"keep-alive\": no Upgrade passes the "
                   "gate";
        }
        if (tg_rule_names(line[i].key,
                          tg_span(place->gate->upstream_credential.data, place->gate->upstream_credential.len)) ||
            (place->gate->profile != NULL && tg_rule_names(line[i].key, place->gate->profile->idempotency_field))) {
            return "the gate sets the upstream's credential and idempotency key; remove their proxy_set_header";
        }
        if (tg_rule_is(line[i].key, "Content-Length") || tg_rule_is(line[i].key, "Transfer-Encoding")) {
            return "framing is nginx's own; remove proxy_set_header of Content-Length and Transfer-Encoding";
        }
    }
    return NULL;
}

static const char *tg_rule_error_log(const struct tg_rule_place *place)
{
    return tg_rule_log(place->core);
}

const char *tg_rule_log(const ngx_http_core_loc_conf_t *core)
{
    /* The log with the highest level comes first (ngx_log_insert). */
    return core->error_log != NULL && core->error_log->log_level > NGX_LOG_NOTICE
               ? "at info and debug nginx writes fields that callers send into the error log, API keys among them; "
                 "write \"error_log FILE notice\" or a higher level"
               : NULL;
}

static const char *tg_rule_codes(const struct tg_rule_place *place)
{
    return tg_rule_rewrite(place->cycle, place->loc_conf);
}

const char *tg_rule_rewrite(const ngx_cycle_t *cycle, void **loc_conf)
{
    /* In the order of what should be said where several are there. */
    static const struct {
        ngx_http_script_code_pt code;
        const char *text;
    } forbidden[] = {
        {ngx_http_script_return_code, "return answers before the gate does; remove it"},
#if (NGX_PCRE)
        {ngx_http_script_regex_start_code,
         "rewrite (or if with a pattern) acts before the gate sees the path; remove it"},
#endif
        {ngx_http_script_if_code, "if makes a second, unchecked location; remove it"},
    };
    /* `return` has a setter of its own and offset 0: the compiled codes are the first member. */
    ngx_array_t *const *slot = tg_layout_slot(cycle, loc_conf, "ngx_http_rewrite_module", "return");

    if (slot == NULL || *slot == NULL) {
        return NULL;
    }
    for (size_t k = 0; k < sizeof(forbidden) / sizeof(*forbidden); k++) {
        /* Codes are structs of different sizes, each aligned to a pointer and opened by its function. */
        const uintptr_t *word = (*slot)->elts;

        for (size_t i = 0; i < (*slot)->nelts * (*slot)->size / sizeof(*word); i++) {
            if (word[i] == (uintptr_t)forbidden[k].code) {
                return forbidden[k].text;
            }
        }
    }
    return NULL;
}

const tg_rule_fn tg_rules_on[] = {
    tg_rule_keeper,  tg_rule_pass,  tg_rule_retries,   tg_rule_copies,     tg_rule_forwarding,
    tg_rule_answers, tg_rule_body,  tg_rule_times,     tg_rule_afterwards, tg_rule_stock,
    tg_rule_fields,  tg_rule_codes, tg_rule_error_log, tg_rule_uri,        NULL};

const tg_rule_fn tg_rules_observe[] = {tg_rule_keeper, tg_rule_error_log, NULL};
