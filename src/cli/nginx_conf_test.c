/*
 * nginx_conf_test.c - the rendered nginx.conf holds what a gated route needs, and no mark is left.
 */
#include "cli/nginx_conf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char text[TG_NGINX_CONF_BYTES_MAX + 1];

static void render(bool stripe, const char *user)
{
    const struct tg_nginx_conf conf = {.dir = "/i",
                                       .module = "/m.so",
                                       .user = user,
                                       .listen = "127.0.0.1:1",
                                       .status_listen = "127.0.0.1:2",
                                       .upstream = "127.0.0.1:3",
                                       .profile = "generic-json",
                                       .stripe = stripe,
                                       .workers = 2,
                                       .descriptors = 1024,
                                       .rate_per_s = 77};
    struct tg_buf out = tg_buf(text, TG_NGINX_CONF_BYTES_MAX);

    assert_int_equal(tg_nginx_conf_write(&conf, &out), TG_OK);
    text[out.len] = '\0';
    assert_null(strchr(text, '@'));
}

static void test_hardened(void **state)
{
    static const char *const wanted[] = {
        "server_tokens off;", "ssl_protocols TLSv1.3;", "ssl_session_tickets off;", "ssl_early_data off;",
        "proxy_next_upstream off;", "proxy_ignore_client_abort on;", "proxy_request_buffering on;",
        "proxy_max_temp_file_size 0;", "ignore_invalid_headers off;", "underscores_in_headers on;",
        "client_max_body_size 256k;", "client_body_buffer_size 256k;", "error_page 494 =431", "limit_conn ",
        "limit_req ", "X-Accel-Redirect", "user www-data;", "load_module /m.so;", "rate=77r/s",
        "listen 127.0.0.1:1 ssl http2;", "server 127.0.0.1:3;", "tollgate_route generic;",
        "tollgate_problem headers_too_large;", "tollgate on;",
    };
    size_t i;

    (void)state;
    render(true, "www-data");
    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("nginx.conf lacks: %s", wanted[i]);
        }
    }
}

static void test_choices(void **state)
{
    (void)state;
    render(true, "");
    assert_non_null(strstr(text, "tollgate_route stripe;"));
    assert_null(strstr(text, "\nuser "));
    render(false, "");
    assert_null(strstr(text, "tollgate_route stripe;"));
}

static void test_no_room(void **state)
{
    const struct tg_nginx_conf conf = {.dir = "/i", .module = "m", .user = "", .listen = "l", .status_listen = "s",
                                       .upstream = "u", .profile = "p"};
    char small[100];
    struct tg_buf out = tg_buf(small, sizeof(small));

    (void)state;
    assert_int_equal(tg_nginx_conf_write(&conf, &out), TG_ERR_ROOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hardened), cmocka_unit_test(test_choices),
                                       cmocka_unit_test(test_no_room)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
