/*
 * form_test.c - forms, numbers, addresses, faults: the small pure parts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "address.h"
#include "fault.h"
#include "form.h"
#include "webhook.h"

static struct tg_form form;
static uint8_t bytes[4096];

static enum tg_err read_form(const char *text)
{
    struct tg_arena arena = tg_arena(bytes, sizeof(bytes));
    return tg_form_read(tg_span_string(text), &arena, &form);
}

static void decodes(void **state)
{
    (void)state;
    struct tg_span key;
    assert_int_equal(read_form("amount=10&metadata%5Border%5D=a%20b+c&empty=&bare&expand[]=x&expand[]=y"), TG_OK);
    assert_int_equal(form.count, 6);
    assert_true(tg_span_equal(tg_form_value(&form, TG_SPAN("amount")), TG_SPAN("10")));
    assert_true(tg_span_equal(tg_form_value(&form, TG_SPAN("metadata[order]")), TG_SPAN("a b c")));
    assert_true(tg_form_member(&form, 1, TG_SPAN("metadata"), &key));
    assert_true(tg_span_equal(key, TG_SPAN("order")));
    assert_false(tg_form_member(&form, 0, TG_SPAN("metadata"), &key));
    assert_false(tg_form_member(&form, 4, TG_SPAN("expand"), &key));
    assert_non_null(tg_form_value(&form, TG_SPAN("empty")).ptr);
    assert_null(tg_form_value(&form, TG_SPAN("absent")).ptr);
    assert_int_equal(read_form(""), TG_OK);
    assert_int_equal(form.count, 0);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=1&a=2", "=1", "a=1&&b=2", "%61=1&a=2"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(read_form(broken[i]), TG_ERR_INPUT);
    }
    struct tg_arena small = tg_arena(bytes, 16);
    assert_int_equal(tg_form_read(TG_SPAN("aaaaaaaaaaaaaaaa=bbbbbbbbbbbbbbbb"), &small, &form), TG_ERR_ROOM);
    assert_int_equal(read_form("a=1&"), TG_OK);
    char many[4 * TG_FORM_PAIRS_MAX + 5] = "";
    for (size_t i = 0; i <= TG_FORM_PAIRS_MAX; i++) {
        memcpy(many + 4 * i, "[]=&", 4);
    }
    assert_int_equal(read_form(many), TG_ERR_INPUT); /* "[]" alone is no list */
    char pairs[6 * (TG_FORM_PAIRS_MAX + 1) + 1] = "";
    for (size_t i = 0; i <= TG_FORM_PAIRS_MAX; i++) {
        memcpy(pairs + 6 * i, "a[]=1&", 6);
    }
    assert_int_equal(read_form(pairs), TG_ERR_LIMIT);
}

static void reads_numbers(void **state)
{
    (void)state;
    int64_t number;
    assert_int_equal(tg_form_number(TG_SPAN("0"), 9, &number), TG_OK);
    assert_int_equal(tg_form_number(TG_SPAN("9223372036854775807"), INT64_MAX, &number), TG_OK);
    assert_true(number == INT64_MAX);
    assert_int_equal(tg_form_number(TG_SPAN("9223372036854775808"), INT64_MAX, &number), TG_ERR_LIMIT);
    assert_int_equal(tg_form_number(TG_SPAN("5"), 1, &number), TG_ERR_LIMIT); /* a limit below one digit */
    assert_int_equal(tg_form_number(TG_SPAN("1"), 1, &number), TG_OK);
    static const char *const broken[] = {"", "01", "-1", "+1", "1.0", "1e2", " 1", "1 "};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(tg_form_number(tg_span_string(broken[i]), 99, &number), TG_ERR_INPUT);
    }
}

static void reads_addresses(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    assert_int_equal(tg_address_read(TG_SPAN("127.0.0.1:9080"), &address), TG_OK);
    assert_true(tg_address_is_loopback(&address));
    assert_int_equal(tg_address_read(TG_SPAN("[::1]:80"), &address), TG_OK);
    assert_true(tg_address_is_loopback(&address));
    assert_int_equal(tg_address_read(TG_SPAN("10.0.0.1:80"), &address), TG_OK);
    assert_false(tg_address_is_loopback(&address));
    static const char *const broken[] = {
        "",      ":",    "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",  "127.0.0.1:65536", "localhost:80",
        "[::1]", "[::1", "[]:1",      "::1:80",     "127.0.0.1:80 "};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(tg_address_read(tg_span_string(broken[i]), &address), TG_ERR_INPUT);
    }
}

static void faults_are_used_up(void **state)
{
    (void)state;
    struct tg_faults faults = {.count = 0};
    struct tg_fault stall = {.kind = TG_FAULT_STALL, .left = 1, .operation = "payment.create"};
    struct tg_fault slow = {.kind = TG_FAULT_SLOW, .left = 2, .delay_ms = 5};
    assert_int_equal(tg_fault_arm(&faults, &stall), TG_OK);
    assert_int_equal(tg_fault_arm(&faults, &slow), TG_OK);
    assert_int_equal(tg_fault_take(&faults, "payment.get").kind, TG_FAULT_SLOW);
    assert_int_equal(tg_fault_take(&faults, "payment.create").kind, TG_FAULT_STALL);
    assert_int_equal(tg_fault_take(&faults, "payment.create").delay_ms, 5);
    assert_int_equal(tg_fault_take(&faults, "payment.create").kind, TG_FAULT_NONE);
    assert_int_equal(faults.fired, 3);
    slow.left = 0;
    assert_int_equal(tg_fault_arm(&faults, &slow), TG_ERR_INPUT);
    slow.left = 1;
    for (size_t i = 0; i < TG_FAULTS_MAX; i++) {
        assert_int_equal(tg_fault_arm(&faults, &slow), TG_OK);
    }
    assert_int_equal(tg_fault_arm(&faults, &slow), TG_ERR_LIMIT);
    tg_fault_clear(&faults);
    assert_int_equal(faults.count, 0);
    for (int kind = TG_FAULT_SLOW; kind <= TG_FAULT_REFUSE_CONNECT; kind++) {
        assert_int_equal(tg_fault_kind(tg_span_string(tg_fault_name((enum tg_fault_kind)kind))), kind);
    }
    assert_int_equal(tg_fault_kind(TG_SPAN("none")), TG_FAULT_NONE);
}

/* Against the value that `printf 'm.1.{}' | openssl dgst -sha256 -hmac key -binary | base64` prints. */
static void signs_as_standard_webhooks(void **state)
{
    (void)state;
    char signature[TG_WEBHOOK_SIGNATURE_BYTES];
    assert_int_equal(tg_webhook_sign(TG_SPAN("key"), TG_SPAN("m"), TG_SPAN("1"), TG_SPAN("{}"), signature), TG_OK);
    assert_string_equal(signature, "v1,PZ/NkMlNTAuwo7eUSzj+2MvSPuobXrtxD9Jq3rZS73c=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(faults_are_used_up),
        cmocka_unit_test(signs_as_standard_webhooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
