/*
 * status.c - the pages of status.h.
 *
 * Both ask the keeper STATS over this worker's link and wait at most TG_STATUS_WAIT_MS; the request is
 * suspended meanwhile and woken through its connection's write event, never from the link's own handler.
 */
#include "gate/status.h"

#include "gate/guard.h"
#include "gate/link.h"
#include "gate/slot.h"
#include "gate/zone.h"

#include "base/banned.h"

/* The keeper's own text at most; more is left out, and said. */
#define TG_STATUS_KEEPER_BYTES_MAX (64u * 1024u)

/* Lines that this file adds to the counters. */
#define TG_STATUS_EXTRA_BYTES 1024

enum tg_status_page { TG_STATUS_COUNTERS = 1, TG_STATUS_HEALTH = 2 };

/* One request for a page; lives in its pool. */
struct tg_status_wait {
    ngx_http_request_t *request;
    struct tg_gate_slot *slot;
    enum tg_status_page page;
    bool answered;         /* by the keeper, in time */
    struct tg_span keeper; /* its text */
};

/* ---- who may look ---- */

static bool tg_status_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24) == 127;
    }
#if (NGX_HAVE_INET6)
    if (address->sa_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    }
#endif
    return address->sa_family == AF_UNIX;
}

static bool tg_status_allowed(ngx_http_request_t *r)
{
    const struct tg_gate_location_conf *conf = ngx_http_get_module_loc_conf(r, ngx_http_tollgate_module);

    return tg_status_loopback(r->connection->sockaddr) ||
           (conf->operators != NULL && ngx_cidr_match(r->connection->sockaddr, conf->operators) == NGX_OK);
}

/* ---- what they see ---- */

static ngx_int_t tg_status_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t type, struct tg_buf *text)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t out = {buf, NULL};
    ngx_int_t rc;

    if (buf == NULL || tg_buf_done(text) != TG_OK ||
        tg_gate_header_add_out(r, TG_SPAN("Cache-Control"), TG_SPAN("no-store")) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->headers_out.status = status;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_length_n = (off_t)text->len;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    buf->pos = text->ptr;
    buf->last = text->ptr + text->len;
    buf->memory = 1;
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    return ngx_http_output_filter(r, &out);
}

static void tg_status_gauge(struct tg_buf *out, const char *name, int64_t value)
{
    tg_buf_put_string(out, "# TYPE tollgate_gate_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, " gauge\ntollgate_gate_");
    tg_buf_put_string(out, name);
    tg_buf_put_string(out, " ");
    tg_buf_put_decimal(out, value);
    tg_buf_put_string(out, "\n");
}

static ngx_int_t tg_status_counters(struct tg_status_wait *wait)
{
    size_t cap = TG_ZONE_TEXT_BYTES_MAX + TG_STATUS_EXTRA_BYTES + wait->keeper.len;
    struct tg_buf out = tg_buf(ngx_palloc(wait->request->pool, cap), cap);
    struct tg_gate_guard guard = tg_gate_guard();

    if (out.ptr == NULL || tg_gate_zone_write(&out) != TG_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    tg_status_gauge(&out, "link_up", tg_gate_link_up());
    tg_status_gauge(&out, "slots_used", (int64_t)tg_gate_link_slots_used());
    tg_status_gauge(&out, "keeper_answers", wait->answered);
    tg_status_gauge(&out, "guard_seccomp", guard.filtered);
    tg_status_gauge(&out, "guard_landlock_level", guard.landlock);
    tg_status_gauge(&out, "guard_dumpable", guard.dumpable);
    tg_buf_put(&out, wait->keeper);
    return tg_status_send(wait->request, NGX_HTTP_OK, (ngx_str_t)ngx_string("text/plain; version=0.0.4; charset=utf-8"),
                          &out);
}

static ngx_int_t tg_status_health(struct tg_status_wait *wait)
{
    size_t cap = TG_STATUS_EXTRA_BYTES;
    struct tg_buf out = tg_buf(ngx_palloc(wait->request->pool, cap), cap);

    if (out.ptr == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    tg_buf_put_string(&out, wait->answered ? "{\"live\":true,\"ready\":true}\n"
                                           : "{\"live\":true,\"ready\":false,\"why\":\"the keeper does not answer\"}\n");
    return tg_status_send(wait->request, wait->answered ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE,
                          (ngx_str_t)ngx_string("application/json"), &out);
}

static ngx_int_t tg_status_page(struct tg_status_wait *wait)
{
    return wait->page == TG_STATUS_HEALTH ? tg_status_health(wait) : tg_status_counters(wait);
}

/* ---- asking the keeper ---- */

static void tg_status_cleanup(void *data)
{
    struct tg_status_wait *wait = data;

    tg_gate_slot_free(wait->slot);
    wait->slot = NULL;
}

static void tg_status_resume(ngx_http_request_t *r)
{
    struct tg_status_wait *wait = ngx_http_get_module_ctx(r, ngx_http_tollgate_filter_module);

    if (wait->slot != NULL) {
        return; /* woken by something else */
    }
    r->write_event_handler = ngx_http_request_empty_handler;
    ngx_http_finalize_request(r, tg_status_page(wait));
}

static bool tg_status_answered(struct tg_gate_slot *slot, const struct tg_frame *answer)
{
    struct tg_status_wait *wait = slot->data;

    if (answer != NULL) {
        size_t len = wait->page == TG_STATUS_HEALTH ? 0 : ngx_min(answer->body.len, TG_STATUS_KEEPER_BYTES_MAX);
        u_char *copy = ngx_pnalloc(wait->request->pool, len + 1);

        wait->answered = true;
        if (copy != NULL && len > 0) {
            ngx_memcpy(copy, answer->body.ptr, len);
            wait->keeper = tg_span(copy, len);
        }
    }
    tg_status_cleanup(wait);
    ngx_post_event(wait->request->connection->write, &ngx_posted_events);
    return true;
}

static ngx_int_t tg_status_ask(ngx_http_request_t *r, struct tg_status_wait *wait)
{
    ngx_pool_cleanup_t *cleanup;

    if (!tg_gate_link_ready()) {
        return tg_status_page(wait);
    }
    cleanup = ngx_pool_cleanup_add(r->pool, 0);
    if (cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    cleanup->handler = tg_status_cleanup;
    cleanup->data = wait;
    wait->slot = tg_gate_slot_take(wait);
    if (wait->slot == NULL) {
        return tg_status_page(wait);
    }
    wait->slot->question.type = TG_FRAME_STATS;
    tg_gate_slot_ask(wait->slot, TG_STATUS_WAIT_MS, tg_status_answered);
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = tg_status_resume;
    r->main->count++;
    return NGX_DONE;
}

static ngx_int_t tg_status_begin(ngx_http_request_t *r, enum tg_status_page page)
{
    struct tg_status_wait *wait;
    ngx_int_t rc;

    if (!tg_status_allowed(r)) {
        return NGX_HTTP_FORBIDDEN;
    }
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) || r != r->main) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    wait = ngx_pcalloc(r->pool, sizeof(*wait));
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    wait->request = r;
    wait->page = page;
    /* The filter half's context is free here: these locations hold no answer. */
    ngx_http_set_ctx(r, wait, ngx_http_tollgate_filter_module);
    return tg_status_ask(r, wait);
}

static ngx_int_t tg_status_handler(ngx_http_request_t *r)
{
    return tg_status_begin(r, TG_STATUS_COUNTERS);
}

static ngx_int_t tg_health_handler(ngx_http_request_t *r)
{
    return tg_status_begin(r, TG_STATUS_HEALTH);
}

/* ---- the directives ---- */

static char *tg_status_operators(ngx_conf_t *cf, struct tg_gate_location_conf *conf)
{
    ngx_str_t *argument = cf->args->elts;

    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) {
        ngx_cidr_t *cidr;

        if (conf->operators == NULL) {
            conf->operators = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_cidr_t));
        }
        cidr = conf->operators == NULL ? NULL : ngx_array_push(conf->operators);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }
        if (ngx_ptocidr(&argument[i], cidr) == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is neither an address nor a CIDR block", &argument[i]);
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

static char *tg_status_set(ngx_conf_t *cf, void *conf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    struct tg_gate_location_conf *gate = conf;

    if (core->handler == tg_status_handler || core->handler == tg_health_handler) {
        return "is duplicate: a location serves one page";
    }
    core->handler = handler;
    return tg_status_operators(cf, gate);
}

char *tg_gate_status_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    (void)cmd;
    return tg_status_set(cf, conf, tg_status_handler);
}

char *tg_gate_health_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    (void)cmd;
    return tg_status_set(cf, conf, tg_health_handler);
}
