/*
 * instance_test.c - tollgate.json there and back, addresses, folders that cannot be.
 */
#include "cli/command.h"
#include "cli/instance.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define GOOD_BUT(member)                                                                                               \
    ("{\"version\":1,\"listen\":\"127.0.0.1:1\",\"status_listen\":\"127.0.0.1:2\",\"upstream\":\"127.0.0.1:3\","            \
     "\"profile\":\"p\"," member "}")

static void test_round_trip(void **state)
{
    const struct tg_instance instance = {.listen = "127.0.0.1:8443",
                                         .status_listen = "[::1]:8444",
                                         .upstream = "127.0.0.1:9080",
                                         .profile = "generic-json",
                                         .sandbox = true,
                                         .postgres = true,
                                         .joins = "/srv/one",
                                         .keepers = 3,
                                         .separated = true,
                                         .keeper_user = "k",
                                         .sealer_user = "s",
                                         .gate_user = "g",
                                         .sandbox_user = "n"};
    struct tg_instance back = {.dir = ""};
    uint8_t text[2048];
    struct tg_buf out = tg_buf(text, sizeof(text));
    char why[200];

    (void)state;
    assert_int_equal(tg_instance_write(&instance, &out), TG_OK);
    assert_int_equal(tg_instance_read(tg_buf_span(&out), &back, why, sizeof(why)), TG_OK);
    assert_memory_equal(&instance, &back, sizeof(back));
}

static void test_refused_files(void **state)
{
    static const char *const texts[] = {
        "", "[]", "{\"version\":2}", "{\"version\":1,\"version\":1}", "{\"version\":1,\"listen\":\"localhost:1\"}",
        "{\"version\":1,\"listen\":\"127.0.0.1:1\",\"status_listen\":\"127.0.0.1:2\",\"upstream\":\"\"}",
        ("{\"version\":1,\"listen\":\"127.0.0.1:1\",\"status_listen\":\"127.0.0.1:2\",\"upstream\":\"127.0.0.1:3\","
         "\"profile\":\"p\",\"separated\":true}"),
        GOOD_BUT("\"store\":\"sqlite\""),
        GOOD_BUT("\"joins\":\"/srv/one\""),
        GOOD_BUT("\"keepers\":2"),
        GOOD_BUT("\"store\":\"postgres\",\"joins\":\"one\""),
        GOOD_BUT("\"store\":\"postgres\",\"joins\":7"),
        GOOD_BUT("\"store\":\"postgres\",\"keepers\":0"),
        GOOD_BUT("\"store\":\"postgres\",\"keepers\":9"),
    };
    struct tg_instance instance;
    char why[200];
    size_t i;

    (void)state;
    assert_int_equal(tg_instance_read(TG_SPAN(GOOD_BUT("\"store\":\"postgres\"")), &instance, why, sizeof(why)), TG_OK);
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        why[0] = '\0';
        assert_int_equal(tg_instance_read(tg_span_string(texts[i]), &instance, why, sizeof(why)), TG_ERR_INPUT);
        assert_true(why[0] != '\0');
    }
}

static void test_addresses(void **state)
{
    static const char *const wrong[] = {"",         "8443",       ":8443",        "127.0.0.1",   "127.0.0.1:0",
                                        "1.2.3:80", "[::1:80",    "127.0.0.1:99999", "host:80",  "127.0.0.1:8o",
                                        "[]:80",    "127.0.0.1:-1"};
    char host[TG_ADDRESS_CHARS_MAX];
    uint16_t port;
    size_t i;

    (void)state;
    assert_int_equal(tg_address_parse("127.0.0.1:8443", host, &port), TG_OK);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 8443);
    assert_int_equal(tg_address_parse("[2001:db8::1]:1", host, &port), TG_OK);
    assert_string_equal(host, "2001:db8::1");
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(tg_address_parse(wrong[i], host, &port), TG_ERR_INPUT);
    }
}

static void test_folders(void **state)
{
    struct tg_arguments arguments;
    struct tg_instance instance;
    char long_path[200];
    char path[TG_PATH_BYTES_MAX];

    (void)state;
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(tg_arguments_parse(tg_options_list, 0, NULL, &arguments), TG_OK);
    assert_int_equal(tg_instance_find(&arguments, long_path, &instance), TG_ERR_LIMIT);
    assert_int_equal(tg_instance_find(&arguments, "/with space", &instance), TG_ERR_INPUT);
    assert_int_equal(tg_instance_find(&arguments, "/with;semicolon", &instance), TG_ERR_INPUT);
    assert_int_equal(tg_instance_find(&arguments, "/no/such/folder/", &instance), TG_OK);
    assert_string_equal(instance.dir, "/no/such/folder");
    assert_string_equal(tg_instance_path(&instance, "run/x", path), "/no/such/folder/run/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused_files),
                                       cmocka_unit_test(test_addresses), cmocka_unit_test(test_folders)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
