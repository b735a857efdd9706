/*
 * admin_arguments.c - what a command was given, checked.
 *
 * Promises: a fault is answered at once, naming the argument and never its value.
 * Does not: default anything but what a caller asks tg_admin_has about.
 */
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "keeper/admin.h"

#include "base/banned.h"

static bool fault(struct tg_admin_call *call, const char *name, const char *what)
{
    char text[160];
    struct tg_buf out = tg_buf(text, sizeof(text) - 1);
    tg_buf_put_string(&out, name);
    tg_buf_put_string(&out, " ");
    tg_buf_put_string(&out, what);
    text[out.len] = '\0';
    tg_admin_fail(call, "argument", text);
    return false;
}

bool tg_admin_has(const struct tg_admin_call *call, const char *name)
{
    const json_t *value = json_object_get(call->arguments, name);
    return value != NULL && !json_is_null(value);
}

bool tg_admin_text(struct tg_admin_call *call, const char *name, size_t max, struct tg_span *ret)
{
    const json_t *value = json_object_get(call->arguments, name);
    if (!json_is_string(value)) {
        return fault(call, name, "is needed, a string");
    }
    *ret = tg_span(json_string_value(value), json_string_length(value));
    if (ret->len > max) {
        return fault(call, name, "is too long");
    }
    if (tg_span_find(*ret, 0) < ret->len) {
        return fault(call, name, "has a zero byte");
    }
    return true;
}

bool tg_admin_name_ok(struct tg_span name)
{
    if (name.len == 0 || name.len > TG_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !(byte >= '0' && byte <= '9') && byte != '.' && byte != '_' && byte != '-') {
            return false;
        }
    }
    return true;
}

bool tg_admin_name(struct tg_admin_call *call, const char *name, struct tg_span *ret)
{
    if (!tg_admin_text(call, name, TG_NAME_BYTES_MAX, ret)) {
        return false;
    }
    return tg_admin_name_ok(*ret) ? true : fault(call, name, "must be letters, digits, '.', '_' and '-'");
}

bool tg_admin_number(struct tg_admin_call *call, const char *name, int64_t max, int64_t *ret)
{
    const json_t *value = json_object_get(call->arguments, name);
    if (!json_is_integer(value)) {
        return fault(call, name, "is needed, an integer");
    }
    *ret = json_integer_value(value);
    return *ret >= 0 && *ret <= max ? true : fault(call, name, "is out of range");
}

bool tg_admin_bool(struct tg_admin_call *call, const char *name, bool *ret)
{
    const json_t *value = json_object_get(call->arguments, name);
    if (!json_is_boolean(value)) {
        return fault(call, name, "is needed, true or false");
    }
    *ret = json_is_true(value);
    return true;
}

bool tg_admin_hex(struct tg_admin_call *call, const char *name, uint8_t *ret, size_t len)
{
    struct tg_span text;
    if (!tg_admin_text(call, name, 2 * len, &text)) {
        return false;
    }
    return tg_hex_read(text, ret, len) == TG_OK ? true : fault(call, name, "must be hex digits of the right length");
}

bool tg_admin_partner(struct tg_admin_call *call, const struct tg_partner **ret)
{
    struct tg_span name;
    if (!tg_admin_name(call, "partner", &name)) {
        return false;
    }
    *ret = tg_setup_partner_named(&call->keeper->setup, name);
    if (*ret == NULL) {
        tg_admin_fail(call, "absent", "there is no such partner");
        return false;
    }
    return true;
}

const char *tg_admin_environment_name(uint8_t environment)
{
    return environment == TG_ENVIRONMENT_LIVE ? "live" : environment == TG_ENVIRONMENT_TEST ? "test" : "";
}

bool tg_admin_environment(struct tg_admin_call *call, uint8_t *ret)
{
    struct tg_span name;
    if (!tg_admin_text(call, "environment", TG_NAME_BYTES_MAX, &name)) {
        return false;
    }
    *ret = tg_span_equal(name, TG_SPAN("live"))   ? TG_ENVIRONMENT_LIVE
           : tg_span_equal(name, TG_SPAN("test")) ? TG_ENVIRONMENT_TEST
                                                  : 0;
    return *ret != 0 ? true : fault(call, "environment", "must be test or live");
}

json_t *tg_admin_time(int64_t us)
{
    if (us == 0) {
        return json_null();
    }
    time_t seconds = (time_t)(us / 1000000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return json_null();
    }
    return json_string(text);
}
