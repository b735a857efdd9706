/*
 * http_client.c - see http_client.h; libcurl does the work.
 */
#include "cli/http_client.h"

#include "cli/command.h"
#include "crypto/crypto.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_BODY_BYTES_MAX (TG_HOLD_BYTES_MAX + 65536u) /* what a gate may hold, and then some */
#define HTTP_CONNECT_WAIT_MS 5000L

enum tg_err tg_http_start(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? TG_OK : TG_ERR_BUG;
}

void tg_http_stop(void)
{
    curl_global_cleanup();
}

static void text_take(char ret[TG_HTTP_TEXT_CHARS], struct tg_span value)
{
    size_t i;
    size_t len = value.len < TG_HTTP_TEXT_CHARS ? value.len : TG_HTTP_TEXT_CHARS - 1;

    for (i = 0; i < len; i++) {
        ret[i] = value.ptr[i] >= 0x20 && value.ptr[i] < 0x7f ? (char)value.ptr[i] : '?';
    }
    ret[len] = '\0';
}

void tg_http_field_take(struct tg_http_answer *answer, struct tg_span line)
{
    size_t colon = tg_span_find(line, ':');
    struct tg_span name = tg_span_sub(line, 0, colon);
    struct tg_span value = tg_span_sub(line, colon + 1, line.len);

    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r')) {
        value.len--;
    }
    value = tg_span_trim(value);
    if (tg_span_equal_nocase(name, TG_SPAN("tollgate-request-id"))) {
        text_take(answer->request_id, value);
    } else if (tg_span_equal_nocase(name, TG_SPAN("tollgate-original-request-id"))) {
        text_take(answer->original_id, value);
    } else if (tg_span_equal_nocase(name, TG_SPAN("content-type"))) {
        text_take(answer->content_type, value);
    } else if (tg_span_equal_nocase(name, TG_SPAN("idempotent-replayed"))) {
        answer->replayed = tg_span_equal_nocase(value, TG_SPAN("true"));
    } else if (tg_span_equal_nocase(name, TG_SPAN("retry-after"))) {
        char text[TG_HTTP_TEXT_CHARS];
        int64_t number = 0;

        text_take(text, value);
        if (tg_number_parse(text, &number) == TG_OK && number > 0 && number < 100000) {
            answer->retry_after_s = (int)number;
        }
    }
}

static size_t on_field(char *bytes, size_t size, size_t count, void *context)
{
    struct tg_http_answer *answer = context;

    tg_http_field_take(answer, tg_span(bytes, size * count));
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct tg_http_answer *answer = context;

    tg_buf_put(&answer->body, tg_span(bytes, size * count));
    return answer->body.over ? 0 : size * count;
}

/* "Name: value" appended to the list; a secret passes through a buffer that is wiped. */
static struct curl_slist *field_add(struct curl_slist *list, struct tg_span name, const char *prefix,
                                    const char *value)
{
    char line[2048];
    int len = snprintf(line, sizeof(line), "%.*s: %s%s", (int)name.len, (const char *)name.ptr, prefix, value);
    struct curl_slist *longer = NULL;

    if (len > 0 && (size_t)len < sizeof(line)) {
        longer = curl_slist_append(list, line);
    }
    tg_wipe(line, sizeof(line));
    return longer == NULL ? list : longer;
}

static struct curl_slist *fields_of(const struct tg_http_call *call)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    list = field_add(list, TG_SPAN("Accept"), "", "application/json, application/problem+json");
    if (call->key != NULL) {
        bool bearer = tg_span_equal_nocase(call->key_field, TG_SPAN("authorization"));

        list = field_add(list, call->key_field, bearer ? "Bearer " : "", call->key);
    }
    if (call->idempotency_key != NULL) {
        list = field_add(list, call->idempotency_field, "", call->idempotency_key);
    }
    if (call->content_type != NULL) {
        list = field_add(list, TG_SPAN("Content-Type"), "", call->content_type);
    }
    return list;
}

static bool options_set(CURL *curl, const struct tg_http_call *call, struct curl_slist *fields,
                        struct tg_http_answer *answer)
{
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                                            \
    if (code == CURLE_OK) {                                                                                           \
        code = curl_easy_setopt(curl, option, value);                                                                 \
    }
    SET(CURLOPT_URL, call->url)
    SET(CURLOPT_PROTOCOLS_STR, "https")
    SET(CURLOPT_PROXY, "")
    SET(CURLOPT_FOLLOWLOCATION, 0L)
    SET(CURLOPT_FRESH_CONNECT, 1L)
    SET(CURLOPT_FORBID_REUSE, 1L)
    SET(CURLOPT_NOSIGNAL, 1L)
    SET(CURLOPT_CAINFO, call->ca)
    SET(CURLOPT_CAPATH, NULL)
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2)
    SET(CURLOPT_HTTP_VERSION, call->http1 ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS)
    SET(CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_WAIT_MS)
    SET(CURLOPT_TIMEOUT_MS, (long)call->wait_ms)
    SET(CURLOPT_HTTPHEADER, fields)
    SET(CURLOPT_HEADERFUNCTION, on_field)
    SET(CURLOPT_HEADERDATA, (void *)answer)
    SET(CURLOPT_WRITEFUNCTION, on_body)
    SET(CURLOPT_WRITEDATA, (void *)answer)
    SET(CURLOPT_ERRORBUFFER, answer->error)
    if (call->content_type != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len)
        SET(CURLOPT_POSTFIELDS, (const char *)call->body.ptr)
    }
    SET(CURLOPT_CUSTOMREQUEST, call->method)
#undef SET
    return code == CURLE_OK;
}

/* Nothing can have been sent where no TLS connection stood. */
static bool never_sent(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        return true;
    default:
        return false;
    }
}

enum tg_err tg_http_send(const struct tg_http_call *call, struct tg_http_answer *ret)
{
    struct curl_slist *fields = fields_of(call);
    struct curl_slist *field;
    CURL *curl = curl_easy_init();
    curl_off_t total_us = 0;
    long status = 0;
    CURLcode code;

    memset(ret, 0, sizeof(*ret));
    ret->body = tg_buf(malloc(HTTP_BODY_BYTES_MAX), HTTP_BODY_BYTES_MAX);
    if (curl == NULL || ret->body.ptr == NULL || !options_set(curl, call, fields, ret)) {
        tg_complain("the call could not be prepared (is the URL or the CA file right?)");
        curl_slist_free_all(fields);
        curl_easy_cleanup(curl);
        tg_http_answer_free(ret);
        return TG_ERR_INPUT;
    }
    code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME_T, &total_us);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    ret->latency_us = (int64_t)total_us;
    if (code == CURLE_OK) {
        ret->status = (int)status;
    } else {
        ret->maybe_sent = !never_sent(code);
        if (ret->error[0] == '\0') {
            (void)snprintf(ret->error, sizeof(ret->error), "%s", curl_easy_strerror(code));
        }
    }
    for (field = fields; field != NULL; field = field->next) {
        tg_wipe(field->data, strlen(field->data)); /* one of them is the key */
    }
    curl_slist_free_all(fields);
    curl_easy_cleanup(curl);
    return TG_OK;
}

void tg_http_answer_free(struct tg_http_answer *answer)
{
    free(answer->body.ptr);
    answer->body = tg_buf(NULL, 0);
}
