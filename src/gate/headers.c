/*
 * headers.c - adding fields to a request on its way in and to an answer on its way out.
 */
#include "gate/gate.h"

ngx_int_t tg_gate_header_add_in(ngx_http_request_t *r, struct tg_span name, struct tg_span lowcase,
                                struct tg_span value)
{
    ngx_table_elt_t *field = ngx_list_push(&r->headers_in.headers);

    if (field == NULL) {
        return NGX_ERROR;
    }
    field->key.data = (u_char *)(uintptr_t)name.ptr;
    field->key.len = name.len;
    field->lowcase_key = (u_char *)(uintptr_t)lowcase.ptr;
    field->hash = ngx_hash_key((u_char *)(uintptr_t)lowcase.ptr, lowcase.len);
    field->value.data = (u_char *)(uintptr_t)value.ptr;
    field->value.len = value.len;
    return NGX_OK;
}

ngx_int_t tg_gate_header_add_out(ngx_http_request_t *r, struct tg_span name, struct tg_span value)
{
    ngx_table_elt_t *field = ngx_list_push(&r->headers_out.headers);

    if (field == NULL) {
        return NGX_ERROR;
    }
    field->hash = 1;
    field->key.data = (u_char *)(uintptr_t)name.ptr;
    field->key.len = name.len;
    field->lowcase_key = NULL;
    field->value.data = (u_char *)(uintptr_t)value.ptr;
    field->value.len = value.len;
    return NGX_OK;
}
