/*
 * payment.c - see payment.h.
 */
#include "cli/payment.h"

#include "cli/command.h"
#include "cli/program.h"

#include <string.h>

#define URL_BYTES_MAX 1024

enum tg_err tg_payment_dialect(const char *name, struct tg_dialect *ret)
{
    char folder[TG_PATH_BYTES_MAX];
    char file[80];
    char path[TG_PATH_BYTES_MAX];

    ret->profile = NULL;
    ret->memory = NULL;
    size_t len = strlen(name);

    /* A file, as for `init`. */
    if (strchr(name, '/') != NULL || (len > 5 && strcmp(name + len - 5, ".json") == 0)) {
        return tg_dialect_open(name, ret);
    }
    if (tg_data_find("profiles", folder) != TG_OK) {
        return TG_ERR_ABSENT;
    }
    (void)snprintf(file, sizeof(file), "%.64s.json", name);
    if (tg_path_join(path, folder, file) != TG_OK) {
        return TG_ERR_LIMIT;
    }
    return tg_dialect_open(path, ret);
}

static enum tg_err url_make(const struct tg_payment *payment, char ret[URL_BYTES_MAX])
{
    struct tg_buf out = tg_buf(ret, URL_BYTES_MAX);
    struct tg_span base = tg_span_string(payment->url);
    enum tg_err err;

    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    tg_buf_put(&out, base);
    err = tg_dialect_path(payment->operation, payment->wish.id, &out);
    if (err == TG_ERR_INPUT) {
        tg_complain("the operation %.*s needs --id ID, of letters, digits, '_', '-', '.' or '~'",
                    (int)payment->operation->name.len, (const char *)payment->operation->name.ptr);
    }
    if (payment->query != NULL) {
        tg_buf_put_string(&out, "?");
        tg_buf_put_string(&out, payment->query);
    }
    tg_buf_put_u8(&out, 0);
    return err == TG_OK ? tg_buf_done(&out) : err;
}

enum tg_err tg_payment_send(const struct tg_payment *payment, struct tg_http_answer *ret)
{
    uint8_t bytes[4096];
    struct tg_buf body = tg_buf(bytes, sizeof(bytes));
    char url[URL_BYTES_MAX];
    char method[16];
    const struct tg_operation *operation = payment->operation;
    struct tg_http_call call = {.url = url,
                                .method = method,
                                .ca = payment->ca,
                                .key = payment->key,
                                .key_field = payment->dialect->profile->credential_field,
                                .idempotency_key = payment->idempotency_key,
                                .idempotency_field = payment->dialect->profile->idempotency_field,
                                .http1 = payment->http1,
                                .wait_ms = payment->wait_ms > 0 ? payment->wait_ms : TG_PAYMENT_WAIT_MS};
    enum tg_err err = url_make(payment, url);

    memset(ret, 0, sizeof(*ret));
    (void)snprintf(method, sizeof(method), "%.*s", (int)operation->method.len, (const char *)operation->method.ptr);
    if (err != TG_OK) {
        return err;
    }
    if (payment->body.ptr != NULL) {
        call.body = payment->body;
    } else {
        err = tg_dialect_body(operation, &payment->wish, &body);
        call.body = tg_buf_span(&body);
        if (err != TG_OK) {
            tg_complain("the body could not be made: a value is too long or not UTF-8");
        }
    }
    if (operation->body == TG_BODY_JSON) {
        call.content_type = "application/json";
    } else if (operation->body == TG_BODY_FORM) {
        call.content_type = "application/x-www-form-urlencoded";
    }
    call.content_type = payment->content_type != NULL ? payment->content_type : call.content_type;
    return err == TG_OK ? tg_http_send(&call, ret) : err;
}

static void text_take(char *ret, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);

    (void)snprintf(ret, size, "%s", text == NULL ? "" : text);
}

void tg_payment_told(const struct tg_http_answer *answer, struct tg_payment_told *ret)
{
    static const char prefix[] = "urn:tollgate:reason:";
    json_error_t error;
    json_t *root = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, &error);
    const char *type = json_string_value(json_object_get(root, "type"));

    memset(ret, 0, sizeof(*ret));
    if (type != NULL && strncmp(type, prefix, sizeof(prefix) - 1) == 0) {
        (void)snprintf(ret->reason, sizeof(ret->reason), "%s", type + sizeof(prefix) - 1);
        ret->code = (int)json_integer_value(json_object_get(root, "code"));
        text_take(ret->title, sizeof(ret->title), json_object_get(root, "title"));
        text_take(ret->pointer, sizeof(ret->pointer), json_object_get(root, "pointer"));
    }
    json_decref(root);
}

int tg_payment_exit(const struct tg_http_answer *answer, const struct tg_payment_told *told)
{
    if (answer->status == 0 || strcmp(told->reason, "outcome_unknown") == 0 ||
        strcmp(told->reason, "key_outcome_unknown") == 0) {
        return TG_EXIT_UNREACHABLE;
    }
    return answer->status >= 200 && answer->status < 300 ? TG_EXIT_OK : TG_EXIT_REFUSED;
}
